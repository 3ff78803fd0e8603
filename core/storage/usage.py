"""How much a folder holds."""

from __future__ import annotations

import os


def tree_size(folder: str | os.PathLike[str]) -> int:
    """Bytes of all that is below `folder` but the folders themselves, each inode once. Blocking.

    A container may be changing the tree meanwhile: what vanishes counts nothing.
    """
    total = 0
    seen: set[tuple[int, int]] = set()
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += _once(entry, seen)
        except OSError:
            continue
    return total


def _once(entry: os.DirEntry[str], seen: set[tuple[int, int]]) -> int:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return 0
    key = (status.st_dev, status.st_ino)
    if key in seen:
        return 0
    if status.st_nlink > 1:
        seen.add(key)
    return status.st_size
