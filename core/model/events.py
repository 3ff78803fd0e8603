"""What happened (Event) and how far something is (Progress)."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True):
    """One line of `events`: `type` container|image|volume|network, `action` as Docker names it."""

    type: str
    action: str
    id: str
    attributes: dict[str, str] = {}
    time_ns: int = 0


class Progress(msgspec.Struct, frozen=True):
    """A step of long work. `current` and `total` are bytes; total 0 = not known."""

    id: str = ""
    status: str = ""
    current: int = 0
    total: int = 0
