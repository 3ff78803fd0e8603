"""A real zygote whose daemon is the test: the control socket comes to us, and we do what the engine does."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import ShimGone, WrongState
from core.oci.runtime import encode
from core.runtime import spec_defaults as defaults
from core.shim.client import Shim
from core.zygote.client import Zygote
from core.zygote.options import SOURCE

# What the zygote executes as its daemon: it lends its control socket to the test and waits to be killed.
_LENDER = """
import array, os, socket, time
peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
peer.connect(os.environ["ONGGI_RUN"] + "/lend.sock")
peer.sendmsg([str(os.getpid()).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [4]))])
os.close(4)
time.sleep(600)
"""

_BEGIN = """
import sys; sys.path.append({source!r})
from core.zygote.keeper import serve
from core.zygote.options import Options
sys.exit(serve(Options.parse(sys.argv[1:]), [sys.executable, "-I", "-S", "-c", {lender!r}]))
"""


class Bench:
    """One zygote with its own ROOT and RUN, and the control socket of its present daemon."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.run = folder / "run"
        self.run.mkdir(exist_ok=True)
        self._lend = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lend.bind(str(self.run / "lend.sock"))
        self._lend.listen()
        self._lend.settimeout(10)
        self.daemon_pid = 0
        self.errors = folder / "stderr"
        code = _BEGIN.format(source=SOURCE, lender=_LENDER)
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", code, "--root", self.root, "--run", self.run], stderr=errors
            )

    @classmethod
    def again(cls, old: Bench) -> Bench:
        """A second zygote on the ROOT and RUN of one that is dead."""
        old._lend.close()
        (old.run / "lend.sock").unlink()
        return cls(old.root.parent)

    def control(self) -> socket.socket:
        """The control socket of the daemon that the zygote has just started."""
        peer, _ = self._lend.accept()
        with peer:
            words, fds, _, _ = socket.recv_fds(peer, 32, 1)
        self.daemon_pid = int(words)
        return socket.socket(fileno=fds[0])

    def shims(self) -> list[int]:
        """The pids of the shims of this bench."""
        found = []
        for path in Path("/proc").glob("[0-9]*/comm"):
            try:
                command = (path.parent / "cmdline").read_bytes().split(b"\0")
                if path.read_text() == "onggi-shim\n" and os.fsencode(self.root) in command:
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def close(self) -> None:
        """Stop it as SIGTERM does."""
        self.process.terminate()
        self.process.wait(10)
        self._lend.close()
        for group in [*Path("/sys/fs/cgroup").glob("onggi-test"), *Path("/sys/fs/cgroup").glob("*/onggi-test")]:
            try:
                group.rmdir()
            except OSError:
                pass  # another test's containers live in it


@pytest.fixture
def bench() -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="onggi-shim-"))
    made = Bench(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture
async def zygote(bench: Bench) -> AsyncIterator[Zygote]:
    client = Zygote(bench.control())
    yield client
    client.close()


class Container:
    """A bundle, and the shim that runs it, as the engine would drive it."""

    def __init__(self, bench: Bench, zygote: Zygote, ident: str, rootfs: Path) -> None:
        self.bench = bench
        self.zygote = zygote
        self.id = ident
        self.bundle = bench.root / "containers" / ident
        self.run = bench.run / "containers" / ident
        self.log = self.bundle / f"{ident}-json.log"
        self.rootfs = rootfs
        self.events: list[dict[str, Any]] = []
        self.shim: Shim | None = None
        self._reader: asyncio.Task[None] | None = None
        self._clients: list[socket.socket] = []

    async def spawn(
        self,
        *args: str,
        process: dict[str, Any] | None = None,
        resources: dict[str, Any] | None = None,
        **config: Any,
    ) -> Shim:
        """A shim for `args` that waits for `start`; `config` goes into its configuration."""
        upper = self.bundle / "upper"
        work = self.bundle / "work"
        for path in (upper, work):
            path.mkdir(parents=True, exist_ok=True)
        tty = bool(config.get("tty"))
        document = spec(args, tty=tty, process=process or {})
        document["linux"]["resources"] |= resources or {}
        (self.bundle / "config.json").write_text(json.dumps(document))
        message = {
            "id": self.id,
            "bundle": str(self.bundle),
            "run": str(self.run),
            "journal": str(self.bundle / "journal"),
            "log": str(self.log),
            "rootfs": {"lower": [str(self.rootfs)], "upper": str(upper), "work": str(work)},
            "cgroup": f"/onggi-test/{self.id}",
            "own_pids": True,
            **config,
        }
        self.adopt(Shim(await self.zygote.spawn_shim(message)))
        assert self.shim
        return self.shim

    def adopt(self, shim: Shim) -> None:
        self.shim = shim
        self._reader = asyncio.create_task(self._read(shim))

    async def _read(self, shim: Shim) -> None:
        async for event in shim.events():
            self.events.append(event)
            if "seq" in event:
                shim.ack(event["seq"])

    async def attach(self, **options: Any) -> socket.socket:
        assert self.shim
        ours, theirs = socket.socketpair()
        with theirs:
            await self.shim.attach(theirs.fileno(), **options)
        ours.setblocking(False)
        self._clients.append(ours)
        return ours

    async def event(self, name: str, count: int = 1) -> dict[str, Any]:
        """The event `name`, waited for, of which `count` have come."""
        await until(lambda: len([event for event in self.events if event["event"] == name]) >= count)
        return [event for event in self.events if event["event"] == name][count - 1]

    async def gone(self) -> None:
        """The shim has closed its link."""
        assert self._reader
        await asyncio.wait_for(asyncio.shield(self._reader), 60)

    async def close(self) -> None:
        if self.shim and self._reader and not self._reader.done():
            try:
                await self.shim.signal(9, final=True)
            except WrongState:
                self.shim.close()  # never started: it goes with its link
            except ShimGone:
                pass
            try:
                await asyncio.wait_for(self._reader, 5)
            except (TimeoutError, asyncio.CancelledError):
                pass
        if self.shim:
            self.shim.close()
        for client in self._clients:
            client.close()


def children(pid: int) -> set[int]:
    """The child processes of a process with one thread, but for those that make shims ahead."""
    found = {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return {child for child in found if name_of(child) != "onggi-mold"}


def name_of(pid: int) -> str:
    """What ps calls it; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


async def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    """Give the loop time until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.005)


def spec(args: tuple[str, ...], *, tty: bool, process: dict[str, Any]) -> dict[str, Any]:
    """Docker's default confinement without seccomp: own namespaces, capabilities, masked paths."""
    namespaces = ("pid", "ipc", "uts", "mount", "network")
    caps = list(defaults.CAPABILITIES)
    return {
        "ociVersion": "1.1.0",
        "root": {"path": "rootfs"},
        "hostname": "bench",
        "process": {
            "args": list(args),
            "cwd": "/",
            "env": ["PATH=/bin", "TERM=xterm"],
            "terminal": tty,
            "capabilities": {"bounding": caps, "effective": caps, "permitted": caps},
            **process,
        },
        "mounts": encode(defaults.mounts(shm_size=1 << 20)),
        "linux": {
            "namespaces": [{"type": name} for name in namespaces],
            "devices": encode(defaults.DEVICES),
            "resources": {"devices": encode(defaults.device_rules())},
            "maskedPaths": list(defaults.MASKED_PATHS),
            "readonlyPaths": list(defaults.READONLY_PATHS),
        },
    }


@pytest.fixture
def busybox(bench: Bench) -> Path:
    """A root file system of the machine's static busybox."""
    if not shutil.which("busybox"):
        pytest.skip("needs busybox")
    root = bench.root / "image"
    for name in ("bin", "etc", "dev", "proc", "sys", "root", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2(shutil.which("busybox") or "", root / "bin" / "busybox")
    for name in (
        "sh",
        "cat",
        "echo",
        "sleep",
        "true",
        "head",
        "kill",
        "stty",
        "id",
        "env",
        "yes",
        "wc",
        "dd",
        "tail",
    ):
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\nme:x:1000:\n")
    return root


@pytest.fixture
async def container(bench: Bench, zygote: Zygote, busybox: Path) -> AsyncIterator[Container]:
    made = Container(bench, zygote, os.urandom(32).hex(), busybox)
    yield made
    await made.close()
