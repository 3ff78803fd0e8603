"""Further programs in a running container: `exec`. Instances live in memory, as Docker's do."""

from __future__ import annotations

import asyncio
import os
import secrets
import select
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.engine.announce import announce
from core.engine.events import Events
from core.engine.keys import parse_detach_keys
from core.engine.parking import AttachOptions, Client
from core.engine.records import Records
from core.engine.tasks import Tasks
from core.errors import Conflict, EngineError, InitFailed, InvalidArgument, NoSuchExec, WrongState
from core.model.container import ContainerRecord, ExecConfig, Status
from core.oci.runtime import Process, encode

KEPT = 1024  # instances; a container may live for years and be asked for millions
EXIT_PATIENCE = 1.0  # seconds between a process' end and the shim's word of it


class ProcessMaker(Protocol):
    """Makes the process of an exec from its container's configuration."""

    def __call__(self, record: ContainerRecord, config: ExecConfig) -> Process: ...


@dataclass(slots=True)
class Exec:
    """One instance. `exit_code` is None until it has ended; `pid` 0 until it runs."""

    id: str
    container_id: str
    config: ExecConfig
    tty: bool = False
    started: bool = False
    running: bool = False
    pid: int = 0
    exit_code: int | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class Execs:
    """Make, start and look up exec instances; they go when their container stops."""

    def __init__(self, records: Records, events: Events, process: ProcessMaker) -> None:
        self._records = records
        self._events = events
        self._process = process
        self._execs: dict[str, Exec] = {}
        self._tasks: Tasks | None = None

    def use(self, tasks: Tasks) -> None:
        """Where running containers are; comes after the tasks' observer, which needs the execs, is made."""
        self._tasks = tasks

    def get(self, ident: str) -> Exec:
        """The instance with this id, or an unambiguous beginning of it. Raises NoSuchExec."""
        if ident in self._execs:
            return self._execs[ident]
        found = [item for name, item in self._execs.items() if name.startswith(ident)]
        if len(found) != 1:
            raise NoSuchExec(f"No such exec instance: {ident}")
        return found[0]

    async def settled(self, ident: str) -> Exec:
        """The same; when its process is gone, only after the shim has told how.

        A client sees the end of the stream before we hear of the exit, and asks for the code at once.
        """
        made = self.get(ident)
        if made.running and made.pid and not _lives(made.pid):
            try:
                async with asyncio.timeout(EXIT_PATIENCE):
                    await made.ended.wait()
            except TimeoutError:
                pass
        return made

    def of(self, container_id: str) -> list[str]:
        """The ids of the running instances of a container."""
        return [item.id for item in self._execs.values() if item.container_id == container_id and item.running]

    def create(self, reference: str, config: ExecConfig) -> Exec:
        """Make an instance. Raises WrongState when the container does not run."""
        record = self._records.get(reference)
        _check_running(record)
        if not config.cmd or not config.cmd[0]:
            raise InvalidArgument("No exec command specified")
        parse_detach_keys(config.detach_keys)
        made = Exec(secrets.token_hex(32), record.id, config, tty=config.tty)
        self._make_room()
        self._execs[made.id] = made
        announce(self._events, record, f"exec_create: {_command(config)}", execID=made.id)
        return made

    def _make_room(self) -> None:
        """Forget the oldest that do not run."""
        idle = [ident for ident, made in self._execs.items() if not made.running]
        for ident in idle[: max(0, len(self._execs) - KEPT + 1)]:
            del self._execs[ident]

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
            _end(made, error.exit_code if isinstance(error, InitFailed) else 126)
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
        made = self.get(ident)
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
        options = client.options
        await task.shim.attach(
            client.sock.fileno(),
            stdin=options.stdin,
            stdout=options.stdout,
            stderr=options.stderr,
            detach_keys=options.detach_keys,
            history=options.history,
            viewer=options.viewer,
            head=options.head,
            early=client.early,
            exec_id=made.id,
        )
        client.sock.close()

    def check_running(self, made: Exec) -> None:
        """Raises WrongState when an instance has not begun, or has ended."""
        if not made.running:
            raise WrongState(f"exec {made.id} is not running")

    def running(self, reference: str) -> list[Exec]:
        """The running instances of a container, whoever started them. Raises NoSuchContainer."""
        ident = self._records.get(reference).id
        return [made for made in self._execs.values() if made.container_id == ident and made.running]

    def adopt(self, container_id: str, running: dict[str, Any], details: dict[str, Any] | None = None) -> None:
        """Know the instances that run under a shim found again: their pids and what they are, by id."""
        for ident, pid in running.items():
            known = (details or {}).get(ident) or {}
            tty, stdin = bool(known.get("tty")), bool(known.get("stdin"))
            config = ExecConfig(
                cmd=tuple(map(str, known.get("args", ()))), user=str(known.get("user") or ""), tty=tty,
                attach_stdin=stdin, attach_stdout=True, attach_stderr=True,
            )  # fmt: skip
            self._execs[ident] = Exec(
                ident, container_id, config, tty=tty, started=True, running=True, pid=int(pid or 0)
            )

    def exited(self, container_id: str, exec_id: str, exit_code: int) -> None:
        """An instance ended. One that an engine before us made becomes known by it."""
        made = self._execs.get(exec_id)
        if made is None:
            made = self._execs[exec_id] = Exec(exec_id, container_id, ExecConfig(), started=True)
        _end(made, exit_code)
        record = self._records.find(container_id)
        if record is not None:
            announce(self._events, record, "exec_die", execID=exec_id, exitCode=str(exit_code))

    def all_exited(self, container_id: str) -> None:
        """The container stopped: instances that never ran go, the others keep their exit codes a while."""
        for ident, made in list(self._execs.items()):
            if made.container_id != container_id:
                continue
            if made.running:
                _end(made, 137)
            elif not made.started:
                del self._execs[ident]

    def discard(self, made: Exec) -> None:
        """Forget an instance that nobody can know of."""
        if not made.running:
            self._execs.pop(made.id, None)

    def forget(self, container_id: str) -> None:
        """The container is removed."""
        for ident in [ident for ident, made in self._execs.items() if made.container_id == container_id]:
            del self._execs[ident]


def _end(made: Exec, exit_code: int) -> None:
    made.running, made.pid, made.exit_code = False, 0, exit_code
    made.ended.set()


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
