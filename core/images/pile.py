"""The layers of one image on their way in: applied side by side, as they come, and stacked in their order.

What a layer's tar unpacks to does not depend on the layers below, so nothing waits for anything but a core.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from core.model.events import Progress
from core.oci.digest import Digest, chain_ids

if TYPE_CHECKING:
    from core.images.unpack import Source, Unpacker

Report = Callable[[Progress], None]
Stacked = Callable[[Digest], None]


class Pile:
    """`put` each layer, bottom first; `size` waits for all. Leaving it drops what is not stacked yet.

    `stacked` hears the diffID of each layer that is done.
    """

    def __init__(
        self,
        unpacker: Unpacker,
        diff_ids: Sequence[Digest],
        *,
        label: str,
        report: Report,
        stacked: Stacked = lambda diff_id: None,
    ) -> None:
        self._unpacker = unpacker
        self._diff_ids = tuple(diff_ids)
        self._chain = chain_ids(self._diff_ids)
        self._label = label
        self._report = report
        self._stacked = stacked
        self._layers: list[asyncio.Task[None]] = []

    async def put(self, source: Source) -> None:
        """The next layer is there. Raises BadArchive where an earlier one is no good."""
        number = len(self._layers)
        before = self._layers[-1] if self._layers else None
        self._layers.append(asyncio.create_task(self._bring_in(number, source, before)))
        await asyncio.sleep(0)
        for task in self._layers:
            if task.done():
                task.result()

    async def size(self) -> int:
        """Bytes of all layers when unpacked, once all are stacked. Raises BadArchive, OSError."""
        for task in self._layers:
            await asyncio.wait([task])
            task.result()
        return sum(self._unpacker.unpacked_size(name) for name in self._chain)

    async def _bring_in(self, number: int, source: Source, before: asyncio.Task[None] | None) -> None:
        diff_id, name = self._diff_ids[number], self._chain[number]
        label = f"layer {number + 1} of {self._label}"
        if self._unpacker.stands(name):
            if self._unpacker.known(diff_id) is None:
                await self._unpacker.verify(diff_id, name, source, label)
            return
        async with self._unpacker.slots:
            applied = await self._unpacker.apply(source, label, self._advance(diff_id, source))
        try:
            if before is not None:
                await asyncio.wait([before])  # not the task itself: cancelling us must not cancel it
                before.result()
        except BaseException:
            await self._unpacker.drop(applied)
            raise
        await self._unpacker.check(applied, diff_id, label)
        await self._unpacker.stack(applied, source, name, self._chain[number - 1] if number else None)
        self._stacked(diff_id)

    def _advance(self, diff_id: Digest, source: Source) -> Callable[[int], None]:
        """Tells of a layer on its way; what is read from an archive now is *loaded*, as Docker calls it."""
        status = "Unpacking layer" if isinstance(source, Digest) else "Loading layer"
        total = self._unpacker.size(source)

        def advance(current: int) -> None:
            self._report(Progress(id=diff_id.hex[:12], status=status, current=min(current, total), total=total))

        advance(0)
        return advance

    async def __aenter__(self) -> Pile:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._layers:
            task.cancel()
        await asyncio.gather(*self._layers, return_exceptions=True)
