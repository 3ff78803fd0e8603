"""What the CLI remembers of a container between its calls: ROOT/ID/state.json. runtime-spec runtime.md, "State"."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from core.errors import CorruptStore, InvalidArgument, NameInUse, NoSuchContainer

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+.-]{0,254}")
GATE = "gate.sock"
_LIMIT = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class State:
    """One container. `start_time` (clock ticks since boot) tells our process from a later one with its pid."""

    id: str
    bundle: str
    pid: int
    start_time: int
    cgroup: str
    annotations: dict[str, str] = field(default_factory=dict)
    started: bool = False

    @property
    def status(self) -> str:
        """The specification's word: created, running or stopped."""
        if process_start_time(self.pid) != self.start_time:
            return "stopped"
        return "running" if self.started else "created"

    def to_oci(self) -> dict[str, Any]:
        """The document that `state` prints."""
        status = self.status
        return {
            "ociVersion": "1.1.0",
            "id": self.id,
            "status": status,
            "pid": 0 if status == "stopped" else self.pid,
            "bundle": self.bundle,
            "annotations": self.annotations,
        }


def process_start_time(pid: int) -> int:
    """When a process began, in clock ticks since boot; 0 when it is gone or dead. proc_pid_stat(5)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in (b"Z", b"X") else int(fields[19])


class States:
    """The folder with one folder for each container."""

    def __init__(self, root: str) -> None:
        self._root = root

    def folder(self, ident: str) -> str:
        """Where a container's things lie. Raises InvalidArgument for an id that is none."""
        if not _ID.fullmatch(ident):
            raise InvalidArgument(f"invalid container id {ident[:80]!r}")
        return os.path.join(self._root, ident)

    def reserve(self, ident: str) -> str:
        """Make the folder of a new container. Raises NameInUse."""
        folder = self.folder(ident)
        try:
            os.makedirs(self._root, 0o700, exist_ok=True)
            os.mkdir(folder, 0o700)
        except FileExistsError:
            raise NameInUse(f"container with id {ident} exists already") from None
        return folder

    def store(self, state: State) -> None:
        """Write beside, then rename."""
        path = os.path.join(self.folder(state.id), "state.json")
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            json.dump(asdict(state), file)
        os.replace(f"{path}.new", path)

    def load(self, ident: str) -> State:
        """Raises NoSuchContainer, CorruptStore."""
        path = os.path.join(self.folder(ident), "state.json")
        try:
            with open(path, "rb") as file:
                return State(**json.loads(file.read(_LIMIT)))
        except FileNotFoundError:
            raise NoSuchContainer(f"container {ident} does not exist") from None
        except (ValueError, TypeError) as error:
            raise CorruptStore(f"read {path}: {error}") from error

    def mark_started(self, state: State) -> None:
        """Remember that it was let go."""
        self.store(replace(state, started=True))

    def remove(self, ident: str) -> None:
        """Forget a container."""
        shutil.rmtree(self.folder(ident), ignore_errors=True)
