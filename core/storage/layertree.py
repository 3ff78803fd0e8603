"""What a layer's directory holds, as entries: the other direction of `core.storage.apply`. Blocking."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidArgument

ENTRY_LIMIT = 1_000_000  # of all layers of one image together: they are kept in memory while they are compared
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "link",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "fifo",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One entry. `path` begins with a slash; `kind` is file, dir, link, hardlink, device, fifo or whiteout.

    `size` is bytes of a file's contents (0 for a hard link), `link` the target of a link or the path of the
    entry that a hard link shares its contents with, `opaque` a directory that hides all that is below.
    """

    path: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    link: str = ""
    opaque: bool = False


def entries(folder: Path) -> Iterator[Found]:
    """Everything below `folder`, a parent before what it holds, in the order of names. Raises OSError.

    A committed layer never changes, and links are not followed.
    """
    inodes: dict[int, str] = {}
    count = 0
    waiting = [(folder, "")]
    while waiting:
        place, shown = waiting.pop()
        folders = []
        with os.scandir(place) as scanned:
            children = sorted(scanned, key=lambda entry: entry.name)
        for child in children:
            count += 1
            if count > ENTRY_LIMIT:
                raise InvalidArgument(f"layer has more than {ENTRY_LIMIT} entries")
            found = _entry(child, f"{shown}/{child.name}", inodes)
            yield found
            if found.kind == "dir":
                folders.append((place / child.name, found.path))
        waiting += reversed(folders)


def _entry(child: os.DirEntry[str], path: str, inodes: dict[int, str]) -> Found:
    status = child.stat(follow_symlinks=False)
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "device")
    size, link, opaque = 0, "", False
    if kind == "file":
        size = status.st_size
    elif kind == "link":
        link = os.readlink(child.path)
    elif kind == "dir":
        opaque = is_opaque(child.path)
    elif kind == "device" and stat.S_ISCHR(status.st_mode) and not status.st_rdev:
        kind = "whiteout"
    if kind not in ("dir", "whiteout") and status.st_nlink > 1:
        first = inodes.setdefault(status.st_ino, path)
        if first != path:
            kind, size, link = "hardlink", 0, first
    return Found(path, kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, size, link, opaque)


def is_opaque(folder: str | Path) -> bool:
    """Whether overlayfs shows nothing of the layers below in this directory."""
    try:
        return os.getxattr(folder, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False
