"""Writing tar archives, the same bytes for the same tree: ustar headers, pax records where ustar cannot say it.

pax(1). Stdlib only: it also runs in the children that copy out of containers.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.storage.tarball import BLOCK

END = b"\0" * (2 * BLOCK)
_TYPES = {
    stat.S_IFREG: b"0",
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
}
_OCTAL_SIZE = 1 << 33  # what eleven octal digits hold
_OCTAL_ID = 1 << 21


@dataclass(frozen=True, slots=True)
class Member:
    """What a header says. `mode` with its file type bits; `hard_link` = another name of an earlier entry.

    `mtime` in seconds. `link` is the target of a symbolic or hard link.
    """

    name: bytes
    mode: int
    size: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    link: bytes = b""
    hard_link: bool = False
    rdev: tuple[int, int] = (0, 0)
    xattrs: Mapping[str, bytes] = field(default_factory=dict)


def header(member: Member) -> bytes:
    """The blocks that go before the member's body."""
    name = member.name + (b"/" if stat.S_ISDIR(member.mode) and not member.name.endswith(b"/") else b"")
    records = _records(member, name)
    if not records:
        return _block(member, name)
    body = b"".join(_record(key, value) for key, value in sorted(records.items()))
    extension = Member(b"PaxHeaders.0/" + name.rstrip(b"/").rpartition(b"/")[2][:80], 0o644, len(body))
    return _block(extension, extension.name, flag=b"x") + body + padding(len(body)) + _block(member, name)


def padding(size: int) -> bytes:
    """The zeros that follow a body of `size` bytes."""
    return b"\0" * (-size % BLOCK)


def _records(member: Member, name: bytes) -> dict[bytes, bytes]:
    records = {
        b"SCHILY.xattr." + key.encode("utf-8", "surrogateescape"): value for key, value in member.xattrs.items()
    }
    if len(name) > 100 or not name.isascii():
        records[b"path"] = name
    if len(member.link) > 100 or not member.link.isascii():
        records[b"linkpath"] = member.link
    if member.size >= _OCTAL_SIZE:
        records[b"size"] = b"%d" % member.size
    if member.uid >= _OCTAL_ID:
        records[b"uid"] = b"%d" % member.uid
    if member.gid >= _OCTAL_ID:
        records[b"gid"] = b"%d" % member.gid
    if not 0 <= member.mtime < _OCTAL_SIZE:
        records[b"mtime"] = b"%d" % member.mtime
    return records


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3  # the space, `=` and the newline
    length = rest + len(str(rest))
    length = rest + len(str(length))  # its own digits count too
    return b"%d %s=%s\n" % (length, key, value)


def _block(member: Member, name: bytes, *, flag: bytes = b"") -> bytes:
    kind = flag or (b"1" if member.hard_link else _TYPES.get(stat.S_IFMT(member.mode), b"0"))
    block = bytearray(BLOCK)
    block[0:100] = name[:100].ljust(100, b"\0")
    block[100:108] = b"%07o\0" % (member.mode & 0o7777)
    block[108:116] = b"%07o\0" % (member.uid if member.uid < _OCTAL_ID else 0)
    block[116:124] = b"%07o\0" % (member.gid if member.gid < _OCTAL_ID else 0)
    block[124:136] = b"%011o\0" % (member.size if member.size < _OCTAL_SIZE else 0)
    block[136:148] = b"%011o\0" % (member.mtime if 0 <= member.mtime < _OCTAL_SIZE else 0)
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157:257] = member.link[:100].ljust(100, b"\0")
    block[257:265] = b"ustar\x0000"
    block[329:337] = b"%07o\0" % member.rdev[0]
    block[337:345] = b"%07o\0" % member.rdev[1]
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
