"""The exec instances that there are, as Docker keeps them: in memory, and a while longer than their processes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from core.engine.announce import announce
from core.engine.events import Events
from core.engine.records import Records
from core.errors import NoSuchExec
from core.model.container import ExecConfig

KEPT = 1024  # instances; a container may live for years and be asked for millions


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

    def end(self, exit_code: int) -> None:
        """Its process is gone, or never came to be."""
        self.running, self.pid, self.exit_code = False, 0, exit_code
        self.ended.set()


class Instances:
    """Look up, add and forget instances; shims tell when one ends."""

    def __init__(self, records: Records, events: Events) -> None:
        self._records = records
        self._events = events
        self._execs: dict[str, Exec] = {}

    def get(self, ident: str) -> Exec:
        """The instance with this id, or an unambiguous beginning of it. Raises NoSuchExec."""
        if ident in self._execs:
            return self._execs[ident]
        found = [item for name, item in self._execs.items() if name.startswith(ident)]
        if len(found) != 1:
            raise NoSuchExec(f"No such exec instance: {ident}")
        return found[0]

    def running(self, reference: str) -> list[Exec]:
        """The running instances of a container, whoever started them. Raises NoSuchContainer."""
        ident = self._records.get(reference).id
        return [made for made in self._execs.values() if made.container_id == ident and made.running]

    def add(self, made: Exec) -> None:
        """Know a new instance; the oldest that do not run make room for it."""
        idle = [ident for ident, known in self._execs.items() if not known.running]
        for ident in idle[: max(0, len(self._execs) - KEPT + 1)]:
            del self._execs[ident]
        self._execs[made.id] = made

    def discard(self, made: Exec) -> None:
        """Forget an instance that nobody can know of."""
        if not made.running:
            self._execs.pop(made.id, None)

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
        made.end(exit_code)
        record = self._records.find(container_id)
        if record is not None:
            announce(self._events, record, "exec_die", execID=exec_id, exitCode=str(exit_code))

    def all_exited(self, container_id: str) -> None:
        """The container stopped: instances that never ran go, the others keep their exit codes a while."""
        for ident, made in list(self._execs.items()):
            if made.container_id != container_id:
                continue
            if made.running:
                made.end(137)
            elif not made.started:
                del self._execs[ident]

    def forget(self, container_id: str) -> None:
        """The container is removed."""
        for ident in [ident for ident, made in self._execs.items() if made.container_id == container_id]:
            del self._execs[ident]
