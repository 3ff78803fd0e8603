"""Signal names and numbers as people write them: `SIGTERM`, `term`, `15`, `RTMIN+3`. signal(7)."""

from __future__ import annotations

import signal

from core.errors import InvalidArgument

_NAMES = {item.name.removeprefix("SIG"): int(item) for item in signal.Signals}
_RTMIN, _RTMAX = int(signal.SIGRTMIN), int(signal.SIGRTMAX)


def parse_signal(text: str) -> int:
    """The number of a signal. Raises InvalidArgument with Docker's words."""
    name = text.strip().upper().removeprefix("SIG")
    if name.isdigit() and 0 < int(name) <= _RTMAX:
        return int(name)
    if name in _NAMES:
        return _NAMES[name]
    for base, start in (("RTMIN", _RTMIN), ("RTMAX", _RTMAX)):
        offset = name.removeprefix(base)
        if offset != name and offset[:1] in ("+", "-") and offset[1:].isdigit():
            number = start + int(offset)
            if _RTMIN <= number <= _RTMAX:
                return number
    raise InvalidArgument(f"Invalid signal: {text}")
