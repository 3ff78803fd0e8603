"""Reading tar archives that may be hostile: ustar, pax and GNU long names, every part bounded.

tar(5), pax(1), GNU tar's manual. Python's tarfile reads whole long-name bodies into memory, has looped and
has let names escape; so headers are parsed here, and what they ask for is judged by whoever extracts.
Stdlib only and single-threaded: it also runs in the child that applies a layer.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from core.errors import BadArchive

BLOCK = 512
EXTENSION_LIMIT = 1 << 20  # bytes of one pax or long-name body
EXTENSIONS_IN_A_ROW = 16
PATH_LIMIT = 4096  # PATH_MAX
NAME_LIMIT = 255  # NAME_MAX
ENTRY_LIMIT = 2_000_000
_SIZE_LIMIT = 1 << 50
_XATTR = b"SCHILY.xattr."


class Kind(enum.Enum):
    """What an entry makes."""

    FILE = "file"
    LINK = "hard link"
    SYMLINK = "symbolic link"
    CHARACTER = "character device"
    BLOCK_DEVICE = "block device"
    DIRECTORY = "directory"
    FIFO = "fifo"


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.LINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER,
    b"4": Kind.BLOCK_DEVICE,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. Names and link targets are bytes as the archive has them; `offset` is where the body starts.

    `size` is bytes of body (0 for all kinds but FILE), `mode` the twelve permission bits, `mtime_ns`
    nanoseconds since the epoch, `xattrs` every `SCHILY.xattr.` record.
    """

    name: bytes
    kind: Kind
    size: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    link: bytes
    major: int
    minor: int
    xattrs: dict[str, bytes]
    offset: int


class Entries(Protocol):
    """A tar, or what stands between it and its reader. `body` is that of the entry given last."""

    def __iter__(self) -> Iterator[Entry]: ...
    def body(self) -> Iterator[bytes]: ...


class Source(Protocol):
    """Bytes in order; both give less than asked only at the end."""

    def read(self, count: int) -> bytes: ...
    def read_some(self, limit: int) -> bytes: ...
    def skip(self, count: int) -> int: ...


class TarReader:
    """Iterate over the entries of `source`; `body()` gives the present entry's bytes, once.

    Raises BadArchive where the archive is damaged, truncated or unreasonable.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0
        self._left = 0  # bytes of the present body not yet read
        self._padding = 0

    def __iter__(self) -> Iterator[Entry]:
        count = 0
        while (entry := self._next_entry()) is not None:
            count += 1
            if count > ENTRY_LIMIT:
                raise BadArchive(f"archive has more than {ENTRY_LIMIT} entries")
            yield entry

    def body(self) -> Iterator[bytes]:
        """The rest of the present entry's body in pieces."""
        while self._left:
            piece = self._source.read_some(self._left)
            if not piece:
                raise BadArchive("archive is truncated")
            self._left -= len(piece)
            self._position += len(piece)
            yield piece

    def _next_entry(self) -> Entry | None:
        pax: dict[bytes, bytes] = {}
        for _ in range(EXTENSIONS_IN_A_ROW):
            header = self._header()
            if header is None:
                if pax:
                    raise BadArchive("archive is truncated")
                return None
            flag, size = header[156:157], _number(header[124:136])
            if flag in b"xLK":
                pax |= self._extension(flag, size)
            elif flag == b"S":
                raise BadArchive("archive has sparse entries, which are not supported")
            elif flag in _KINDS:
                return self._entry(header, pax)
            else:  # global headers, volume labels, multi-volume marks: nothing of the tree
                self._begin_body(_sized(pax, size))
                pax = {}
        raise BadArchive("archive has too many extension headers in a row")

    def _header(self) -> bytes | None:
        self._finish_body()
        block = self._read(BLOCK)
        if not block:
            return None
        if len(block) < BLOCK:
            raise BadArchive("archive is truncated" if self._position > BLOCK else "not a tar archive")
        if not block.strip(b"\0"):
            return None
        if not _checksum_holds(block):
            raise BadArchive(
                "archive is damaged: bad header checksum" if self._position > BLOCK else "not a tar archive"
            )
        return block

    def _extension(self, flag: bytes, size: int) -> dict[bytes, bytes]:
        if size > EXTENSION_LIMIT:
            raise BadArchive(f"archive has an extension header of more than {EXTENSION_LIMIT} bytes")
        self._begin_body(size)
        body = b"".join(self.body())
        if flag == b"x":
            return _pax_records(body)
        return {b"path" if flag == b"L" else b"linkpath": body.partition(b"\0")[0]}

    def _entry(self, header: bytes, pax: dict[bytes, bytes]) -> Entry:
        if any(key.startswith(b"GNU.sparse.") for key in pax):
            raise BadArchive("archive has sparse entries, which are not supported")
        kind = _KINDS[header[156:157]]
        name = pax.get(b"path") or _name(header)
        if header[156:157] == b"\0" and name.endswith(b"/"):
            kind = Kind.DIRECTORY  # as tars from before POSIX say it
        size = _sized(pax, _number(header[124:136])) if kind is Kind.FILE else 0
        link = pax.get(b"linkpath") or _text(header[157:257])
        if b"\0" in name or b"\0" in link:
            raise BadArchive("archive has a name with a NUL byte")
        if len(name) > PATH_LIMIT or len(link) > PATH_LIMIT:
            raise BadArchive(f"archive has a name of more than {PATH_LIMIT} bytes")
        self._begin_body(size)
        return Entry(
            name=name,
            kind=kind,
            size=size,
            mode=_number(header[100:108]) & 0o7777,
            uid=_decimal(pax, b"uid", _number(header[108:116])),
            gid=_decimal(pax, b"gid", _number(header[116:124])),
            mtime_ns=_time(pax, header[136:148]),
            link=link,
            major=_number(header[329:337]),
            minor=_number(header[337:345]),
            xattrs={
                key[len(_XATTR) :].decode("utf-8", "surrogateescape"): value
                for key, value in pax.items()
                if key.startswith(_XATTR)
            },
            offset=self._position,
        )

    def _begin_body(self, size: int) -> None:
        self._left = size
        self._padding = -size % BLOCK

    def _finish_body(self) -> None:
        # The last padding is missing in what some writers make; the next header then finds the end.
        rest = self._left + self._padding
        skipped = self._source.skip(rest) if rest else 0
        if skipped < self._left:
            raise BadArchive("archive is truncated")
        self._position += skipped
        self._left = self._padding = 0

    def _read(self, count: int) -> bytes:
        data = self._source.read(count)
        self._position += len(data)
        return data


def components(name: bytes) -> tuple[bytes, ...]:
    """The parts of an entry's path, `.` and `..` resolved by their text alone; () = the root itself.

    Raises BadArchive for what leaves the root or has parts no file system takes.
    """
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise BadArchive(f"archive entry leaves the archive: {shown(name)}")
            parts.pop()
        elif part not in (b"", b"."):
            if len(part) > NAME_LIMIT:
                raise BadArchive(f"archive has a name of more than {NAME_LIMIT} bytes: {shown(part)}")
            parts.append(part)
    return tuple(parts)


def shown(name: bytes) -> str:
    """`name` for a message: one line, printable, at most 120 characters."""
    text = name.decode("utf-8", "replace")[:120]
    return "".join(char if char.isprintable() else "?" for char in text)


def _checksum_holds(block: bytes) -> bool:
    try:
        wanted = _number(block[148:156])
    except BadArchive:
        return False
    unsigned = sum(block) - sum(block[148:156]) + 8 * 32  # the field itself counts as spaces
    if wanted == unsigned:
        return True
    rest = block[:148] + block[156:]
    return wanted == unsigned - 256 * sum(byte > 127 for byte in rest)  # as some old tars computed it


def _number(field: bytes) -> int:
    """An octal field, or GNU's base 256 when the top bit is set. Negative and absurd numbers are refused."""
    if field[:1] and field[0] & 0x80:
        value = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40:
            value = -1
    else:
        digits = field.partition(b"\0")[0].strip(b" ")
        if digits.strip(b"01234567"):
            raise BadArchive("archive is damaged: bad number in a header")
        value = int(digits or b"0", 8)
    if not 0 <= value < _SIZE_LIMIT:
        raise BadArchive("archive has a header with a number out of range")
    return value


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _name(header: bytes) -> bytes:
    name, prefix = _text(header[:100]), b""
    if header[257:263] == b"ustar\0":  # GNU's own format keeps times where ustar has the prefix
        prefix = _text(header[345:500])
    return prefix + b"/" + name if prefix else name


def _pax_records(body: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(body):
        space = body.find(b" ", position, position + 8)
        digits = body[position:space] if space > 0 else b""
        if not digits.isdigit():
            if not body[position:].strip(b"\0"):
                break
            raise BadArchive("archive is damaged: bad pax record")
        end = position + int(digits)
        record = body[space + 1 : end]
        if end > len(body) or end <= space or not record.endswith(b"\n") or b"=" not in record:
            raise BadArchive("archive is damaged: bad pax record")
        key, _, value = record[:-1].partition(b"=")
        records[key] = value
        position = end
    return records


def _decimal(pax: dict[bytes, bytes], key: bytes, default: int) -> int:
    text = pax.get(key)
    if not text:
        return default
    if not text.isdigit() or len(text) > 18:
        raise BadArchive("archive is damaged: bad number in a pax record")
    value = int(text)
    if value >= _SIZE_LIMIT:
        raise BadArchive("archive has a header with a number out of range")
    return value


def _sized(pax: dict[bytes, bytes], default: int) -> int:
    return _decimal(pax, b"size", default)


def _time(pax: dict[bytes, bytes], field: bytes) -> int:
    """Nanoseconds; times before 1970 and after what file systems hold are moved to the nearest they do."""
    text = pax.get(b"mtime") or (b"-" if field[0] & 0xC0 == 0xC0 else str(_number(field)).encode())
    whole, _, fraction = text.partition(b".")
    if whole.startswith(b"-"):
        return 0
    if not whole.isdigit() or len(whole) > 18 or (fraction and not fraction.isdigit()):
        raise BadArchive("archive is damaged: bad time")
    nanoseconds = int(fraction[:9].ljust(9, b"0") or b"0")
    return min(int(whole), (1 << 33) - 1) * 1_000_000_000 + nanoseconds
