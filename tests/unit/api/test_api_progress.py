"""Progress streams: what is said while nothing moves, and how they end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from core.api import progress
from core.api.progress import Report, progress_stream
from core.errors import EngineError
from core.model.events import Progress


async def lines(work: progress.Work, *, most: int = 99, quiet: bool = False) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    stream = progress_stream(work, quiet=quiet)
    async with asyncio.timeout(20):
        async for line in stream:
            found.append(json.loads(line))
            if len(found) == most:
                break
    await stream.aclose()
    return found


async def test_the_last_figure_is_said_again_while_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BEAT", 0.005)

    async def work(report: Report) -> Sequence[Mapping[str, Any]]:
        report(Progress("a", "Pushing", 3, 9))
        await asyncio.Event().wait()
        return []

    step = {"status": "Pushing", "id": "a", "progressDetail": {"current": 3, "total": 9}}
    assert await lines(work, most=4) == [step] * 4


async def test_words_are_said_once_and_an_error_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "BEAT", 0.001)

    async def work(report: Report) -> Sequence[Mapping[str, Any]]:
        report(Progress("a", "Pushing", 3, 9))
        report(Progress("a", "Pushed"))
        await asyncio.sleep(0.05)
        raise EngineError("no more")

    found = await lines(work)
    assert [line.get("status") for line in found] == ["Pushing", "Pushed", None]
    assert found[1] == {"status": "Pushed", "id": "a", "progressDetail": {}}
    assert found[-1] == {"error": "no more", "errorDetail": {"message": "no more"}}


async def test_quiet_has_no_steps() -> None:
    async def work(report: Report) -> Sequence[Mapping[str, Any]]:
        report(Progress("a", "Pushing", 3, 9))
        return [{"aux": 1}]

    assert await lines(work, quiet=True) == [{"aux": 1}]
