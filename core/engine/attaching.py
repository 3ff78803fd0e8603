"""Where an attach client goes: to the shim at once, or into the parking until the start."""

from __future__ import annotations

from core.engine.announce import announce
from core.engine.events import Events
from core.engine.handing import give_streams
from core.engine.parking import Client, Parking
from core.engine.records import Records
from core.engine.tasks import Tasks
from core.errors import Conflict, EngineError, ShimGone, WrongState
from core.model.container import ContainerRecord, Status


class Attaching:
    """Hands attach clients over."""

    def __init__(self, records: Records, events: Events, tasks: Tasks, parking: Parking) -> None:
        self._records = records
        self._events = events
        self._tasks = tasks
        self._parking = parking

    def check(self, reference: str) -> ContainerRecord:
        """The container to attach to. Raises NoSuchContainer, Conflict."""
        record = self._records.get(reference)
        if record.state.status is Status.PAUSED:
            raise Conflict(f"Container {reference} is paused, unpause the container before attach.")
        if record.state.status in (Status.REMOVING, Status.DEAD):
            raise Conflict(f"container {record.id} is marked for removal")
        return record

    def is_live(self, record: ContainerRecord) -> bool:
        """Whether a shim is there to attach to now."""
        task = self._tasks.find(record.id)
        return task is not None and not task.final

    async def attach(self, record: ContainerRecord, client: Client) -> None:
        """Give `client` its container's streams, now or when it starts; its socket is ours from here on.

        The socket is left to the caller when this raises, which it does only where the shim was to write the head:
        WrongState when the container has stopped meanwhile, and what the shim refuses.
        """
        announce(self._events, record, "attach")
        task = self._tasks.find(record.id)
        if task is None or task.final:
            if client.options.head:
                raise WrongState(f"Container {record.id} is not running")
            if self._records.find(record.id) is None:
                client.sock.close()  # removed while its client was being answered: it will never start
            else:
                self._parking.park(record.id, client)
            return
        try:
            await give_streams(task, client)
        except (EngineError, OSError) as error:
            if client.options.head and isinstance(error, ShimGone | OSError):
                raise WrongState(f"Container {record.id} is not running") from error
            if client.options.head:
                raise
        client.sock.close()
