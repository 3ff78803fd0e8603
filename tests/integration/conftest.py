"""Whole engines for tests: the real processes in folders of their own, in a network namespace of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.client import spawn
from core.client.transport import Client
from core.errors import EngineError, EngineUnreachable
from core.paths import Paths
from tests.support.images import busybox_archive

PATIENCE = 60.0  # seconds for what takes milliseconds on a machine that has time


@dataclass
class EngineUnderTest:
    """One engine: its folders, its namespace and a client of it."""

    paths: Paths
    netns: str
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.host)

    @property
    def host(self) -> str:
        return f"unix://{self.paths.socket}"

    @property
    def environment(self) -> dict[str, str]:
        """What a command line client needs to find this engine."""
        return {
            **os.environ, "DOCKER_HOST": self.host, "ONGGI_HOST": self.host,
            "ONGGI_ROOT": str(self.paths.root), "ONGGI_RUN": str(self.paths.run), "DOCKER_CONFIG": "/nonexistent",
        }  # fmt: skip

    def start(self) -> None:
        try:
            spawn.ensure_engine(self.paths, netns=self.netns)
        except EngineUnreachable:
            print(self.paths.engine_log.read_text())
            raise

    def stop(self) -> None:
        """End the engine; containers live on."""
        zygote = self.zygote_pid()
        self.client.post("/onggi/v1/engine/stop")
        wait_until(lambda: not alive(zygote), "the engine ends")

    def zygote_pid(self) -> int:
        """The process that listens on the socket (its peer credentials, unix(7))."""
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(str(self.paths.socket))
            except OSError as error:
                raise LookupError("no engine") from error
            credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])

    def daemon_pid(self) -> int:
        """The zygote's child that answers."""
        zygote = self.zygote_pid()
        try:
            for pid in Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split():
                if b"core.daemon" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return int(pid)
        except OSError:
            pass
        raise LookupError("no daemon")

    def kill_daemon(self) -> int:
        """SIGKILL the daemon and wait for the next one; its pid."""
        old = self.daemon_pid()
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: self._pid_or_none() not in (None, old), "the next daemon starts")
        wait_until(self.answers, "the next daemon answers")
        return self.daemon_pid()

    def _pid_or_none(self) -> int | None:
        try:
            return self.daemon_pid()
        except LookupError:
            return None

    def answers(self) -> bool:
        try:
            self.client.open("GET", "/_ping").read()
        except (EngineError, OSError):
            return False
        return True

    def create(self, *cmd: str, name: str = "", host: dict[str, Any] | None = None, **config: Any) -> str:
        """Create a container of the busybox image without a network; its id."""
        body = {
            "Image": "busybox",
            "Cmd": list(cmd),
            "HostConfig": {"NetworkMode": "none", **(host or {})},
            **config,
        }
        made = self.client.post("/containers/create", {"name": name} if name else None, body)
        return str(made["Id"])

    def run(self, *cmd: str, name: str = "", host: dict[str, Any] | None = None, **config: Any) -> str:
        """Create and start a container; its id."""
        ident = self.create(*cmd, name=name, host=host, **config)
        self.client.post(f"/containers/{ident}/start")
        return ident

    def status(self, method: str, path: str) -> int:
        """The status of an answer that is no error."""
        response = self.client.open(method, path)
        response.read()
        return response.status

    def wait(self, ident: str, condition: str = "not-running") -> int:
        """Wait for a container; its exit code."""
        return int(self.client.post(f"/containers/{ident}/wait", {"condition": condition})["StatusCode"])

    def logs(self, ident: str) -> str:
        """What a container wrote, frames taken off."""
        query = {"stdout": "1", "stderr": "1"}
        return unframe(self.client.open("GET", f"/containers/{ident}/logs", query).read())

    def output(self, *cmd: str, **config: Any) -> str:
        """Run a command to its end and return what it wrote; the container is removed."""
        ident = self.run(*cmd, **config)
        self.wait(ident)
        text = self.logs(ident)
        self.client.delete(f"/containers/{ident}")
        return text

    def inspect(self, ident: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/containers/{ident}/json")
        return found

    def state(self, ident: str) -> dict[str, Any]:
        found: dict[str, Any] = self.inspect(ident)["State"]
        return found

    def shim_pid(self, ident: str) -> int:
        return int((self.paths.task(ident) / "pid").read_text())

    def remove_all(self) -> None:
        for container in self.client.get("/containers/json", {"all": "1"}):
            self.client.delete(f"/containers/{container['Id']}", {"force": "1", "v": "1"})
        self.client.delete("/onggi/v1/undo")


def unframe(data: bytes) -> str:
    """The payloads of a framed stream."""
    text, at = b"", 0
    while at < len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        text += data[at + 8 : at + 8 + size]
        at += 8 + size
    return text.decode()


def wait_until(ready: Callable[[], bool], what: str) -> None:
    """Wait for what no event tells; fails the test when it does not come."""
    deadline = time.monotonic() + PATIENCE
    while not ready():
        if time.monotonic() > deadline:
            pytest.fail(f"waited in vain: {what}")
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def running_engine() -> Iterator[EngineUnderTest]:
    """An engine with the image `busybox`, everything of which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="onggi-"))  # short: the path of a socket has 107 bytes
    name = folder.name
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    engine = EngineUnderTest(Paths(folder / "root", folder / "run"), f"/run/netns/{name}")
    try:
        engine.start()
        with busybox_archive() as archive:
            engine.client.open("POST", "/images/load", None, archive).read()
        yield engine
    finally:
        _clean(engine, folder)
        subprocess.run(["ip", "netns", "delete", name], check=False)


def _clean(engine: EngineUnderTest, folder: Path) -> None:
    for step in (engine.remove_all, engine.stop):
        try:
            step()
        except (EngineUnreachable, EngineError, OSError, LookupError):
            pass
    # What a test broke may not stop by itself: root process and shims alike carry RUN in their command line.
    mark = f"--run\0{engine.paths.run}\0".encode()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and mark in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            pass
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineUnderTest]:
    """An engine for the tests of one file."""
    with running_engine() as found:
        yield found


@pytest.fixture
def fresh_engine() -> Iterator[EngineUnderTest]:
    """An engine for one test: to kill, to stop."""
    with running_engine() as found:
        yield found
