"""One probe of a health check: an exec whose output is kept and whose time is bounded."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Protocol

from core.engine.instances import Exec, Instances
from core.engine.parking import AttachOptions, Client
from core.errors import EngineError, NoSuchContainer, ShimGone, WrongState
from core.model.container import ContainerRecord, ExecConfig, Probe
from core.wire.codec import timestamp
from core.wire.streams import Unframer

OUTPUT_LIMIT = 4096  # bytes kept, Docker's
GRACE = 5.0  # seconds until a process that the shim has killed must be gone
FAILED = -1  # the exit code of a probe that did not run to its end


class Execs(Protocol):
    """The part of the exec instances that a probe needs."""

    def create(self, reference: str, config: ExecConfig) -> Exec: ...
    async def start(self, made: Exec, client: Client | None, *, limit: float = 0) -> None: ...

    @property
    def instances(self) -> Instances: ...


class Prober:
    """Runs probes."""

    def __init__(self, execs: Execs) -> None:
        self._execs = execs

    async def probe(self, record: ContainerRecord, command: tuple[str, ...], limit: float) -> Probe | None:
        """Run `command` in a container for `limit` seconds at most; None where the container has ended."""
        began = time.time_ns()
        output = _Output()
        try:
            code = await self._run(record, command, limit, output)
        except (WrongState, ShimGone, NoSuchContainer):
            return None
        except TimeoutError:
            said = output.text()
            text = f"Health check exceeded timeout ({_go(limit)})" + (f": {said}" if said else "")
            return Probe(timestamp(began), timestamp(time.time_ns()), FAILED, text)
        except EngineError as error:
            return Probe(timestamp(began), timestamp(time.time_ns()), FAILED, error.message)
        return Probe(timestamp(began), timestamp(time.time_ns()), code, output.text())

    async def _run(self, record: ContainerRecord, command: tuple[str, ...], limit: float, output: _Output) -> int:
        config = ExecConfig(cmd=command, user=record.config.user, attach_stdout=True, attach_stderr=True)
        made = self._execs.create(record.id, config)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        began = time.monotonic()
        try:
            options = AttachOptions(stdout=True, stderr=True, viewer=True)
            # The shim kills it when its time is over, even when no engine is there to do so.
            await self._execs.start(made, Client(theirs, options), limit=limit)
            async with asyncio.timeout(limit + GRACE):
                while not output.full and (piece := await asyncio.get_running_loop().sock_recv(ours, 65536)):
                    output.take(piece)
                await made.ended.wait()
        finally:
            ours.close()
            theirs.close()
            self._execs.instances.discard(made)
        if time.monotonic() - began >= limit:
            raise TimeoutError
        return made.exit_code if made.exit_code is not None else FAILED


class _Output:
    """The beginning of both streams, in the order they came."""

    def __init__(self) -> None:
        self._frames = Unframer()
        self._kept = bytearray()

    @property
    def full(self) -> bool:
        """Whether more would only be thrown away; the shim does that as well, for a viewer."""
        return len(self._kept) > OUTPUT_LIMIT

    def take(self, data: bytes) -> None:
        for _, piece in self._frames.feed(data):
            self._kept += piece[: OUTPUT_LIMIT + 1 - len(self._kept)]

    def text(self) -> str:
        return self._kept[:OUTPUT_LIMIT].decode("utf-8", "replace") + ("..." if self.full else "")


def _go(seconds: float) -> str:
    """A span of time as Go prints it."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest:g}s"
