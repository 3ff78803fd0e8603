"""The hint for the detach keys. The engine's shim matches them; here we only see them pass.

Docker's rule (its escape proxy): a byte that continues the sequence is held; on a mismatch the held bytes and
the new one go out together and that byte does not begin a new match; unless they had been let through before.
"""

from __future__ import annotations

from typing import Final

RELEASE: Final = 0.4  # seconds after which the engine lets a lone first key through


class DetachHint:
    """Follows the bytes typed, for showing when the engine holds some of them back."""

    def __init__(self, keys: bytes = b"\x10\x11") -> None:
        self._keys = keys
        self._matched = 0
        self._released = self.complete = False
        self.complete = False  # all of them have passed; whoever acts on it takes it back

    @property
    def held(self) -> bool:
        """Whether the engine is holding typed bytes back."""
        return self._matched > 0 and not self._released

    def feed(self, data: bytes) -> bool:
        """See `data` pass; returns `held`."""
        for byte in data if self._keys else b"":
            if byte == self._keys[self._matched]:
                self._matched = (self._matched + 1) % len(self._keys)
                self.complete = self.complete or not self._matched
            else:
                self._matched = 1 if self._released and byte == self._keys[0] else 0
            self._released = False
        return self.held

    def release(self) -> None:
        """The engine has let the held bytes through; the match itself goes on with the next byte."""
        self._released = True

    def reset(self) -> None:
        """Nobody types any more."""
        self._matched = 0
        self._released = self.complete = False
