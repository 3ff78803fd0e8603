"""`onggi completion`."""

from __future__ import annotations

from core.cli import completions, output
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.cli.context import Context


def run(context: Context, given: Arguments) -> int:
    """Print the script for a shell."""
    shell = given.operands[0]
    make = completions.SHELLS.get(shell)
    if make is None:
        raise CommandFailed(f"no completion for {shell!r}: expected {', '.join(completions.SHELLS)}")
    output.line(make().rstrip("\n"))
    return 0


COMPLETION = Command(run, "Print a script that completes commands in a shell", "bash|fish|zsh", least=1, most=1)
