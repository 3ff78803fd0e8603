"""Detach keys as Docker matches them, plus the release of a lone prefix (moby pkg/term proxy.go).

Docker holds the bytes of a half sequence back; a byte that does not fit sends the held bytes and itself
together. So Ctrl-P, the shell's "previous line", would wait for the next key. Here a prefix that stays
alone for 400 ms is sent, while the match stays armed: Ctrl-P, a pause, Ctrl-Q still detaches.
"""

from __future__ import annotations

from collections.abc import Sequence

DEFAULT_KEYS = (0x10, 0x11)  # Ctrl-P Ctrl-Q
RELEASE_AFTER = 0.4  # seconds


class DetachMatcher:
    """Looks for `keys` in what one client types. Empty `keys` never match."""

    def __init__(self, keys: Sequence[int] = DEFAULT_KEYS) -> None:
        self._keys = bytes(keys)
        self._matched = 0
        self._released = 0  # how many of the matched bytes were sent on already

    @property
    def holding(self) -> bool:
        """Whether bytes are held back: `release` is due after RELEASE_AFTER."""
        return self._matched > self._released

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to send on of `data` (and of what was held), and whether the sequence is complete."""
        if not self._keys:
            return data, False
        if self._matched == 0 and self._keys[0] not in data:
            return data, False
        out = bytearray()
        for byte in data:
            if byte == self._keys[self._matched]:
                self._matched += 1
                if self._matched == len(self._keys):
                    self._reset()
                    return bytes(out), True
                continue
            self._mismatch(byte, out)
        return bytes(out), False

    def _mismatch(self, byte: int, out: bytearray) -> None:
        released = self._released
        out += self._keys[released : self._matched]
        self._reset()
        # A released prefix was a key press of its own, so this byte may begin a sequence. After a held
        # one Docker sends both without looking: Ctrl-P Ctrl-P reaches the shell.
        if released and byte == self._keys[0]:
            self._matched = 1
        else:
            out.append(byte)

    def release(self) -> bytes:
        """The held bytes, to be sent now; the match goes on with the next byte."""
        held = self._keys[self._released : self._matched]
        self._released = self._matched
        return held

    def _reset(self) -> None:
        self._matched = self._released = 0
