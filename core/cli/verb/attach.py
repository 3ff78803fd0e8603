"""`onggi attach`"""

from __future__ import annotations

from core.cli import terminal
from core.cli.context import Context, warn
from core.cli.failure import CommandFailed
from core.cli.joining import Joined
from core.cli.parser import Arguments, Command, option, switch
from core.client.address import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def attach(context: Context, given: Arguments) -> int:
    """Exit code: the container's; 1 when the user detached, as Docker's."""
    name = given.operands[0]
    container = context.engine.get(f"/containers/{quote(name)}/json")
    _check(container["State"])
    config = container["Config"]
    stdin = config["OpenStdin"] and not given.on("no-stdin")
    if stdin and config["Tty"]:
        terminal.require_input_terminal()
    joined = Joined.of(context, container, given, stdin=stdin)
    joined.open(running=True)
    joined.resize()
    code = joined.run()
    if code is None:
        warn("read escape sequence")
        return 1
    return code


def _check(state: dict[str, Any]) -> None:
    if not state.get("Running"):
        raise CommandFailed("You cannot attach to a stopped container, start it first")
    if state.get("Paused"):
        raise CommandFailed("You cannot attach to a paused container, unpause it first")
    if state.get("Restarting"):
        raise CommandFailed("You cannot attach to a restarting container, wait until it is running")


ATTACH = Command(
    attach,
    "Attach local standard input, output, and error streams to a running container",
    "CONTAINER",
    (
        option("detach-keys", "", "Override the key sequence for detaching a container"),
        switch("no-stdin", "", "Do not attach STDIN"),
        switch("sig-proxy", "", "Proxy all received signals to the process", default=True),
    ),
    least=1,
    most=1,
)
