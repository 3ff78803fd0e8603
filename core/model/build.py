"""What a build tells while it goes on. Views (classic lines, plain, a live table) are made of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Planned(msgspec.Struct, frozen=True, rename="pascal", tag_field="Event", tag="planned"):
    """The first word: every step there will be, in the order of the file."""

    steps: tuple[PlannedStep, ...]
    warnings: tuple[str, ...] = ()


class PlannedStep(msgspec.Struct, frozen=True, rename="pascal"):
    """`number` of `total` in its stage. `line` and `last_line` are in the Dockerfile."""

    id: int
    stage: str
    number: int
    total: int
    text: str
    line: int
    last_line: int


class Started(msgspec.Struct, frozen=True, rename="pascal", tag_field="Event", tag="started"):
    """A step begins. `cause` says why it is not taken from the cache, where one might expect it to be."""

    id: int
    cause: str = ""
    key: str = ""


class Output(msgspec.Struct, frozen=True, rename="pascal", tag_field="Event", tag="output"):
    """Bytes of a step's program: `stream` 1 or 2."""

    id: int
    stream: int
    data: bytes


class Progressed(msgspec.Struct, frozen=True, rename="pascal", tag_field="Event", tag="progress"):
    """How far a pull or a download of a step is; `total` 0 = not known."""

    id: int
    name: str
    status: str
    current: int = 0
    total: int = 0


class Finished(msgspec.Struct, frozen=True, rename="pascal", tag_field="Event", tag="finished"):
    """A step is done. `layer` is the diffID it made, "" for none; `size` its bytes; `seconds` it took.

    `key` names what the step came to: the same for the same result.
    """

    id: int
    cached: bool
    seconds: float
    key: str = ""
    layer: str = ""
    size: int = 0


class Failed(msgspec.Struct, frozen=True, rename="pascal", tag_field="Event", tag="failed"):
    """A step failed: one line, and the exit code of its program where it had one."""

    id: int
    error: str
    exit_code: int = 0


class Built(msgspec.Struct, frozen=True, rename="pascal", tag_field="Event", tag="built"):
    """The last word of a build that came to an end: the image's id, and its names."""

    image: str
    names: tuple[str, ...] = ()
    seconds: float = 0.0


class Noted(msgspec.Struct, frozen=True, rename="pascal", tag_field="Event", tag="noted"):
    """A line about the build as a whole, such as what a cache from elsewhere is good for."""

    text: str
    warning: bool = False


Event: TypeAlias = Noted | Planned | Started | Output | Progressed | Finished | Failed | Built
Report = Callable[[Event], None]
