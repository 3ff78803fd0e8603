"""A shell in what a step of a build came to, the failed one too: an image that the engine keeps for a while."""

from __future__ import annotations

from core.cli.context import Context, is_terminal
from core.cli.failure import PROGRAM, CommandFailed
from core.client.address import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from core.cli.building.view import Build


def offer(context: Context, shown: Build, reason: str, build: str, *, enter: bool) -> None:
    """Say how to look into the step that failed, or do it.

    Raises CommandFailed after a shell: what there is to say has been said before it.
    """
    if enter and is_terminal(0):
        shown.say(reason)
        enter_step(context, build)
        raise CommandFailed("")
    shown.say(f"The files of the failed step are kept for half an hour: {PROGRAM} builder shell {build[:12]}")


def enter_step(context: Context, build: str, step: int = 0, command: Sequence[str] = ()) -> int:
    """Run a shell, or `command`, in a step: in its directory, with its variables, as its user. Raises EngineError.

    `step` 0 = the one that failed, else the last. The exit code is the program's.
    """
    query = {"step": str(step) if step else None}
    room: dict[str, Any] = context.engine.post(f"/onggi/v1/builds/{quote(build)}/shell", query)
    from core.cli.verb.run import RUN

    words = [*command] or room["Shell"]
    keys = ["-it"] if is_terminal(0) and is_terminal(1) else ["-i"]
    given = RUN.parse("run", ["--rm", *keys, "--entrypoint", words[0], room["Image"], *words[1:]])
    return RUN.run(context, given) if given is not None else 0
