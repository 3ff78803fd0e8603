"""The container managers that are compared: each in folders and a network namespace of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from bench import processes
from core.client import spawn
from core.client.transport import Client
from core.paths import Paths

_PATIENCE = 30.0  # seconds for a daemon to come or go
_PROGRAM = Path(sys.executable).with_name("onggi")


class Manager(ABC):
    """One container manager. `argv` is what stands before a verb; `client` speaks to its API, where it has one."""

    name: str
    argv: Sequence[str]
    client: Client | None = None
    run_options: Sequence[str] = ()  # what `run` needs to work here at all
    remote_options: Sequence[str] = ()  # what `push` and `pull` need for a registry without TLS
    netns = ""  # the path of its network namespace, "" = ours

    def run(self, *arguments: str, patience: float = 4 * _PATIENCE) -> str:
        """Run one command of its command line client to the end. Raises CalledProcessError, TimeoutExpired."""
        done = subprocess.run(
            [*self.argv, *arguments],
            check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=patience,
        )  # fmt: skip
        return done.stdout

    @abstractmethod
    def start(self) -> None:
        """Bring it up, ready for the first command."""

    @abstractmethod
    def stop(self) -> None:
        """End it and all it started; errors are passed over."""

    @abstractmethod
    def engine_pids(self) -> list[int]:
        """The processes that are there while no container is."""

    @abstractmethod
    def shim_pids(self) -> list[int]:
        """All the processes that stay beside containers."""

    @abstractmethod
    def restart(self) -> None:
        """End the engine and start it again; containers live on."""

    @abstractmethod
    def disk_bytes(self) -> int:
        """Bytes on disk of all it keeps."""

    def forget(self) -> None:  # noqa: B027 (only one remembers)
        """Have what was removed gone for good."""

    def settle(self) -> None:
        """Until what was removed is off the disk, and what was written is on it."""
        os.sync()

    def remove_containers(self) -> None:
        """Force every container away."""
        if idents := self.run("ps", "-aq").split():
            self.run("rm", "-f", *idents)


class Onggi(Manager):
    """The one of this checkout."""

    name = "onggi"
    argv = (str(_PROGRAM),)

    def __init__(self, folder: Path, netns: str) -> None:
        self.paths = Paths(folder / "root", folder / "run")
        self.netns = netns
        self.client = Client(f"unix://{self.paths.socket}")
        os.environ |= {"ONGGI_ROOT": str(self.paths.root), "ONGGI_RUN": str(self.paths.run)}

    def start(self) -> None:
        spawn.ensure_engine(self.paths, netns=self.netns)

    def stop(self) -> None:
        with suppress(Exception):
            self.remove_containers()
        with suppress(Exception):
            self._end()
        for pid in processes.with_words("core.zygote", str(self.paths.root)):  # it did not start or end well
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def disk_bytes(self) -> int:
        return processes.disk_bytes(self.paths.root)

    def forget(self) -> None:
        self.run("undo", "--forget")

    def settle(self) -> None:
        _wait(lambda: not any(self.paths.trash.iterdir()), "the trash is emptied")
        os.sync()

    def restart(self) -> None:
        self._end()
        self.start()

    def _end(self) -> None:
        zygote = self._zygote()
        self.run("engine", "stop")
        _wait(lambda: not Path(f"/proc/{zygote}").exists(), "the engine ends")

    def engine_pids(self) -> list[int]:
        zygote = self._zygote()
        shims = set(self.shim_pids())
        return [zygote, *(child for child in processes.children(zygote) if child not in shims)]

    def shim_pids(self) -> list[int]:
        keepers = [int(file.read_text()) for file in self.paths.run.glob("containers/*/pid")]
        workers = [pid for keeper in keepers for pid in processes.children(keeper)]
        return keepers + [pid for pid in workers if processes.name(pid) == "onggi-worker"]

    def _zygote(self) -> int:
        return int(self.paths.lock.read_text().split()[0])


class Docker(Manager):
    """dockerd with folders of its own."""

    name = "docker"

    def __init__(self, folder: Path, netns: str) -> None:
        self._folder = folder
        self.netns = netns
        host = f"unix://{folder}/docker.sock"
        self.argv = ("docker", "--host", host)
        self.client = Client(host)
        self._log = folder / "dockerd.log"
        self._daemon: subprocess.Popen[bytes] | None = None

    @staticmethod
    def installed() -> bool:
        """Are both the client and the daemon there?"""
        return bool(shutil.which("docker") and shutil.which("dockerd"))

    def start(self) -> None:
        (self._folder / "daemon.json").write_text('{"live-restore": true}')
        with self._log.open("ab") as log:
            self._daemon = subprocess.Popen(
                [
                    *inside(self.netns), "dockerd", "--config-file", str(self._folder / "daemon.json"),
                    "--data-root", str(self._folder / "data"), "--exec-root", str(self._folder / "exec"),
                    "--pidfile", str(self._folder / "pid"), "--host", self.argv[2],
                ],
                stdout=log, stderr=log,
            )  # fmt: skip
        _wait(self._answers, "dockerd answers")

    def _answers(self) -> bool:
        if self._daemon and self._daemon.poll() is not None:
            last = (self._log.read_text(errors="replace").splitlines() or [""])[-1]
            raise RuntimeError(f"dockerd ended: {last}")
        return subprocess.run([*self.argv, "version"], capture_output=True, check=False).returncode == 0

    def disk_bytes(self) -> int:
        return processes.disk_bytes(self._folder / "data")

    def stop(self) -> None:
        with suppress(Exception):
            self.remove_containers()
        if self._daemon:
            self._daemon.terminate()
            self._daemon.wait()
        for pid in processes.with_words("containerd", str(self._folder)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # dockerd leaves its data root mounted on itself
        subprocess.run(["umount", str(self._folder / "data")], capture_output=True, check=False)

    def restart(self) -> None:
        assert self._daemon
        self._daemon.terminate()
        self._daemon.wait()
        self.start()

    def engine_pids(self) -> list[int]:
        assert self._daemon
        return [self._daemon.pid, *processes.children(self._daemon.pid)]

    def shim_pids(self) -> list[int]:
        return processes.with_words("containerd-shim", str(self._folder))


class Podman(Manager):
    """podman: no engine, a conmon beside every container.

    Its default limits are above ours, which only CAP_SYS_RESOURCE may raise; some virtual machines lack that.
    """

    name = "podman"
    run_options = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
    remote_options = ("--tls-verify=false",)

    def __init__(self, folder: Path, netns: str) -> None:
        self._root = folder / "root"
        self.netns = netns
        self.argv = (
            *inside(netns), "podman", "--root", str(self._root), "--runroot", str(folder / "run"),
            "--tmpdir", str(folder / "tmp"), "--cgroup-manager", "cgroupfs", "--events-backend", "file",
            *_runtime(),
        )  # fmt: skip

    @staticmethod
    def installed() -> bool:
        """Is it there?"""
        return bool(shutil.which("podman"))

    def start(self) -> None:
        self.run("info")

    def stop(self) -> None:
        with suppress(Exception):
            self.remove_containers()
        with suppress(Exception):
            self.run("system", "reset", "--force")

    def disk_bytes(self) -> int:
        return processes.disk_bytes(self._root)

    def restart(self) -> None:
        """There is no engine."""

    def engine_pids(self) -> list[int]:
        return []

    def shim_pids(self) -> list[int]:
        return processes.with_words("conmon", str(self._root))


def _runtime() -> list[str]:
    """crun, podman's default, refuses the hybrid of cgroup v1 and v2; runc takes it."""
    hybrid = Path("/sys/fs/cgroup/unified").exists()
    return ["--runtime", "runc"] if hybrid and shutil.which("runc") else []


def inside(netns: str) -> list[str]:
    """The command in front of one that runs in a network namespace, given as a path; "" = in ours."""
    return ["nsenter", f"--net={netns}"] if netns else []


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {_PATIENCE:.0f} seconds")
        time.sleep(0.02)
