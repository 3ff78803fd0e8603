"""Filling a new volume from an image so that a crash leaves it empty or full, never in between.

    NAME/fill.new    being copied
    NAME/fill        copied and synced; its entries go into NAME/_data one rename after the other

Entries are moved and the folder is not, because a container may have that very folder mounted.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from core.storage.content import sync_directory


class Filling:
    """The filling of the volume whose files are in `data`. Blocks; raises OSError."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._new = data.with_name("fill.new")
        self._whole = data.with_name("fill")

    def settle(self) -> None:
        """Put in order what a crash has left: what was whole goes in, what was not goes away."""
        if self._whole.is_dir():
            self._move()
        if self._new.is_dir():
            shutil.rmtree(self._new)

    def begin(self) -> int | None:
        """A descriptor of the folder to fill; None where the volume has something in it."""
        self.settle()
        if any(self._data.iterdir()):
            return None
        before = self._data.stat()
        self._new.mkdir()
        self._new.chmod(before.st_mode & 0o7777)
        os.chown(self._new, before.st_uid, before.st_gid)
        return os.open(self._new, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def finish(self) -> None:
        """The folder holds everything, synced: it is the volume's from here on."""
        self._new.rename(self._whole)
        sync_directory(self._data.parent)
        self._move()

    def _move(self) -> None:
        for entry in list(self._whole.iterdir()):
            if not os.path.lexists(self._data / entry.name):  # what a container has written since is not undone
                entry.rename(self._data / entry.name)
        like = self._whole.stat()
        os.chown(self._data, like.st_uid, like.st_gid)
        self._data.chmod(like.st_mode & 0o7777)
        for name in os.listxattr(self._whole, follow_symlinks=False):
            if name.startswith(("user.", "system.posix_acl_")):
                os.setxattr(self._data, name, os.getxattr(self._whole, name))
        os.utime(self._data, ns=(like.st_atime_ns, like.st_mtime_ns))
        sync_directory(self._data)
        shutil.rmtree(self._whole)
