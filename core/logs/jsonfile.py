"""One record a line: `{"log":"out\\n","stream":"stdout","time":"2026-11-23T18:10:57.279947561Z"}`.

Docker's json-file driver (moby daemon/logger/jsonfilelog, copier.go). A line longer than 16 KiB becomes
several records, and only the last of them ends with a newline. Encoding works on whole blocks, because a
container may write hundreds of megabytes a second and one `json.dumps` a line would hold it back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from json.encoder import encode_basestring
from typing import NamedTuple

from core.gzipped import Gzipped, Plain

RECORD_LIMIT = 16 * 1024  # Docker's copier buffer: a longer line is split here
_BLOCK = 64 * 1024
_LINE_LIMIT = 1024 * 1024  # six bytes an escaped byte of a record leave this far behind

_HEAD = b'{"log":"'
# Between text and time, and how long it is with what follows, in a record as `records` writes it.
_MIDDLES = {b'","stream":"%s","time":"' % name.encode(): name for name in ("stdout", "stderr")}
_MIDDLE, _TAIL = 28, 60
_QUOTES = 12  # of each record, besides those in its text

# Control bytes that have no cheap replacement below; tab, return, escape and NUL have one, newline is left.
_RARE = bytes(set(range(32)) - {0, 9, 10, 13, 27})


class Line(NamedTuple):
    """One record: `time` as written (RFC 3339, UTC), `end` = the offset behind it in its file."""

    stream: str
    time: str
    data: bytes
    end: int


def timestamp(ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 in UTC with nine digits."""
    seconds, fraction = divmod(ns, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}Z"


def escape(data: bytes) -> bytes:
    """`data` as the inside of a JSON string, but its newlines are left; bad UTF-8 becomes U+FFFD."""
    if not data.isascii():
        data = data.decode("utf-8", "replace").encode()
    if len(data.translate(None, _RARE)) != len(data):
        return b"\n".join(encode_basestring(line.decode())[1:-1].encode() for line in data.split(b"\n"))
    if b"\\" in data:
        data = data.replace(b"\\", b"\\\\")
    data = data.replace(b'"', b'\\"').replace(b"\r", b"\\r").replace(b"\t", b"\\t")
    return data.replace(b"\x1b", b"\\u001b").replace(b"\0", b"\\u0000")


def records(stream: str, escaped: bytes, stamp: str) -> bytes:
    """Text as `escape` leaves it as log records: one for each newline, and one for a rest without newline."""
    tail = b'","stream":"%s","time":"%s"}\n' % (stream.encode(), stamp.encode())
    between = b"\\n" + tail + _HEAD
    if escaped.endswith(b"\n"):
        return b"".join((_HEAD, escaped[:-1].replace(b"\n", between), b"\\n", tail))
    return b"".join((_HEAD, escaped.replace(b"\n", between), tail))


def parse(raw: bytes, end: int) -> Line | None:
    """The record in one line of a file; None where it is damaged."""
    stream = _MIDDLES.get(raw[-_TAIL : _MIDDLE - _TAIL])
    if stream is not None and raw.startswith(_HEAD):  # ours, and most often without escapes: ten times as fast
        text, stamp = raw[len(_HEAD) : -_TAIL], raw[_MIDDLE - _TAIL : -2]
        plain = text[:-2] if text.endswith(b"\\n") else text
        if b"\\" not in plain and b'"' not in plain and stamp.isascii() and b'"' not in stamp:
            return Line(stream, stamp.decode(), plain if plain is text else plain + b"\n", end)
    try:
        record = json.loads(raw)
        return Line(record["stream"], record["time"], record["log"].encode("utf-8", "replace"), end)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def unescaped(block: bytes) -> bytes | None:
    """Whole records with what `escape` made of quotes, tabs, returns and escapes taken back, all at once.

    Their ends are where they were, counted from each newline. None where a record is not ours, has other escapes,
    or is damaged.
    """
    if b"\\\\" in block or block.count(b'"') != _QUOTES * block.count(b"\n") + block.count(b'\\"'):
        return None
    block = block.replace(b'\\"', b'"').replace(b"\\t", b"\t").replace(b"\\r", b"\r").replace(b"\\u001b", b"\x1b")
    ends = block.count(b'\\n","stream":"')
    return block if block.count(b"\\") == ends else None


def tail(file: Plain | Gzipped, count: int) -> tuple[int, int]:
    """From where in `file` its last `count` records are read, and how many there are behind that.

    A torn last line is not one.
    """
    position = file.size
    found = -1  # the newline that ends the record before the first one wanted
    while position > 0:
        start = max(0, position - _BLOCK)
        block = file.pread(position - start, start)
        lines = block.count(b"\n")
        if found + lines < count:
            found += lines
            position = start
            continue
        at = len(block)
        for _ in range(count - found):
            at = block.rindex(b"\n", 0, at)
        return start + at + 1, count
    return 0, found + 1


def seek(file: Plain | Gzipped, since: str) -> int:
    """An offset in `file` at which a record begins, and before which all are older than `since` ("" = 0).

    Found by halving, so less than a block lies between it and the first record that is not older. Takes for
    granted that times ascend; where the clock was set back, records of the time before may be left out.
    """
    low, high = 0, file.size if since else 0
    while high - low > _BLOCK:
        middle = (low + high) // 2
        found = _record_behind(file, middle, high)
        if found is not None and found[1] < since:
            low = found[0]
        else:
            high = middle
    return low


def _record_behind(file: Plain | Gzipped, offset: int, end: int) -> tuple[int, str] | None:
    """Where the first whole record that begins behind `offset` begins, and its time; None = none before `end`."""
    held, start, begun = b"", offset, False
    while offset < end and (block := file.pread(_BLOCK, offset)):
        offset += len(block)
        lines = (held + block).split(b"\n")
        held = lines.pop()
        for raw in lines:
            line = parse(raw, 0) if begun else None
            if line is not None:
                return (start, line.time) if start < end else None
            start += len(raw) + 1
            begun = True
    return None


def read(
    file: Plain | Gzipped,
    offset: int = 0,
    *,
    since: str = "",
    until: str = "",
    streams: Collection[str] = ("stdout", "stderr"),
) -> Iterator[Line]:
    """The whole records of `file` from `offset` on, to the end the file has now.

    `since` and `until` are RFC 3339 texts in UTC as `timestamp` writes them (they compare as text), ""
    = no bound. Damaged lines are passed over, a torn last line is left for the next call. Raises OSError.
    """
    held = b""
    while block := file.pread(_BLOCK, offset + len(held)):
        block = held + block
        cut = block.rfind(b"\n") + 1
        block, held = block[:cut], block[cut:]
        for line in _parsed(block, offset):
            if line.stream not in streams or line.time < since:
                continue
            if until and line.time > until:
                return
            yield line
        offset += len(block)
        if len(held) > _LINE_LIMIT:
            offset += len(held)
            held = b""


def _parsed(block: bytes, offset: int) -> Iterator[Line]:
    """The records of whole lines that begin at `offset`."""
    quick = unescaped(block)
    raws = block.split(b"\n")
    raws.pop()
    if quick is None:
        for raw in raws:
            offset += len(raw) + 1
            line = parse(raw, offset)
            if line is not None:
                yield line
        return
    for raw, clean in zip(raws, quick.split(b"\n"), strict=False):
        offset += len(raw) + 1
        stream = _MIDDLES.get(clean[-_TAIL : _MIDDLE - _TAIL])
        if stream is None or not clean.startswith(_HEAD):
            line = parse(raw, offset)
            if line is not None:
                yield line
            continue
        text = clean[len(_HEAD) : -_TAIL]
        stamp = clean[_MIDDLE - _TAIL : -2].decode("ascii", "replace")
        yield Line(stream, stamp, text[:-2] + b"\n" if text.endswith(b"\\n") else text, offset)
