"""The bus of what happened: the last ones are kept, subscribers get the rest as it comes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

from core.errors import InvalidArgument
from core.model.events import Event

KEPT = 256  # as many as Docker keeps for `--since`
BACKLOG = 4096  # events a subscriber may lag behind before it is let go

FILTERS = frozenset(
    {"container", "daemon", "event", "image", "label", "network", "node", "plugin", "scope", "type", "volume"}
)


class Events:
    """Publish and subscribe on one loop."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._queues: set[asyncio.Queue[Event | None]] = set()
        self._heeding: list[Callable[[Event], None]] = []

    def watch(self, heed: Callable[[Event], None]) -> None:
        """Call `heed` with every event to come, before anybody else hears of it."""
        self._heeding.append(heed)

    def publish(self, kind: str, action: str, ident: str, attributes: Mapping[str, str] | None = None) -> Event:
        """Tell everybody that `action` happened to the `kind` named `ident`."""
        event = Event(kind, action, ident, dict(attributes or {}), time.time_ns())
        self._kept.append(event)
        for heed in self._heeding:
            heed(event)
        for queue in list(self._queues):
            if queue.qsize() >= BACKLOG:
                # A reader that does not read must not hold our memory: its stream ends, it can ask again.
                self._queues.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(event)
        return event

    def recent(self) -> tuple[Event, ...]:
        """The last events, oldest first."""
        return tuple(self._kept)

    async def stream(
        self, *, since: int = 0, until: int = 0, filters: Mapping[str, Sequence[str]] | None = None
    ) -> AsyncGenerator[Event, None]:
        """Events from `since` (when given, of those kept) to `until`, both in nanoseconds; 0 = not given."""
        wanted = filters or {}
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        past = [event for event in self._kept if since and event.time_ns >= since]
        self._queues.add(queue)
        try:
            for event in past:
                if (not until or event.time_ns <= until) and matches(event, wanted):
                    yield event
            while (left := _seconds_left(until)) is None or left > 0:
                try:
                    async with asyncio.timeout(left):
                        coming = await queue.get()
                except TimeoutError:
                    return
                if coming is None:
                    return
                if matches(coming, wanted):
                    yield coming
        finally:
            self._queues.discard(queue)


def _seconds_left(until: int) -> float | None:
    return (until - time.time_ns()) / 1e9 if until else None


def check_filters(filters: Mapping[str, Sequence[str]]) -> None:
    """Raises InvalidArgument for a filter that events do not have."""
    for name in filters:
        if name not in FILTERS:
            raise InvalidArgument(f"invalid filter '{name}'")


def matches(event: Event, filters: Mapping[str, Sequence[str]]) -> bool:
    """Whether `event` passes every filter; several values of one filter are alternatives."""
    return all(any(_matches(event, name, value) for value in values) for name, values in filters.items() if values)


def _matches(event: Event, name: str, value: str) -> bool:
    if name == "type":
        return event.type == value
    if name == "event":
        return event.action == value or event.action.partition(":")[0] == value
    if name == "scope":
        return value == "local"
    if name == "label":
        key, equals, wanted = value.partition("=")
        return key in event.attributes and (not equals or event.attributes[key] == wanted)
    if name == "image" and event.type == "container":
        return _same_image(event.attributes.get("image", ""), value)
    if name == "image":
        return event.type == "image" and value in (event.id, event.attributes.get("name"))
    if name in ("container", "network", "volume"):
        known = (event.id, event.attributes.get("name"), event.attributes.get(name))
        return event.type == name and (value in known or (len(value) >= 12 and event.id.startswith(value)))
    return False


def _same_image(have: str, wanted: str) -> bool:
    return have == wanted or have.rpartition(":")[0] == wanted or wanted.rpartition(":")[0] == have
