"""`onggi run`: create, attach, wait, start; then the terminal belongs to the container."""

from __future__ import annotations

import os

from core.cli import preferences, terminal
from core.cli.context import Context, warn
from core.cli.create import spec
from core.cli.create.flags import CREATE_FLAGS
from core.cli.create.make import make
from core.cli.failure import PROGRAM, CommandFailed, engine_says
from core.cli.joining import FAILED, Joined, start_failure_code
from core.cli.parser import Arguments, Command, option, switch
from core.client.address import quote
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_MORE = f"\n\nRun '{PROGRAM} run --help' for more information"


def run(context: Context, given: Arguments) -> int:
    """Exit code: the program's own; 125 this side or the engine failed, 126 not executable, 127 not found."""
    if given.on("detach") and given.texts("attach"):
        raise CommandFailed("conflicting options: cannot specify both --attach and --detach")
    if given.on("tty") and given.on("interactive") and not given.on("detach"):
        terminal.require_input_terminal()
    try:
        request = spec.body(given, os.environ, size=terminal.size())
        if given.on("detach"):
            return _detached(context, given, spec.detached(request))
        return _attached(context, given, request)
    except EngineError as error:
        code = error.exit_code if isinstance(error, CommandFailed) and error.exit_code > 1 else FAILED
        raise CommandFailed(f"{PROGRAM}: {engine_says(error)}{_MORE}" if error.message else "", code) from error


def _detached(context: Context, given: Arguments, request: dict[str, Any]) -> int:
    container = make(context, given, request)
    _starting(lambda: context.engine.post(f"/containers/{quote(container)}/start"))
    print(container)
    from core.cli import hints

    hint = hints.short_lived(given.operands[1:], tty=given.on("tty"), stdin=given.on("interactive"))
    if hint and os.isatty(2):
        warn(hint)
    return 0


def _attached(context: Context, given: Arguments, request: dict[str, Any]) -> int:
    container = make(context, given, request)
    joined = Joined(
        context,
        container,
        tty=given.on("tty"),
        stdin=request["AttachStdin"],
        stdout=request["AttachStdout"],
        stderr=request["AttachStderr"],
        keys=preferences.detach_keys(given),
        removed=given.on("rm"),
        proxy=given.on("sig-proxy"),
    )
    joined.open(running=False)
    _starting(joined.start)
    joined.resize()
    return joined.run() or 0


def _starting(start: Callable[[], object]) -> None:
    """Give the failure of a start its exit code. Raises CommandFailed."""
    try:
        start()
    except CommandFailed:
        raise
    except EngineError as error:
        raise CommandFailed(engine_says(error), start_failure_code(error.message)) from error


RUN = Command(
    run,
    "Create and run a new container from an image",
    "IMAGE [COMMAND] [ARG...]",
    (
        *CREATE_FLAGS,
        switch("detach", "d", "Run container in background and print container ID"),
        option("detach-keys", "", "Override the key sequence for detaching a container"),
        switch("sig-proxy", "", "Proxy received signals to the process", default=True),
    ),
    least=1,
    most=None,
    stop_early=True,
)
