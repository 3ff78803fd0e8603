"""The daemon's end of the zygote: everything that needs a process of its own is asked for here."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from core import packets
from core.aio import Link
from core.errors import ZygoteGone, from_wire
from core.packets import Message


class Zygote:
    """The control socket. To be made on the running loop."""

    def __init__(self, control: socket.socket) -> None:
        self._control = Link(control)

    def _send(self, message: Message, fds: Sequence[int]) -> None:
        try:
            self._control.send(message, fds)
        except OSError as error:
            raise ZygoteGone("the engine's root process is gone") from error

    def _open(self, job: str, args: Message, fds: Sequence[int]) -> Link:
        ours, theirs = packets.pair()
        try:
            self._send({**args, "job": job}, [theirs.fileno(), *fds])
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return Link(ours)

    async def run(
        self, job: str, args: Message | None = None, fds: Sequence[int] = ()
    ) -> tuple[Message, list[int]]:
        """Have `job` done in a forked child: its answer and descriptors, the caller's to close.

        `fds` are copied. Raises the job's own error, or ZygoteGone when its process died.
        """
        link = self._open(job, args or {}, fds)
        try:
            received = await link.receive()
        finally:
            link.close()
        if received is None:
            raise ZygoteGone(f"the process for {job} died")
        answer, answer_fds = received
        if "error" in answer:
            for fd in answer_fds:
                os.close(fd)
            raise from_wire(answer["error"])
        return answer, answer_fds

    async def spawn_shim(self, config: dict[str, Any]) -> Link:
        """Fork a shim; its link, on which it waits for `start`. Raises ZygoteGone."""
        return self._open("shim", config, ())

    async def gone(self) -> None:
        """Return when the zygote is gone: the daemon has no reason to live on."""
        while await self._control.receive() is not None:
            pass

    def stop(self) -> None:
        """Ask the zygote to end the engine; containers live on. Raises ZygoteGone."""
        self._send({"stop": True}, ())

    def close(self) -> None:
        """Close the control socket; the zygote takes that for our end."""
        self._control.close()
