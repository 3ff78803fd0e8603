"""One act on many things at once: ten containers that need ten seconds each to stop are stopped in ten seconds."""

from __future__ import annotations

from core.cli import output
from core.cli.context import warn
from core.cli.failure import engine_says
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

AT_ONCE = 50

Act: TypeAlias = "Callable[[str], object]"


def as_one(command: str, names: Sequence[str]) -> dict[str, str]:
    """What a removal's requests say so that one undo brings all of it back; nothing for a single name."""
    if len(names) < 2:
        return {}
    import os

    return {"group": os.urandom(8).hex(), "command": " ".join((command, *names))}


def each(names: Sequence[str], act: Act, *, show: Callable[[str, object], str] | None = None) -> list[str]:
    """Do `act` for every name, concurrently; print the name (or what `show` makes of the result) in order.

    A failure is one line on stderr and ends nothing. Returns the names that failed.
    """
    failed = []
    for name, result in zip(names, _results(names, act), strict=True):
        if isinstance(result, EngineError):
            warn(engine_says(result))
            failed.append(name)
        else:
            output.line(show(name, result) if show else name)
    return failed


def _results(names: Sequence[str], act: Act) -> Sequence[object]:
    if len(names) == 1:  # the usual case needs no thread, and so no import of one
        return [_outcome(act, names[0])]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(names), AT_ONCE)) as pool:
        return list(pool.map(lambda name: _outcome(act, name), names))


def _outcome(act: Act, name: str) -> object:
    try:
        return act(name)
    except EngineError as error:
        return error
