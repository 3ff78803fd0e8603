"""How far another process is, as somebody sees it who looks now and then."""

from __future__ import annotations

import asyncio
import os

import pytest

from core.images import transfer
from core.images.transfer import looked_at


async def test_what_another_process_writes_is_heard_as_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LOOK", 0.001)
    heard: list[int] = []
    async with asyncio.timeout(20), looked_at(heard.append) as fd:
        for number in (5, 1 << 40):
            os.pwrite(fd, number.to_bytes(8, "little"), 0)
            while number not in heard:  # noqa: ASYNC110 (what is tested looks now and then itself)
                await asyncio.sleep(0.001)
        os.pwrite(fd, (1 << 41).to_bytes(8, "little"), 0)  # and the process ends
    assert heard == [5, 1 << 40, 1 << 41]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


async def test_nothing_is_heard_that_goes_back_and_nothing_after_a_failure() -> None:
    heard: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        async with looked_at(heard.append) as fd:
            os.pwrite(fd, (7).to_bytes(8, "little"), 0)
            raise ValueError("broken")
    assert heard == []
