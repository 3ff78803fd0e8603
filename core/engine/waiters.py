"""Who waits for a container, and for what. `POST /containers/{id}/wait`."""

from __future__ import annotations

import asyncio
import enum
from collections import defaultdict

from core.errors import InvalidArgument
from core.model.container import ContainerRecord


class Condition(enum.StrEnum):
    """What to wait for."""

    NOT_RUNNING = "not-running"
    NEXT_EXIT = "next-exit"
    REMOVED = "removed"

    @classmethod
    def parse(cls, text: str) -> Condition:
        """ "" = not-running. Raises InvalidArgument."""
        try:
            return cls(text or "not-running")
        except ValueError as error:
            raise InvalidArgument(f'invalid condition: "{text}"') from error


REMEMBERED = 256  # removed containers whose exit code can still be asked for


class Waiters:
    """Futures that are settled with a container's exit code.

    A container that removed itself while no engine ran is gone before its client can ask the next engine, so the
    codes of the last removed ones are kept a while.
    """

    def __init__(self) -> None:
        self._gone: dict[str, int] = {}
        self._waiting: defaultdict[str, list[tuple[Condition, asyncio.Future[int]]]] = defaultdict(list)

    def wait(self, record: ContainerRecord, condition: Condition) -> asyncio.Future[int]:
        """A future with the exit code once `condition` holds; it may hold already."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if condition is Condition.NOT_RUNNING and not record.running:
            future.set_result(record.state.exit_code)
            return future
        entry = (condition, future)
        self._waiting[record.id].append(entry)
        future.add_done_callback(lambda _: self._forget(record.id, entry))
        return future

    def _forget(self, ident: str, entry: tuple[Condition, asyncio.Future[int]]) -> None:
        entries = self._waiting.get(ident, [])
        if entry in entries:
            entries.remove(entry)
        if not entries:
            self._waiting.pop(ident, None)

    def exited(self, ident: str, exit_code: int, *, for_good: bool) -> None:
        """The container's process ended; `for_good` = its restart policy does not start it again."""
        reached = {Condition.NEXT_EXIT, Condition.NOT_RUNNING} if for_good else {Condition.NEXT_EXIT}
        self._settle(ident, reached, exit_code)

    def gone(self, ident: str) -> asyncio.Future[int] | None:
        """A settled future for a container that was removed lately, by its whole id; else None."""
        if ident not in self._gone:
            return None
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_result(self._gone[ident])
        return future

    def removed(self, ident: str, exit_code: int) -> None:
        """The container is gone, and with it everything one could wait for."""
        self._gone[ident] = exit_code
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]
        self._settle(ident, set(Condition), exit_code)

    def returned(self, ident: str) -> None:
        """A container that was removed is there again."""
        self._gone.pop(ident, None)

    def _settle(self, ident: str, reached: set[Condition], exit_code: int) -> None:
        for condition, future in list(self._waiting.get(ident, ())):
            if condition in reached and not future.done():
                future.set_result(exit_code)
