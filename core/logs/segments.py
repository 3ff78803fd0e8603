"""What a log is made of: segments `log.1`, `log.2`, … that keep their numbers, and `log`, a link to the last one.

Only the last one grows, and it is never written again once the next one is there. The others may become
`log.N.gz` (`core/gzipped.py`) and go, the oldest first. So a crash between any two steps leaves a log: each step is
one rename, one link or one unlink, and which segments there are is asked of the folder.
"""

from __future__ import annotations

import fcntl
import os

from core.gzipped import MOST, Gzipped, Plain, pack, readable

PACKED = ".gz"
_PART = ".part"


def name(path: str, number: int) -> str:
    """The segment with that number, not compressed."""
    return f"{path}.{number}"


def numbers(path: str) -> list[int]:
    """The numbers of the segments of the log at `path`, oldest first; empty where there is none."""
    return sorted(number for number, endings in _found(path).items() if endings != {_PART})


def _found(path: str) -> dict[int, set[str]]:
    """By number, the endings a segment has: "", `.gz`, `.part`."""
    folder, base = os.path.split(path)
    found: dict[int, set[str]] = {}
    try:
        entries = os.listdir(folder or ".")
    except FileNotFoundError:
        return found
    for entry in entries:
        if not entry.startswith(base + "."):
            continue
        number, dot, ending = entry[len(base) + 1 :].partition(".")
        if number.isascii() and number.isdigit() and dot + ending in ("", PACKED, _PART):
            found.setdefault(int(number), set()).add(dot + ending)
    return found


def newest(path: str) -> int:
    """The number of the segment that is written now, 0 where there is none."""
    try:
        number = int(os.readlink(path).rpartition(".")[2])
    except (OSError, ValueError):
        return max(_found(path), default=0)
    while os.path.exists(name(path, number + 1)):
        number += 1  # the link is set after the segment is made
    return number


def descriptor(path: str, number: int) -> int | None:
    """A segment open for reading, compressed or not; None where it is gone. Raises OSError."""
    for ending in ("", PACKED, ""):  # it may be compressed between two looks
        try:
            return os.open(name(path, number) + ending, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
    return None


def opened(path: str, number: int) -> Plain | Gzipped | None:
    """A segment to read, the caller's to close; None where it is gone. Raises OSError."""
    fd = descriptor(path, number)
    if fd is None:
        return None
    try:
        return readable(fd)
    except OSError:
        os.close(fd)
        raise


def create(path: str, number: int) -> int:
    """Make a segment and have the link show it: a descriptor to read and append. Raises OSError."""
    fd = os.open(name(path, number), os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    point(path, number)
    return fd


def point(path: str, number: int) -> None:
    """Let the link show that segment. Nothing depends on it: a failure is none."""
    target = name(os.path.basename(path), number)
    try:
        try:
            if os.readlink(path) == target:
                return
        except OSError:
            pass  # there is none
        _unlink(path + _PART)
        os.symlink(target, path + _PART)
        os.replace(path + _PART, path)
    except OSError:
        pass


def drop(path: str, last: int) -> None:
    """Remove the segments up to number `last`."""
    for number, endings in sorted(_found(path).items()):
        if number <= last:
            for ending in endings:
                _unlink(name(path, number) + ending)


def unpacked(path: str) -> list[int]:
    """The segments that wait to be compressed, oldest first."""
    found = _found(path)
    last = max(found, default=0)
    return sorted(number for number, endings in found.items() if number < last and "" in endings)


def pack_all(path: str) -> None:
    """Compress what waits to be; larger ones than `MOST` stay. For a process of its own, niced. Raises OSError.

    Two of them do not meet on a segment: the lock is on the file itself, flock(2).
    """
    for number in unpacked(path):
        plain = name(path, number)
        try:
            source = os.open(plain, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(source).st_nlink and os.fstat(source).st_size <= MOST:
                _exchange(plain, source)
        except BlockingIOError:
            pass
        finally:
            os.close(source)


def _exchange(plain: str, source: int) -> None:
    """Put the compressed one in its place."""
    part = plain + _PART
    try:
        if not os.path.exists(plain + PACKED):
            target = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
            try:
                pack(source, target)
            finally:
                os.close(target)
            os.rename(part, plain + PACKED)
        os.unlink(plain)
    except FileNotFoundError:
        _unlink(plain + PACKED)  # rotation has dropped it meanwhile
    except OSError:
        _unlink(part)
        raise


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
