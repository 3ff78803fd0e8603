"""Further programs in a running container: `exec`."""

from __future__ import annotations

import asyncio
import os
import secrets
import select
from typing import Protocol

from core.engine.announce import announce
from core.engine.events import Events
from core.engine.handing import give_streams
from core.engine.instances import Exec, Instances
from core.engine.keys import parse_detach_keys
from core.engine.parking import AttachOptions, Client
from core.engine.records import Records
from core.engine.tasks import Tasks
from core.errors import Conflict, EngineError, InitFailed, InvalidArgument, WrongState
from core.model.container import ContainerRecord, ExecConfig, Status
from core.oci.runtime import Process, encode

EXIT_PATIENCE = 1.0  # seconds between a process' end and the shim's word of it


class ProcessMaker(Protocol):
    """Makes the process of an exec from its container's configuration."""

    def __call__(self, record: ContainerRecord, config: ExecConfig) -> Process: ...


class Execs:
    """Make, start and attach to exec instances."""

    def __init__(self, records: Records, events: Events, process: ProcessMaker) -> None:
        self._records = records
        self._events = events
        self._process = process
        self.instances = Instances(records, events)
        self._tasks: Tasks | None = None

    def use(self, tasks: Tasks) -> None:
        """Where running containers are; comes after the tasks' observer, which needs the execs, is made."""
        self._tasks = tasks

    async def settled(self, ident: str) -> Exec:
        """The instance with this id; when its process is gone, only after the shim has told how.

        A client sees the end of the stream before we hear of the exit, and asks for the code at once.
        """
        made = self.instances.get(ident)
        if made.running and made.pid and not _lives(made.pid):
            try:
                async with asyncio.timeout(EXIT_PATIENCE):
                    await made.ended.wait()
            except TimeoutError:
                pass
        return made

    def create(self, reference: str, config: ExecConfig) -> Exec:
        """Make an instance. Raises WrongState when the container does not run."""
        record = self._records.get(reference)
        _check_running(record)
        if not config.cmd or not config.cmd[0]:
            raise InvalidArgument("No exec command specified")
        parse_detach_keys(config.detach_keys)
        made = Exec(secrets.token_hex(32), record.id, config, tty=config.tty)
        self.instances.add(made)
        announce(self._events, record, f"exec_create: {_command(config)}", execID=made.id)
        return made

    async def start(self, made: Exec, client: Client | None, *, viewer: bool = False, limit: float = 0) -> None:
        """Start an instance; `client` gets its streams. Raises Conflict, WrongState, InitFailed.

        After `limit` seconds its shim kills it; 0 = never.

        The client's socket is handed over, or left to the caller when this raises.
        """
        record = self._records.get(made.container_id)
        self.check_startable(made)
        assert self._tasks is not None
        task = self._tasks.get(record)
        made.started = made.running = True
        options = client.options if client else AttachOptions()
        announce(self._events, record, f"exec_start: {_command(made.config)}", execID=made.id)
        try:
            made.pid = await task.shim.exec(
                made.id,
                process=encode(self._process(record, made.config)),
                user=made.config.user or record.config.user,
                groups=list(record.host_config.group_add),
                tty=made.tty,
                stdin=options.stdin,
                detach_keys=options.detach_keys,
                viewer=options.viewer or viewer,
                early=client.early if client else b"",
                limit=limit,
                fd=client.sock.fileno() if client else None,
            )
        except EngineError as error:
            made.end(error.exit_code if isinstance(error, InitFailed) else 126)
            announce(self._events, record, "exec_die", execID=made.id, exitCode=str(made.exit_code))
            raise
        if client is not None:
            client.sock.close()

    def check_startable(self, made: Exec) -> None:
        """Raises Conflict or WrongState when an instance cannot be started now."""
        if made.started:
            raise Conflict(f"Error: Exec command {made.id} has already run")
        _check_running(self._records.get(made.container_id))

    async def resize(self, ident: str, *, height: int, width: int) -> None:
        """Change the size of an instance's terminal."""
        made = self.instances.get(ident)
        if not made.running:
            raise WrongState(f"exec {made.id} is not running")
        assert self._tasks is not None
        task = self._tasks.get(self._records.get(made.container_id))
        await task.shim.resize(height, width, exec_id=made.id)

    async def attach(self, made: Exec, client: Client) -> None:
        """Give a further client the streams of a running instance, and its socket away.

        The socket is left to the caller when this raises: WrongState, ShimGone, and InvalidArgument where an older
        shim cannot do it.
        """
        self.check_running(made)
        assert self._tasks is not None
        task = self._tasks.get(self._records.get(made.container_id))
        await give_streams(task, client, exec_id=made.id)
        client.sock.close()

    def check_running(self, made: Exec) -> None:
        """Raises WrongState when an instance has not begun, or has ended."""
        if not made.running:
            raise WrongState(f"exec {made.id} is not running")


def _lives(pid: int) -> bool:
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return not poll.poll(0)
    finally:
        os.close(fd)


def _check_running(record: ContainerRecord) -> None:
    if record.state.status is Status.PAUSED:
        raise Conflict(f"Container {record.id} is paused, unpause the container before exec")
    if record.state.status is not Status.RUNNING:
        raise WrongState(f"Container {record.id} is not running")


def _command(config: ExecConfig) -> str:
    return " ".join(config.cmd)
