"""The engine's end of a shim: requests as coroutines, events as an async iterator."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from typing import Any

from core.aio import Link
from core.errors import ShimGone, from_wire
from core.packets import Message
from core.shim.protocol import VERSION


class Shim:
    """One shim over its link. Every request raises ShimGone when the shim ends, else what the shim answers."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._number = 0
        self._answers: dict[int, asyncio.Future[tuple[Message, list[int]]]] = {}
        self._events: asyncio.Queue[Message | None] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while received := await self._link.receive():
                message, fds = received
                answer = self._answers.pop(message.get("re", 0), None)
                if answer is not None and not answer.done():
                    answer.set_result((message, fds))
                    continue
                _close_all(fds)
                if "event" in message:
                    self._events.put_nowait(message)
        except (OSError, ValueError):
            pass  # what cannot be read ends the link as its closing does
        finally:
            self._events.put_nowait(None)
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(ShimGone("the container's shim is gone"))
            self._answers.clear()
            self._link.close()

    async def events(self) -> AsyncIterator[Message]:
        """What happens, in order, until the shim ends or `close`. For one reader."""
        while (event := await self._events.get()) is not None:
            yield event

    async def _request(self, op: str, fds: Sequence[int] = (), **members: Any) -> tuple[Message, list[int]]:
        if self._reader.done():
            raise ShimGone("the container's shim is gone")
        self._number += 1
        number = self._number
        answer: asyncio.Future[tuple[Message, list[int]]] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            self._link.send({"op": op, "n": number} | members, fds)
            message, received = await answer
        except OSError as error:
            raise ShimGone("the container's shim is gone") from error
        finally:
            self._answers.pop(number, None)
        if "error" in message:
            _close_all(received)
            raise from_wire(message["error"])
        return message, received

    async def hello(self) -> Message:
        """Greet; the shim's state `{status, pid, started_at, exit_code, restart_count, execs, exec_details}`.

        Events that no engine has acknowledged follow on `events`. Raises InvalidArgument when the shim
        speaks another version.
        """
        message, _ = await self._request("hello", version=VERSION)
        state: Message = message["state"]
        return state

    async def attach(
        self,
        fd: int,
        *,
        stdin: bool = True,
        stdout: bool = True,
        stderr: bool = True,
        detach_keys: Sequence[int] | None = None,
        history: bool = False,
        viewer: bool = False,
        head: str = "",
        early: bytes = b"",
        exec_id: str | None = None,
    ) -> None:
        """Hand a client's socket over, for the container's streams or those of a running exec.

        The caller closes its own copy afterwards.
        """
        await self._request(
            "attach" if exec_id is None else "attach-exec",
            [fd],
            exec=exec_id,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            detach_keys=None if detach_keys is None else list(detach_keys),
            history=history,
            viewer=viewer,
            head=head,
            early=early.decode("latin-1"),
        )

    async def start(self, netns: int | None = None) -> Message:
        """Start the process, in the network namespace `netns`: `{pid, started_at}`. Raises InitFailed and the like.

        The caller closes its own copy of the descriptor.
        """
        return (await self._request("start", () if netns is None else (netns,)))[0]

    async def resize(self, height: int, width: int, *, exec_id: str | None = None) -> None:
        """Set the size of the container's terminal, or an exec's."""
        await self._request("resize", height=height, width=width, exec=exec_id)

    async def signal(self, number: int, *, final: bool = False) -> None:
        """Send a signal to the first process. `final`: the restart policy rests. Raises WrongState."""
        await self._request("signal", signal=number, final=final)

    async def exec(
        self,
        exec_id: str,
        *,
        process: Message,
        user: str = "",
        groups: Sequence[str] = (),
        tty: bool = False,
        stdin: bool = False,
        detach_keys: Sequence[int] | None = None,
        viewer: bool = False,
        early: bytes = b"",
        limit: float = 0,
        fd: int | None = None,
    ) -> int:
        """Run a further process (`process` is an OCI Process as JSON data); its pid on the host.

        `limit` > 0: it is killed, with its process group, after so many seconds.
        Raises InitFailed (126, 127 where the program is at fault) and WrongState.
        """
        message, _ = await self._request(
            "exec",
            [] if fd is None else [fd],
            exec=exec_id,
            process=process,
            user=user,
            groups=list(groups),
            tty=tty,
            stdin=stdin,
            detach_keys=None if detach_keys is None else list(detach_keys),
            viewer=viewer,
            early=early.decode("latin-1"),
            limit=limit,
        )
        return int(message["pid"])

    async def watch_log(self, on: bool) -> None:
        """Begin or end to get the event `log` when the log has grown."""
        await self._request("watch-log", on=on)

    async def update(self, restart: str, maximum: int = 0) -> None:
        """Set the restart policy."""
        await self._request("update", restart={"name": restart, "max": maximum})

    async def netns(self) -> int:
        """A descriptor of the network namespace, the caller's to close. Raises WrongState without one."""
        _, fds = await self._request("netns")
        _close_all(fds[1:])
        return fds[0]

    def ack(self, seq: int) -> None:
        """Everything up to event `seq` is stored; never raises."""
        try:
            self._link.send({"op": "ack", "seq": seq})
        except OSError:
            pass

    def hang_up(self) -> None:
        """Ask for nothing more. A shim that has started nothing ends, and with it `events`."""
        self._link.shut()

    def close(self) -> None:
        """End the link; the shim lives on. `events` ends."""
        self._reader.cancel()


async def connect(path: str) -> Shim:
    """The shim that listens at `path`. Raises ShimGone when there is none."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        # By descriptor, because the path of a socket is limited to 107 bytes. unix(7)
        directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sock.connect(f"/proc/self/fd/{directory}/{os.path.basename(path)}")
        finally:
            os.close(directory)
    except OSError as error:
        sock.close()
        raise ShimGone(f"no shim listens at {path}") from error
    return Shim(Link(sock))


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
