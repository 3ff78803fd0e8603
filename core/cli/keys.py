"""`--detach-keys`, as far as this side needs them: the shim matches them, we want to know why it ended."""

from __future__ import annotations

from core.cli.failure import CommandFailed

DEFAULT = b"\x10\x11"  # ctrl-p,ctrl-q
_CONTROLS = {"@": 0, "[": 27, "\\": 28, "]": 29, "^": 30, "_": 31}


def parse(text: str) -> bytes:
    """`ctrl-p,ctrl-q`, `ctrl-x,x` as bytes; "" = the default. Raises CommandFailed."""
    if not text:
        return DEFAULT
    return bytes(_key(name) for name in text.split(","))


def _key(name: str) -> int:
    if len(name) == 1 and name.isascii():
        return ord(name)
    control = name.lower().removeprefix("ctrl-")
    if name.lower() != control and len(control) == 1:
        if "a" <= control <= "z":
            return ord(control) - 96
        if control in _CONTROLS:
            return _CONTROLS[control]
    raise CommandFailed(f"invalid detach keys ({name}) provided")


class Typed:
    """The last bytes that were sent, to see whether they ended with the keys."""

    def __init__(self, keys: bytes) -> None:
        self._keys = keys
        self._tail = b""
        self.seen = False
        """Whether the keys were ever sent in a row."""

    def add(self, data: bytes) -> None:
        """Note what was sent."""
        text = self._tail + data
        self.seen = self.seen or self._keys in text
        self._tail = text[-len(self._keys) :]

    @property
    def at_end(self) -> bool:
        """Whether the keys were the last thing sent."""
        return self._tail == self._keys
