"""What the shim has to tell the engine and the engine has not acknowledged yet, append-only, one JSON a line.

A line is an event as it goes over the link (`{"event", "seq", ...}`) or `{"ack": N}`: everything up to seq
N is known to the engine. There is no fsync: with the machine the container is gone too.
"""

from __future__ import annotations

import json
import os
from typing import Any

from core.packets import encode

Event = dict[str, Any]

_WAITING_LIMIT = 1000  # a container may restart for weeks while no engine runs
_COMPACT_AT = 64 * 1024


class Journal:
    """The writing end of a new shim; the engine has read what an earlier one left.

    Events get growing `seq` numbers. A lost disk costs durability, never the container.
    """

    def __init__(self, path: str, former: tuple[int, list[Event]] | None = None) -> None:
        """With `former`, which is (`seq`, `waiting`) of one that was left, go on with that."""
        self._fd = -1
        self.seq, self.waiting = (_last_seq(path), []) if former is None else former
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(path, flags, 0o600)
        except OSError:
            pass
        if former is None:
            self._compact()

    def append(self, event: Event) -> Event:
        """`event` with its number, written down and kept until it is acknowledged."""
        self.seq += 1
        numbered = event | {"seq": self.seq}
        self.waiting.append(numbered)
        del self.waiting[:-_WAITING_LIMIT]
        self._write(numbered)
        return numbered

    def acknowledge(self, seq: int) -> None:
        """The engine knows everything up to `seq`."""
        before = len(self.waiting)
        self.waiting = [event for event in self.waiting if event["seq"] > seq]
        if len(self.waiting) == before:
            return
        self._write({"ack": seq})
        if not self.waiting and self._fd >= 0 and os.fstat(self._fd).st_size > _COMPACT_AT:
            self._compact()

    def _compact(self) -> None:
        """Forget what the engine knows; the number goes on where it was."""
        try:
            os.ftruncate(self._fd, 0)
        except OSError:
            return
        self._write({"ack": self.seq})

    def _write(self, line: Event) -> None:
        try:
            os.write(self._fd, encode(line).encode() + b"\n")
        except OSError:
            pass

    def close(self) -> None:
        """Close the file; what waits stays in it for the next engine."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def unacknowledged(path: str) -> list[Event]:
    """The events in the journal at `path` that no engine has acknowledged; none where there is no journal."""
    events, acknowledged = _read(path)
    return [event for event in events if event["seq"] > acknowledged]


def settle(path: str) -> None:
    """Acknowledge everything in the journal of a shim that is gone: it has been accounted for."""
    try:
        if unacknowledged(path):
            with open(path, "ab") as file:  # the torn line of a killed shim ends here
                file.write(b'\n{"ack":%d}\n' % _last_seq(path))
    except OSError:
        pass  # the next engine accounts for it once more


def _last_seq(path: str) -> int:
    events, acknowledged = _read(path)
    return max([acknowledged, *(int(event["seq"]) for event in events)])


def _read(path: str) -> tuple[list[Event], int]:
    events: list[Event] = []
    acknowledged = 0
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return [], 0
    for raw in lines:
        try:
            line = json.loads(raw)
        except ValueError:
            continue  # the torn last line of a shim that was killed
        if isinstance(line, dict) and isinstance(line.get("ack"), int):
            acknowledged = max(acknowledged, line["ack"])
        elif isinstance(line, dict) and isinstance(line.get("seq"), int):
            events.append(line)
    return events, acknowledged
