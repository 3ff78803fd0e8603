"""New objects lie side by side once the holes are filled."""

from __future__ import annotations

import gc

import pytest

from core.zygote.density import settle

_PAGE = 4096


@pytest.mark.parametrize("size", [64, 112, 256])
def test_new_objects_share_few_pages(size: int) -> None:
    holes = [bytes(size - 33) for _ in range(5000)]
    del holes[::2]  # every second block of a few hundred pages is free now
    try:
        filling = settle()
        made = [bytes(size - 33) for _ in range(50)]
        assert len({id(each) // _PAGE for each in made}) <= 2 + 50 * size // _PAGE
        assert filling
    finally:
        gc.unfreeze()
