"""The verbs that take containers from one state to another: stop, kill, restart, pause, unpause, wait, rename."""

from __future__ import annotations

from core.cli import many, values
from core.cli.context import Context
from core.cli.exitwatch import ExitWatch
from core.cli.failure import CommandFailed, engine_says
from core.cli.parser import Arguments, Command, Flag, Run, option
from core.client.address import Query, quote
from core.errors import EngineError

_CONTAINERS = "CONTAINER [CONTAINER...]"
_SIGNAL = option("signal", "s", "Signal to send to the container")
_TIMEOUT = option(
    "timeout", "t", "Seconds to wait before killing the container", metavar="int", parse=values.integer
)
_TIME = option("time", "", "Deprecated: use --timeout", metavar="int", parse=values.integer)


def _posting(verb: str) -> Run:
    def run(context: Context, given: Arguments) -> int:
        query = _query(given)
        failed = many.each(
            given.operands, lambda name: context.engine.post(f"/containers/{quote(name)}/{verb}", query)
        )
        return 1 if failed else 0

    return run


def _query(given: Arguments) -> Query:
    names = set(given.names)
    query: dict[str, str | int | None] = {}
    if "signal" in names:
        query["signal"] = given.text("signal") or None
    if "timeout" in names:
        query["t"] = given.number("timeout") if given.given("timeout") else given.number("time")
    return query


def _command(verb: str, summary: str, *flags: Flag) -> Command:
    return Command(_posting(verb), summary, _CONTAINERS, flags, least=1, most=None)


def wait(context: Context, given: Arguments) -> int:
    """Print the exit code of each container when it has one."""
    failed = many.each(
        given.operands,
        lambda name: _exit_code(context, name),
        show=lambda _, code: "" if code is None else str(code),
    )
    return 1 if failed else 0


def _exit_code(context: Context, name: str) -> int:
    watch = ExitWatch(context, name, removed=False)
    try:
        context.engine.persist(lambda: watch.open(running=True))  # an engine may die before it has promised
        return watch.finish()
    finally:
        watch.close()


def rename(context: Context, given: Arguments) -> int:
    """Give a container another name."""
    old, new = given.operands
    try:
        context.engine.post(f"/containers/{quote(old)}/rename", {"name": new})
    except EngineError as error:
        message = f"{engine_says(error)}\nError: failed to rename container named {old}"
        raise CommandFailed(message) from error
    return 0


KILL = _command("kill", "Kill one or more running containers", _SIGNAL)
PAUSE = _command("pause", "Pause all processes within one or more containers")
RESTART = _command("restart", "Restart one or more containers", _SIGNAL, _TIMEOUT, _TIME)
STOP = _command("stop", "Stop one or more running containers", _SIGNAL, _TIMEOUT, _TIME)
UNPAUSE = _command("unpause", "Unpause all processes within one or more containers")
WAIT = Command(
    wait, "Block until one or more containers stop, then print their exit codes", _CONTAINERS, least=1, most=None
)
RENAME = Command(rename, "Rename a container", "CONTAINER NEW_NAME", least=2, most=2)
