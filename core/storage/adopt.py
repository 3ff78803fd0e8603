"""An upper directory on its way to being a layer's directory, where it lies: nothing is unpacked a second time.

What overlayfs writes and what a layer's directory holds (compare `core.storage.apply`) differ in little: whole
seconds, no attribute that a layer may not set but `opaque`, and nothing that the layer's tar leaves out. That is
put right entry by entry, behind the tar that is written of it. Stdlib and `core.linux` only.
"""

from __future__ import annotations

import os
import stat

from core.storage.apply import keeps_xattr
from core.storage.tree import remove_tree
from core.storage.upper import OPAQUE, Entry, is_whiteout

_OVERLAY = "trusted.overlay."
_NANO = 10**9


class Adopter:
    """Puts the entries of the directory `root_fd` right, each after it was written to the tar.

    `newest` = no time is later, in seconds since the epoch. Changes the working directory of this process: no
    system call names an attribute from a descriptor on.
    """

    def __init__(self, root_fd: int, newest: int | None) -> None:
        self._root = root_fd
        self._newest = newest
        self._folders: list[tuple[bytes, int]] = []  # times are set last: what is taken out changes them
        self._touched: set[bytes] = set()  # directories out of which something was taken

    def keep(self, entry: Entry) -> None:
        """It is in the layer."""
        if is_whiteout(entry.found):
            return  # all of them are one inode, of which nothing is looked at
        os.fchdir(entry.folder)
        self._strip(entry)
        found = entry.found
        moment = self._moment(found)
        if entry.is_directory:
            if moment != found.st_mtime_ns:
                self._touched.add(entry.path)
            self._folders.append((entry.path, moment))
        elif moment != found.st_mtime_ns:
            os.utime(entry.leaf, ns=(moment, moment), follow_symlinks=False)

    def drop(self, entry: Entry) -> None:
        """It is not in the layer, and goes with all it holds."""
        remove_tree(entry.folder, os.fsdecode(entry.leaf))
        self._touched.add(entry.path.rpartition(b"/")[0])

    def end(self) -> None:
        """Set the times of the directories. Raises OSError."""
        os.fchdir(self._root)
        for path, moment in self._folders:
            if path in self._touched:
                os.utime(path, ns=(moment, moment), follow_symlinks=False)

    def _moment(self, found: os.stat_result) -> int:
        """What the tar says of its time: see `core.storage.walk`."""
        seconds = max(found.st_mtime_ns // _NANO, 0)
        return (seconds if self._newest is None else min(seconds, self._newest)) * _NANO

    def _strip(self, entry: Entry) -> None:
        for name in os.listxattr(entry.leaf, follow_symlinks=False):
            if keeps_xattr(name) and not stat.S_ISLNK(entry.found.st_mode):
                continue
            if name == OPAQUE and entry.opaque:
                continue
            try:
                os.removexattr(entry.leaf, name, follow_symlinks=False)
            except OSError:
                if name.startswith(_OVERLAY):
                    raise  # else a security module's own, which a new file would have too


def empty(folder: int) -> None:
    """Remove what the directory `folder` holds, and close it: overlayfs's work, which nobody mounts any more."""
    try:
        for name in os.listdir(folder):
            remove_tree(folder, name)
    finally:
        os.close(folder)
