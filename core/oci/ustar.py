"""Headers of tar archives: ustar, and pax records where ustar cannot say it. pax(1), "ustar Interchange Format".

Loads next to nothing: short commands write archives too.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

BLOCK = 512  # bytes
END = bytes(2 * BLOCK)
FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_EXTENSION = b"x"
_OCTAL_SIZE = 1 << 33  # what eleven octal digits hold
_OCTAL_ID = 1 << 21
_NO_NAMES = bytes(64)  # of user and group
_NO_PREFIX = bytes(167)  # and what is left of the block


def header(
    kind: bytes,
    name: bytes,
    mode: int,
    *,
    size: int = 0,
    uid: int = 0,
    gid: int = 0,
    mtime: int = 0,
    link: bytes = b"",
    device: tuple[int, int] = (0, 0),
    xattrs: Mapping[str, bytes] | None = None,
) -> bytes:
    """The blocks that go before the member's body of `size` bytes. `mtime` in seconds since the epoch."""
    if kind == DIRECTORY and not name.endswith(b"/"):
        name += b"/"
    block = _block(kind, name, mode, size, uid, gid, mtime, link, device)
    plain = len(name) <= 100 and len(link) <= 100 and name.isascii() and link.isascii() and not xattrs
    if plain and size < _OCTAL_SIZE and max(uid, gid) < _OCTAL_ID and 0 <= mtime < _OCTAL_SIZE:
        return block
    body = _records(name, size, uid, gid, mtime, link, xattrs or {})
    own = b"PaxHeaders.0/" + name.rstrip(b"/").rpartition(b"/")[2][:80]
    return _block(_EXTENSION, own, 0o644, len(body), 0, 0, 0, b"", (0, 0)) + body + padding(len(body)) + block


def padding(size: int) -> bytes:
    """The zeros that follow a body of `size` bytes."""
    return bytes(-size % BLOCK)


def _records(
    name: bytes, size: int, uid: int, gid: int, mtime: int, link: bytes, xattrs: Mapping[str, bytes]
) -> bytes:
    records = {b"SCHILY.xattr." + key.encode("utf-8", "surrogateescape"): value for key, value in xattrs.items()}
    if len(name) > 100 or not name.isascii():
        records[b"path"] = name
    if len(link) > 100 or not link.isascii():
        records[b"linkpath"] = link
    if size >= _OCTAL_SIZE:
        records[b"size"] = b"%d" % size
    if uid >= _OCTAL_ID:
        records[b"uid"] = b"%d" % uid
    if gid >= _OCTAL_ID:
        records[b"gid"] = b"%d" % gid
    if not 0 <= mtime < _OCTAL_SIZE:
        records[b"mtime"] = b"%d" % mtime
    return b"".join(_record(key, value) for key, value in sorted(records.items()))


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3  # the space, `=` and the newline
    length = rest + len(str(rest))
    length = rest + len(str(length))  # its own digits count too
    return b"%d %s=%s\n" % (length, key, value)


def _block(
    kind: bytes, name: bytes, mode: int, size: int, uid: int, gid: int, mtime: int, link: bytes,
    device: tuple[int, int],
) -> bytes:  # fmt: skip
    head = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name[:100].ljust(100, b"\0"), mode & 0o7777, uid if uid < _OCTAL_ID else 0, gid if gid < _OCTAL_ID else 0,
        size if size < _OCTAL_SIZE else 0, mtime if 0 <= mtime < _OCTAL_SIZE else 0,
    )  # fmt: skip
    tail = b"%s%sustar\x0000%s%07o\0%07o\0%s" % (
        kind,
        link[:100].ljust(100, b"\0"),
        _NO_NAMES,
        device[0],
        device[1],
        _NO_PREFIX,
    )
    return b"%s%06o\0 %s" % (head, sum(head) + sum(tail) + 8 * 0x20, tail)
