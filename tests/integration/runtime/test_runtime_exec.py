"""Further processes in a running container."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import EngineError, InitFailed
from core.oci.runtime import ConsoleSize, Process, Spec, User
from core.runtime.create import launch
from core.runtime.exec import enter
from tests.support.containers import Result, Sandbox, docker_like, in_child, read_all

pytestmark = pytest.mark.root


def inside(*args: str, **members: object) -> Process:
    return replace(docker_like(*args).process, **members)  # type: ignore[arg-type]


LONG = docker_like("sleep", "1000")


def test_an_exec_is_in_every_namespace_of_the_container(sandbox: Sandbox) -> None:
    script = (
        "for n in mnt uts ipc net pid cgroup; do readlink /proc/self/ns/$n; readlink /proc/1/ns/$n; done; hostname"
    )
    lines = sandbox.run(LONG, then=inside("sh", "-c", script)).output.split()
    assert lines[0:12:2] == lines[1:12:2]
    assert lines[12] == "box"
    own = {str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("mnt", "uts", "ipc", "net", "pid", "cgroup")}
    assert not own & set(lines)


def test_an_exec_is_confined_like_the_first_process(sandbox: Sandbox) -> None:
    output = sandbox.run(LONG, then=inside("sh", "-c", "cat /proc/self/status; ls /proc/$$/fd; true")).output
    found = dict(line.split(":\t") for line in output.splitlines() if ":\t" in line)
    assert found["CapEff"] == found["CapBnd"] == "00000000a80425fb"
    assert int(found["SigIgn"], 16) == int(found["SigBlk"], 16) == int(found["CapInh"], 16) == 0
    assert output.splitlines()[-3:] == ["0", "1", "2"]


def test_its_exit_code_folder_and_user(sandbox: Sandbox) -> None:
    asked = inside("sh", "-c", "pwd; id -u; exit 7", cwd="/tmp", user=User(1000, 1000))
    result = sandbox.run(LONG, then=asked)
    assert (result.code, result.output) == (7, "/tmp\n1000\n")


def test_a_terminal_of_an_exec(sandbox: Sandbox) -> None:
    asked = inside("sh", "-c", "tty; stty size", terminal=True, console_size=ConsoleSize(20, 70))
    assert sandbox.run(LONG, then=asked).output == "/dev/pts/0\r\n20 70\r\n"


def test_a_terminal_needs_the_containers_devpts(sandbox: Sandbox) -> None:
    spec = replace(LONG, mounts=tuple(mount for mount in LONG.mounts if mount.destination != "/dev/pts"))
    with pytest.raises(EngineError, match="open terminal"):
        sandbox.run(spec, then=inside("tty", terminal=True))


@pytest.mark.parametrize("planted", ["file", "fifo", "device"])
def test_what_looks_like_a_terminal_multiplexer_is_checked(hostile: Sandbox, planted: str) -> None:
    place = hostile.lower / "dev/pts"
    place.mkdir()
    if planted == "file":
        (place / "ptmx").touch()
    elif planted == "fifo":
        os.mkfifo(place / "ptmx")
    else:
        os.mknod(place / "ptmx", 0o020666, os.makedev(5, 2))
    kept = tuple(mount for mount in LONG.mounts if mount.destination not in ("/dev", "/dev/pts"))
    spec = replace(LONG, mounts=kept)
    with pytest.raises(EngineError, match="open terminal"):
        hostile.run(spec, then=inside("tty", terminal=True))


@pytest.mark.parametrize(("program", "code"), [("nope", 127), ("/nope", 127), ("/etc", 126), ("/etc/passwd", 126)])
def test_an_exec_that_cannot_run(sandbox: Sandbox, program: str, code: int) -> None:
    with pytest.raises(InitFailed) as caught:
        sandbox.run(LONG, then=inside(program))
    assert caught.value.exit_code == code


def test_the_hosts_descriptors_stay_out(sandbox: Sandbox) -> None:
    kept = os.open("/", os.O_RDONLY)
    os.set_inheritable(kept, True)
    try:
        output = sandbox.run(LONG, then=inside("sh", "-c", "ls /proc/$$/fd; true")).output
    finally:
        os.close(kept)
    assert output.split() == ["0", "1", "2"]


def test_nobody_inside_sees_the_interpreter_or_its_descriptors(sandbox: Sandbox) -> None:
    # pid 1 watches every process that appears; only programs of the image may ever show themselves.
    watch = (
        "while [ ! -e /tmp/over ]; do for p in /proc/[0-9]*; do "
        "for l in $p/exe $p/cwd $p/root $p/fd/*; do readlink $l; done; done; done"
    )
    seen = set(watched_while_entering(sandbox, docker_like("sh", "-c", watch), times=8).split())
    assert "/bin/busybox" in seen
    assert {link for link in seen if not link.startswith("pipe:")} <= {"/bin/busybox", "/", "/dev/null"}


def watched_while_entering(sandbox: Sandbox, watcher: Spec, *, times: int) -> str:
    """Run `watcher` and enter its container so many times; what it wrote."""

    def work() -> Result:
        null = os.open("/dev/null", os.O_RDWR)
        reader, writer = os.pipe()
        rootfs = sandbox.mount_root()
        first = launch(watcher, bundle=str(sandbox.folder), rootfs=rootfs, stdio=(null, writer, null))
        first.wait_exec()
        os.close(writer)
        pidfd = os.pidfd_open(first.pid)
        for number in range(times):
            command = inside("touch", "/tmp/over") if number == times - 1 else inside("true")
            entered = enter(command, pidfd=pidfd, stdio=(null, null, null))
            entered.wait_exec()
            os.waitpid(entered.pid, 0)
        output = read_all(reader)
        return Result(
            os.waitstatus_to_exitcode(os.waitpid(first.pid, 0)[1]), "\n".join(sorted(set(output.split())))
        )

    return in_child(work).output
