"""Contents written with holes where they are zeros: a sparse file that went through a tar takes no disk again."""

from __future__ import annotations

import os
from collections.abc import Iterable

_ZEROS = bytes(1 << 20)
_LEAST = 4096  # bytes; a shorter hole spares no block


def write_sparse(fd: int, pieces: Iterable[bytes]) -> None:
    """Write `pieces` one behind the other from where `fd` is, an empty file. Raises OSError."""
    hole = False
    for piece in pieces:
        hole = len(piece) >= _LEAST and _ZEROS.startswith(piece)  # decided by the first other byte
        if hole:
            os.lseek(fd, len(piece), os.SEEK_CUR)
            continue
        view = memoryview(piece)
        while view:
            view = view[os.write(fd, view) :]
    if hole:
        os.ftruncate(fd, os.lseek(fd, 0, os.SEEK_CUR))
