"""Records of a log file as our engine hands it over: Docker's json-file format, one record a line."""

from __future__ import annotations

import json
from typing import Final

from tui.logs import nanoseconds
from tui.logview.store import LogLine

_HEAD: Final = b'{"log":"'
# What stands between text and time, and how long it is with what follows, as our engine writes it.
_MIDDLES: Final = {b'","stream":"stdout","time":"': False, b'","stream":"stderr","time":"': True}
_MIDDLE: Final = 28
_TAIL: Final = 60
STAMP: Final = slice(_MIDDLE - _TAIL, -2)
"""Where the time stands in a record of ours."""


def is_ours(raw: bytes) -> bool:
    """Whether a record is laid out as our engine does it."""
    return raw[-_TAIL : _MIDDLE - _TAIL] in _MIDDLES


def text_of(raw: bytes) -> bytes:
    """The text of a record without its newline; a damaged record is its own text."""
    if raw[-_TAIL : _MIDDLE - _TAIL] in _MIDDLES:
        text = raw[len(_HEAD) : -_TAIL]
        if text.endswith(b"\\n"):
            text = text[:-2]
        plain = _unescaped(text)
        if plain is not None:
            return plain
    return _slow(raw, 0).data


def _unescaped(text: bytes) -> bytes | None:
    """A record's text with the usual escapes taken back; None where it has others, or is damaged."""
    if b"\\" not in text:
        return text if b'"' not in text else None
    if b"\\\\" in text or text.count(b'"') != text.count(b'\\"'):
        return None
    text = text.replace(b'\\"', b'"').replace(b"\\t", b"\t").replace(b"\\r", b"\r").replace(b"\\u001b", b"\x1b")
    return text if b"\\" not in text else None


def stamp_of(raw: bytes) -> bytes:
    """The time of a record as it is written: times compare as bytes. Empty where there is none."""
    if raw[-_TAIL : _MIDDLE - _TAIL] in _MIDDLES:
        return raw[_MIDDLE - _TAIL : -2]
    at = raw.rfind(b'"time":"')
    end = raw.find(b'"', at + 8)
    return raw[at + 8 : end] if 0 <= at < end else b""


def line_of(raw: bytes, source: int = 0) -> LogLine:
    """A record as a line."""
    error = _MIDDLES.get(raw[-_TAIL : _MIDDLE - _TAIL])
    if error is not None:
        text = raw[len(_HEAD) : -_TAIL].removesuffix(b"\\n")
        plain = _unescaped(text)
        if plain is not None:
            return LogLine(error, nanoseconds(raw[_MIDDLE - _TAIL : -2]), plain, source)
    return _slow(raw, source)


def _slow(raw: bytes, source: int) -> LogLine:
    try:
        record = json.loads(raw)
        text = record["log"].encode("utf-8", "replace").removesuffix(b"\n")
        return LogLine(record["stream"] == "stderr", nanoseconds(record["time"].encode()), text, source)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return LogLine(False, None, raw, source)
