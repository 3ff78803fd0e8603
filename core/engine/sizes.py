"""Sizes: as people write them, and of folders."""

from __future__ import annotations

import os

from core.errors import InvalidArgument

_DIGITS = 18  # more do not fit into 64 bits


def tree_size(folder: str) -> int:
    """Bytes of the regular files below `folder`, each inode once; what vanishes meanwhile counts nothing."""
    total = 0
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        key = (status.st_dev, status.st_ino)
                        if key not in seen:
                            seen.add(key)
                            total += status.st_size
        except OSError:
            continue
    return total


def parse_size(text: str) -> int:
    """`10m`, `1g`, `512k` or plain bytes as bytes; 0 and -1 = no limit. Raises InvalidArgument."""
    text = text.strip().lower().removesuffix("b")
    scale = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:], 0)
    number = text[:-1] if scale else text
    if number == "-1":
        return 0
    if not number.isascii() or not number.isdigit() or len(number) > _DIGITS:
        raise InvalidArgument(f"invalid size: '{text[:80]}'")
    return int(number) * (scale or 1)
