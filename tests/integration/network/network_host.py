"""The networks of one engine in a process of their own, so that they can live in a network namespace of a test's.

Started as `python network_host.py ROOT`; takes one JSON list `[method, arguments…]` a line and answers one JSON
object a line. Namespaces of attached containers stay open here, as a shim would hold them.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from core import packets
from core.errors import EngineError, to_wire
from core.linux.namespaces import make_netns
from core.model.container import ContainerConfig, ContainerRecord, Endpoint, HostConfig, PortBinding
from core.network.manager import Networks
from core.paths import Paths
from core.storage.db import Database


class Forker:
    """The zygote's one job that a network needs, done by the same function in a forked child; `done` counts."""

    def __init__(self) -> None:
        self.done = 0
        self.worked = asyncio.Event()

    async def run(
        self, job: str, args: dict[str, Any] | None = None, fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]:
        assert (job, args, list(fds)) == ("make-netns", {}, [])
        ours, theirs = packets.pair()
        child = os.fork()
        if child == 0:
            packets.send(theirs, {"ok": True}, make_netns())
            os._exit(0)
        theirs.close()
        answer = packets.receive(ours)
        ours.close()
        await asyncio.to_thread(os.waitpid, child, 0)
        assert answer is not None
        self.done += 1
        self.worked.set()
        return answer


class Host:
    """What a test may ask."""

    def __init__(self, root: str) -> None:
        paths = Paths(Path(root), Path(root))
        self.zygote = Forker()
        self.networks = Networks(Database(paths.database), paths, self.zygote)
        self.held: dict[str, int] = {}
        self.endpoints: dict[str, Endpoint] = {}

    async def start(self) -> dict[str, Any]:
        await self.networks.start()
        await self.networks.settled()
        return {"networks": msgspec.to_builtins(self.networks.networks()), "warnings": self.networks.warnings()}

    async def hurry(self, ident: str, ports: dict[str, list[list[str]]]) -> dict[str, Any]:
        """Start and attach in one breath."""
        await self.networks.start()
        return await self.attach(ident, "bridge", ports)

    async def ahead(self, wanted: int) -> dict[str, Any]:
        """Make ready for the next container; how many namespaces there have been, when it should be `wanted`."""
        self.networks.make_ahead()
        async with asyncio.timeout(60):
            while self.zygote.done < wanted:
                self.zygote.worked.clear()
                await self.zygote.worked.wait()
        return {"made": self.zygote.done}

    async def relieve(self, root: str, ident: str) -> dict[str, Any]:
        """As `readopt`, and the container ends in the same breath."""
        await self.networks.close()
        self.networks = Host(root).networks
        await self.networks.start()
        await self.networks.readopt([self._record(ident)])
        return await self.detach(ident)

    async def attach(self, ident: str, mode: str, ports: dict[str, list[list[str]]]) -> dict[str, Any]:
        asked = {port: tuple(PortBinding(*each) for each in bindings) for port, bindings in ports.items()}
        attached = await self.networks.attach(ident, mode=mode, ports=asked, hostname="web")
        await attached.connected()
        if attached.netns_fd is not None:
            self.held[ident] = attached.netns_fd
        self.endpoints[ident] = attached.endpoint
        netns = f"/proc/{os.getpid()}/fd/{attached.netns_fd}" if attached.netns_fd is not None else None
        return {"endpoint": msgspec.to_builtins(attached.endpoint), "netns": netns}

    async def detach(self, ident: str) -> dict[str, Any]:
        await self.networks.detach(ident)
        fd = self.held.pop(ident, None)
        if fd is not None:
            os.close(fd)
        return {}

    async def readopt(self, root: str, *idents: str) -> dict[str, Any]:
        """Go on as a new engine that finds these containers running; other namespaces stay open, too."""
        await self.networks.close()
        self.networks = Host(root).networks
        await self.networks.start()
        await self.networks.readopt([self._record(ident) for ident in idents])
        await self.networks.settled()
        return {"warnings": self.networks.warnings()}

    def _record(self, ident: str) -> ContainerRecord:
        return ContainerRecord(
            id=ident, name="web", created="", image_id="", image_reference="",
            config=ContainerConfig(), host_config=HostConfig(), endpoint=self.endpoints[ident],
        )  # fmt: skip


async def main() -> None:
    host = Host(sys.argv[1])
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        method, *arguments = json.loads(line)
        try:
            answer = await getattr(host, method)(*arguments)
        except EngineError as error:
            answer = {"error": to_wire(error)}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
