"""What a build is given and what it thinks of: who does the work, how, and a step thought through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.build.cache import Cache
from core.build.hits import Imported, Told
from core.build.state import State
from core.build.work import Bases, Files, Inside, Layering, Programs
from core.errors import EngineError
from core.model.build import Report
from core.oci.digest import Digest

Made = tuple[Digest, int] | None  # diffID and bytes of a layer
Do = Callable[[], Awaitable[Made]]


class StepFailed(EngineError):
    """The program of a RUN ended with `code`, which is not 0."""

    def __init__(self, words: Sequence[str], code: int) -> None:
        self.code = code
        super().__init__(f"The command '{' '.join(words)}' returned a non-zero code: {code}")


def first_error(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to tell: the first that is no mere consequence."""
    for error in failed.exceptions:
        found = first_error(error) if isinstance(error, BaseExceptionGroup) else error
        if not isinstance(found, asyncio.CancelledError):
            return found
    return failed.exceptions[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to build. Builds of the same Dockerfile have the same `place`; `epoch` (seconds) fixes every time."""

    no_cache: bool = False
    no_cache_stages: frozenset[str] = frozenset()  # by name, or by number
    place: str = ""
    epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """Who does the work."""

    files: Files
    programs: Programs
    bases: Bases
    layering: Layering
    cache: Cache
    report: Report
    inside: Inside | None = None
    imports: Sequence[Imported] = ()  # caches from elsewhere
    caught_up: Callable[[], Awaitable[None]]  # waits for a listener that lags behind: programs are held meanwhile


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A step thought through. `parts` make its key, but `files`, which only tell what has changed.

    `state` is what follows it but for key, layer and history; `do` makes its layer, None where it makes none.
    `told` says whether a line of an image's history is of this step; None where none could say enough.
    """

    state: State
    parts: Mapping[str, Any]
    created_by: str
    do: Do | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    told: Told | None = None
