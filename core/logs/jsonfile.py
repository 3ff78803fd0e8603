"""One record a line: `{"log":"out\\n","stream":"stdout","time":"2026-11-23T18:10:57.279947561Z"}`.

Docker's json-file driver (moby daemon/logger/jsonfilelog, copier.go). A line longer than 16 KiB becomes
several records, and only the last of them ends with a newline. Encoding works on whole blocks, because a
container may write hundreds of megabytes a second and one `json.dumps` a line would hold it back.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring

from core.gzipped import Gzipped, Plain

RECORD_LIMIT = 16 * 1024  # Docker's copier buffer: a longer line is split here
_BLOCK = 64 * 1024
_LINE_LIMIT = 1024 * 1024  # six bytes an escaped byte of a record leave this far behind

_HEAD = b'{"log":"'
# Between text and time, and how long it is with what follows, in a record as `records` writes it.
_MIDDLES = {b'","stream":"%s","time":"' % name.encode(): name for name in ("stdout", "stderr")}
_MIDDLE, _TAIL = 28, 60

# Control bytes that have no cheap replacement below; newline, tab, return, escape and NUL have one.
_RARE = bytes(set(range(32)) - {0, 9, 10, 13, 27})


@dataclass(frozen=True, slots=True)
class Line:
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
    """`data` as the inside of a JSON string, newlines as the two bytes `\\n`; bad UTF-8 becomes U+FFFD.

    A backslash in `data` becomes `\\u005c`, so that the bytes `\\n` in the result always are a newline.
    """
    if not data.isascii():
        data = data.decode("utf-8", "replace").encode()
    if len(data.translate(None, _RARE)) != len(data):
        return encode_basestring(data.decode())[1:-1].replace("\\\\", "\\u005c").encode()
    data = data.replace(b"\\", b"\\u005c").replace(b'"', b'\\"').replace(b"\r", b"\\r").replace(b"\t", b"\\t")
    return data.replace(b"\x1b", b"\\u001b").replace(b"\0", b"\\u0000").replace(b"\n", b"\\n")


def records(stream: str, escaped: bytes, stamp: str) -> bytes:
    """Escaped text as log records: one for each newline in it, and one for a rest without newline."""
    tail = b'","stream":"%s","time":"%s"}\n' % (stream.encode(), stamp.encode())
    body = b'{"log":"' + escaped.replace(b"\\n", b"\\n" + tail + b'{"log":"')
    if escaped.endswith(b"\\n"):
        return body[: -len(b'{"log":"')]
    return body + tail


def parse(raw: bytes, end: int) -> Line | None:
    """The record in one line of a file; None where it is damaged."""
    stream = _MIDDLES.get(raw[-_TAIL : _MIDDLE - _TAIL])
    if stream is not None and raw.startswith(_HEAD):  # ours, and most often without escapes: four times as fast
        text, stamp = raw[len(_HEAD) : -_TAIL], raw[_MIDDLE - _TAIL : -2]
        plain = text[:-2] if text.endswith(b"\\n") else text
        if b"\\" not in plain and b'"' not in plain and stamp.isascii() and b'"' not in stamp:
            return Line(stream, stamp.decode(), plain if plain is text else plain + b"\n", end)
    try:
        record = json.loads(raw)
        return Line(record["stream"], record["time"], record["log"].encode("utf-8", "replace"), end)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


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
        lines = (held + block).split(b"\n")
        held = lines.pop()
        for raw in lines:
            offset += len(raw) + 1
            line = parse(raw, offset)
            if line is None or line.stream not in streams or line.time < since:
                continue
            if until and line.time > until:
                return
            yield line
        if len(held) > _LINE_LIMIT:
            offset += len(held)
            held = b""
