"""Detach keys as Docker writes them: `ctrl-p,ctrl-q`, `ctrl-x,x`. The shim matches the bytes."""

from __future__ import annotations

from core.errors import InvalidArgument

_CONTROL = {f"ctrl-{chr(ord('a') + number)}": number + 1 for number in range(26)} | {
    "ctrl-@": 0, "ctrl-[": 27, "ctrl-\\": 28, "ctrl-]": 29, "ctrl-^": 30, "ctrl-_": 31,
}  # fmt: skip
_NAMED = {"del": 127}


def parse_detach_keys(text: str) -> list[int] | None:
    """The bytes of the sequence; None for "", which means the default. Raises InvalidArgument."""
    if not text:
        return None
    keys: list[int] = []
    for word in text.split(","):
        if len(word) == 1 and word.isascii():
            keys.append(ord(word))
            continue
        code = _CONTROL.get(word.lower(), _NAMED.get(word.lower()))
        if code is None:
            raise InvalidArgument(f"Invalid detach keys ({text}) provided")
        keys.append(code)
    return keys
