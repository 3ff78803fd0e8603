"""Containers straight from the runtime, without engine or shim: a busybox root, a Spec, a launch in a child.

The tests' own process is never put into a namespace, and forks only for the child that does the work.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from core import packets
from core.cgroups.model import Cgroup
from core.errors import EngineError, from_wire, to_wire
from core.linux.constants import CLONE_NEWNS, MS_PRIVATE, MS_REC
from core.linux.mounts import mount_overlay
from core.linux.syscalls import mount, unshare
from core.oci.runtime import Capabilities, Linux, Namespace, Process, Root, Spec
from core.runtime import spec_defaults as defaults
from core.runtime.create import launch
from core.runtime.exec import enter

BUSYBOX = shutil.which("busybox") or "/bin/busybox"
_PATIENCE = 100  # seconds; less than a test has
KINDS = ("mount", "uts", "ipc", "network", "pid", "cgroup")


@dataclass(frozen=True)
class Result:
    """What a container did."""

    code: int
    output: str


def make_busybox_root(folder: Path) -> Path:
    """A root file system of one static binary."""
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp", "root"):
        (folder / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, folder / "bin/busybox")
    for applet in subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split():
        if applet != "busybox":
            (folder / "bin" / applet).symlink_to("busybox")
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/sbin:/bin/false\n")
    (folder / "etc/group").write_text("root:x:0:\ndaemon:x:1:\n")
    return folder


def docker_like(*args: str, **process: object) -> Spec:
    """The Spec that Docker would make for `args`, without seccomp and limits."""
    names = defaults.CAPABILITIES
    base = Process(args=args, env=("PATH=/bin:/usr/bin", "HOME=/root"), capabilities=Capabilities(*(names,) * 3))
    return Spec(
        root=Root("rootfs"),
        process=replace(base, **process),  # type: ignore[arg-type]
        hostname="box",
        mounts=defaults.mounts(shm_size=64 << 20),
        linux=Linux(
            namespaces=tuple(Namespace(kind) for kind in KINDS),
            devices=defaults.DEVICES,
            masked_paths=defaults.MASKED_PATHS,
            readonly_paths=defaults.READONLY_PATHS,
        ),
    )


def in_child(work: Callable[[], Result]) -> Result:
    """Do `work` in a forked process with a mount namespace of its own. Raises its EngineError."""
    ours, theirs = packets.pair()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(_PATIENCE)
            unshare(CLONE_NEWNS)
            mount("", "/", "", MS_REC | MS_PRIVATE)
            result = work()
            packets.send(theirs, {"code": result.code, "output": result.output})
        except EngineError as error:
            packets.send(theirs, {"error": to_wire(error)})
        except BaseException:
            packets.send(theirs, {"error": {"kind": "EngineError", "message": traceback.format_exc()}})
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        received = packets.receive(ours)
    os.waitpid(pid, 0)
    assert received is not None, "the child died"
    message = received[0]
    if "error" in message:
        raise from_wire(message["error"])
    return Result(message["code"], message["output"])


@dataclass(frozen=True)
class Sandbox:
    """A folder with a lower layer, in which containers run on fresh upper layers."""

    folder: Path
    lower: Path

    def run(self, spec: Spec, *, cgroup: Cgroup | None = None, then: Process | None = None) -> Result:
        """Run `spec` to its end, or with `then` an exec in it after which it is killed; output and exit code."""
        return in_child(lambda: self._run(spec, cgroup, then))

    def mount_root(self) -> str:
        """Mount the layers in this process's mount namespace; where."""
        for name in ("upper", "work", "rootfs"):
            (self.folder / name).mkdir(exist_ok=True)
        rootfs = str(self.folder / "rootfs")
        mount_overlay([str(self.lower)], str(self.folder / "upper"), str(self.folder / "work"), rootfs)
        return rootfs

    def _run(self, spec: Spec, cgroup: Cgroup | None, then: Process | None) -> Result:
        rootfs = self.mount_root()
        null = os.open("/dev/null", os.O_RDWR)
        reader, writer = os.pipe()
        quiet = (null, null, null) if then else (null, writer, writer)
        first = launch(spec, bundle=str(self.folder), rootfs=rootfs, stdio=quiet, cgroup=cgroup)
        try:
            console = first.wait_exec()
            waited = first
            if then:
                pidfd = os.pidfd_open(first.pid)
                waited = enter(then, pidfd=pidfd, stdio=(null, writer, writer), cgroup=cgroup)
                console = waited.wait_exec()
            os.close(writer)
            output = read_all(reader if console is None else console)
            code = os.waitstatus_to_exitcode(os.waitpid(waited.pid, 0)[1])
        finally:
            if then:
                os.kill(first.pid, 9)
                os.waitpid(first.pid, 0)
        return Result(code, output)


def read_all(fd: int) -> str:
    """Until the end of a pipe or terminal."""
    data = b""
    while True:
        try:
            chunk = os.read(fd, 65536)
        except OSError:  # EIO: the last user of a terminal is gone
            chunk = b""
        if not chunk:
            return data.decode("utf-8", "replace")
        data += chunk
