"""A registry service that does what a test says, behind the real routes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from core.api import registry
from core.api.routing import Table
from core.api.server import Server
from core.engine.engine import Engine
from core.engine.events import Events
from core.engine.remote import RemoteActs
from core.errors import EngineError
from core.model.events import Progress
from core.model.registry import Credentials
from core.oci.digest import Digest
from core.oci.image import Descriptor, Platform
from core.oci.reference import Reference
from core.wire.hangup import Hangups

SAM = Credentials(username="sam", password="hunter2", server_address="r.test")
DIGEST = Digest("sha256:" + "ab" * 32)
MANIFEST = {"schemaVersion": 2, "config": {"size": 10}, "layers": [{"size": 300}, {"size": 5}, "x", {"size": -1}]}
Report = Callable[[Progress], None]


@dataclass
class Scripted:
    """Answers as it is told to, and notes what it was asked."""

    steps: list[Progress] = field(default_factory=list)
    failure: EngineError | None = None
    endless: bool = False
    new: bool = True
    asked: dict[str, Any] = field(default_factory=dict)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def _work(self, progress: Report) -> None:
        for step in self.steps:
            progress(step)
            await asyncio.sleep(0)
        if self.failure:
            raise self.failure
        self.begun.set()
        try:
            if self.endless:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def pull(self, reference: str, *, progress: Report, **rest: Any) -> list[Any]:
        self.asked = {"reference": reference, **rest}
        await self._work(progress)
        return [SimpleNamespace(new=self.new)]

    async def push(self, reference: str, *, progress: Report, **rest: Any) -> list[Any]:
        self.asked = {"reference": reference, **rest}
        await self._work(progress)
        return [SimpleNamespace(reference=Reference.parse("r.test/x:1"), digest=DIGEST, size=942)]

    async def login(self, server: str, credentials: Credentials) -> str | None:
        self.asked = {"server": server, "credentials": credentials}
        if self.failure:
            raise self.failure
        return None if server == "r.test" else "token"

    async def search(self, term: str, **rest: Any) -> list[Any]:
        self.asked = {"term": term, **rest}
        return [SimpleNamespace(name="x", description="d", star_count=3, is_official=True, is_automated=False)]

    async def manifest(self, reference: str, credentials: Credentials | None) -> tuple[Descriptor, bytes]:
        self.asked = {"reference": reference, "credentials": credentials}
        data = json.dumps(MANIFEST).encode()
        return Descriptor(media_type="application/x", digest=DIGEST, size=len(data)), data

    async def platforms(self, reference: str, credentials: Credentials | None) -> list[Platform]:
        return [Platform("linux", "arm64", "v8"), Platform()]

    async def catalog(self, server: str, credentials: Credentials | None) -> list[str]:
        return [server, "b"]

    async def tags(self, repository: str, credentials: Credentials | None) -> list[str]:
        return [repository]


def serving(service: Scripted, events: Events) -> Server:
    """A server of the routes that speak to registries, whose service is `service`."""
    engine = cast("Engine", SimpleNamespace(remote=RemoteActs(service, events)))
    return Server(engine, Table((*registry.ROUTES, registry.PULL)), Hangups())
