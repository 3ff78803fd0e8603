"""The engine's housekeeping: removals that can be undone no more, and the clean-up policy."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass

from core.engine.pruning import Done, Item, Plan, Pruning, names
from core.engine.records import Records
from core.errors import EngineError
from core.images.policy import Disk, Leaving, Policy, leaving
from core.images.room import ImageRoom

log = logging.getLogger(__name__)

INTERVAL = 1800.0  # seconds between two looks at the policy
LONGEST = 600.0
GLANCE = 30.0  # seconds between two looks at the disk while something is kept that can be given up
COMMAND = "clean-up policy"


@dataclass(frozen=True, slots=True)
class Due:
    """What a policy would do now. `reclaimed` in bytes."""

    leaving: tuple[Leaving, ...]
    plan: Plan


class Cleaner:
    """Plans and carries out what the policy says. Nothing goes that a container was made from."""

    def __init__(self, room: ImageRoom, records: Records, pruning: Pruning) -> None:
        self._room = room
        self._records = records
        self._pruning = pruning
        self._looked = time.monotonic()

    @property
    def policy(self) -> Policy:
        """What is in force."""
        return self._room.uses.policy

    def set_policy(self, policy: Policy) -> None:
        """Put a policy in force. Raises InvalidArgument."""
        self._room.uses.policy = policy.checked()

    def due(self, policy: Policy) -> Due:
        """What `policy` would do now. Raises InvalidArgument."""
        images = self._room.store.all()
        in_use = {record.image_id for record in self._records.all()}
        size = self._room.snapshots.size
        sizes = {
            str(image.id): sum(size(name) for name in self._room.collector.released([image])) for image in images
        }
        found = leaving(
            policy.checked(),
            images,
            uses=self._room.uses,
            in_use=in_use,
            disk=self._disk(),
            sizes=sizes,
            now=time.time(),
        )
        items = tuple(Item(str(one.image.id), names(one.image), sizes[one.image.id]) for one in found)
        released = self._room.collector.released([one.image for one in found])
        return Due(tuple(found), Plan(images=items, reclaimed=sum(size(name) for name in released)))

    async def carry_out(self) -> Done:
        """Do what the policy in force says. What a full disk sends away cannot be had back: it needs the room."""
        due = self.due(self.policy)
        done = await self._pruning.carry_out(due.plan, command=COMMAND)
        if any(one.by_disk for one in due.leaving):
            for entry in self._room.journal.all():
                if entry.command == COMMAND:
                    self._room.journal.drop(entry)
            await self._room.collector.collect()
        return done

    async def watch(self) -> None:
        """Until cancelled: drop removals when their time is over, and look at the policy now and then."""
        self._room.uses.forget_all_but({image.id for image in self._room.store.all()})
        while True:
            await asyncio.sleep(self._pause())
            try:
                await self._round()
            except (EngineError, OSError) as error:
                log.error("clean up: %s", error)

    def _pause(self) -> float:
        expiry = self._room.journal.next_expiry()
        return LONGEST if expiry is None else min(max(expiry - time.time(), 1.0), GLANCE)

    async def _round(self) -> None:
        expiry = self._room.journal.next_expiry()
        if expiry is not None and expiry <= time.time():
            await self._room.collector.collect()
        await self._room.collector.make_room()  # containers may have filled the disk
        if self.policy.active and time.monotonic() - self._looked >= INTERVAL:
            self._looked = time.monotonic()
            done = await self.carry_out()
            if done.images:
                log.info("clean-up policy: %d bytes are free again", done.reclaimed)

    def _disk(self) -> Disk:
        found = os.statvfs(self._room.content.folder)
        return Disk(found.f_blocks * found.f_frsize, (found.f_blocks - found.f_bavail) * found.f_frsize)
