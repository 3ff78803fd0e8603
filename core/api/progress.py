"""Long work as Docker's progress stream: JSON lines, and a failure as the last of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from core.errors import EngineError
from core.model.events import Progress
from core.wire.codec import json_line, one_line, progress_json

BEAT = 1.0  # seconds without a word after which the last figure is said again: a client sees that it stands still

Report = Callable[[Progress], None]
Work = Callable[[Report], Awaitable[Sequence[Mapping[str, Any]]]]


async def progress_stream(work: Work, *, quiet: bool, held: bool = False) -> AsyncGenerator[bytes, None]:
    """Lines of what `work` reports, unless `quiet`, then the lines it returns. Closing it cancels the work.

    `held`: what fails before there is any line is raised, for a `Stream` that is `held` too. While nothing moves,
    the last figure is said once a second.
    """
    queue: asyncio.Queue[Progress | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def report(step: Progress) -> None:
        # Work off the loop reports too.
        if not quiet:
            loop.call_soon_threadsafe(queue.put_nowait, step)

    task = asyncio.create_task(_run(work, report))
    task.add_done_callback(lambda _: loop.call_soon(queue.put_nowait, None))
    begun, last = False, None
    try:
        while True:
            try:
                step = await asyncio.wait_for(queue.get(), BEAT if last else None)
            except TimeoutError:
                step = last
            if step is None:
                break
            begun, last = True, step if step.current else None
            yield json_line(progress_json(step))
        try:
            for line in await task:
                yield json_line(line)
        except EngineError as error:
            if held and not begun:
                raise
            message = one_line(error.message)
            yield json_line({"errorDetail": {"message": message}, "error": message})
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _run(work: Work, report: Report) -> Sequence[Mapping[str, Any]]:
    return await work(report)
