"""Makes what a child allocates lie close together, so that it copies few pages of what it shares with us.

CPython hands out the block of its size that was freed last, wherever that lies: the few hundred small objects of
a new process are then strewn over as many pages, each of which is copied for it. Here every such hole is filled
once, for ever, before the first fork; from then on new objects lie side by side in fresh pools. Objects/obmalloc.c.
"""

from __future__ import annotations

import gc

_POOL = 16 * 1024  # bytes; a pool holds blocks of one size, behind a header
_HEADER = 48
_STEP = 16
_LARGEST = 512  # bytes; what is larger comes from malloc
_RUN = 4  # blocks in a row, from a pool's first one, that say that it is a fresh one
_PATIENCE = 20_000  # blocks of one size; there are far fewer holes


def settle() -> list[object]:
    """Collect, fill the holes and keep all that lives out of later collections; the filling, to be kept alive."""
    gc.collect()
    filling: list[object] = []
    for size in range(_STEP, _LARGEST + 1, _STEP):
        _fill(size, filling)
    gc.freeze()
    return filling


def _fill(size: int, filling: list[object]) -> None:
    run, last = 0, 0
    for _ in range(_PATIENCE):
        block = _block(size)
        address = id(block)
        if address == last + size and run:
            run += 1
        else:
            run = int(address % _POOL == _HEADER)
        last = address
        filling.append(block)
        if run == _RUN:
            return


def _block(size: int) -> object:
    """An object that takes exactly one block of this size and refers to nothing."""
    if size > 32:
        return bytes(size - 33)
    return object() if size == 16 else float(size)
