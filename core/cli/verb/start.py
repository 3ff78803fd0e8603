"""`onggi start`"""

from __future__ import annotations

from core.cli import many
from core.cli.context import Context
from core.cli.failure import CommandFailed, engine_says
from core.cli.joining import Joined, start_failure_code
from core.cli.parser import Arguments, Command, option, switch
from core.client.address import quote
from core.errors import EngineError


def start(context: Context, given: Arguments) -> int:
    """Start containers; with -a or -i one of them, and end with its exit code."""
    if given.on("attach") or given.on("interactive"):
        if len(given.operands) > 1:
            raise CommandFailed("you cannot start and attach multiple containers at once")
        return _attached(context, given)
    failed = many.each(given.operands, lambda name: context.engine.post(f"/containers/{quote(name)}/start"))
    if failed:
        raise CommandFailed(f"Error: failed to start containers: {', '.join(failed)}")
    return 0


def _attached(context: Context, given: Arguments) -> int:
    engine = context.engine
    container = engine.get(f"/containers/{quote(given.operands[0])}/json")
    stdin = given.on("interactive") and container["Config"]["OpenStdin"]
    running = bool(container["State"].get("Running"))
    joined = Joined.of(context, container, given, stdin=stdin)
    try:
        joined.open(running=running)
        joined.start()
    except CommandFailed:
        raise
    except EngineError as error:
        raise CommandFailed(engine_says(error), max(1, start_failure_code(error.message) % 125)) from error
    joined.resize()
    return joined.run() or 0


START = Command(
    start,
    "Start one or more stopped containers",
    "CONTAINER [CONTAINER...]",
    (
        switch("attach", "a", "Attach STDOUT/STDERR and forward signals"),
        option("detach-keys", "", "Override the key sequence for detaching a container"),
        switch("interactive", "i", "Attach container's STDIN"),
        switch("sig-proxy", "", "Proxy all received signals to the process", default=True),
    ),
    least=1,
    most=None,
)
