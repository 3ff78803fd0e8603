"""Writing tar archives, the same bytes for the same tree: members of a file system. See `core.oci.ustar`.

Stdlib only: it also runs in the children that copy out of containers.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from core.oci import ustar
from core.oci.ustar import END, padding

__all__ = ["END", "Member", "header", "padding"]
_TYPES = {
    stat.S_IFREG: ustar.FILE,
    stat.S_IFLNK: ustar.SYMLINK,
    stat.S_IFCHR: ustar.CHARACTER,
    stat.S_IFBLK: ustar.BLOCK_DEVICE,
    stat.S_IFDIR: ustar.DIRECTORY,
    stat.S_IFIFO: ustar.FIFO,
}


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
    kind = ustar.HARD_LINK if member.hard_link else _TYPES.get(stat.S_IFMT(member.mode), ustar.FILE)
    name = member.name
    if stat.S_ISDIR(member.mode) and not name.endswith(b"/"):
        name += b"/"
    return ustar.header(
        kind,
        name,
        member.mode,
        size=member.size,
        uid=member.uid,
        gid=member.gid,
        mtime=member.mtime,
        link=member.link,
        device=member.rdev,
        xattrs=member.xattrs,
    )
