"""What a container made by the whole engine sees, and what it cannot get at."""

from __future__ import annotations

import io
import json
import os
import sys
import sysconfig
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults_kit import Terminal, onggi

from core import errors
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.images import archive, busybox_layer

pytestmark = pytest.mark.root

# With cgroup v1 the cgroup namespace is the host's, as with Docker.
KINDS = (
    "mnt",
    "pid",
    "net",
    "ipc",
    "uts",
    *(("cgroup",) if Path("/sys/fs/cgroup/cgroup.controllers").exists() else ()),
)


def sh(engine: EngineUnderTest, script: str, **config: Any) -> list[str]:
    return engine.output("sh", "-c", script, **config).splitlines()


def test_capabilities_seccomp_and_signals(steady: EngineUnderTest) -> None:
    fields = dict(
        line.split(":\t", 1) for line in steady.output("cat", "/proc/self/status").splitlines() if ":\t" in line
    )
    for name in ("CapEff", "CapPrm", "CapBnd"):
        assert fields[name] == "00000000a80425fb"
    for name in ("CapInh", "CapAmb", "SigIgn", "SigBlk"):
        assert fields[name] == "0000000000000000"
    assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "0")


@pytest.mark.parametrize("exec_", [False, True])
def test_descriptors_and_environment(steady: EngineUnderTest, exec_: bool) -> None:
    ident = steady.run("sleep", "1000", Hostname="box")

    def see(*words: str) -> list[str]:
        if exec_:
            return onggi(steady, "exec", ident, *words).out.splitlines()
        return steady.output(*words, Hostname="box").splitlines()

    assert see("ls", "/proc/self/fd") == ["0", "1", "2", "3"]  # 3 is ls's own
    assert sorted(see("env")) == ["HOME=/root", "HOSTNAME=box", "PATH=/bin"]
    assert see("sh", "-c", "umask; pwd") == ["0022", "/"]
    steady.client.delete(f"/containers/{ident}", {"force": "1"})


def test_a_terminal_gets_term(steady: EngineUnderTest) -> None:
    shell = Terminal(steady, "run", "-it", "--rm", "--network", "none", "busybox", "env")
    try:
        assert shell.wait() == 0
        names = {line.split("=")[0] for line in shell.seen.decode().split()}
        assert names == {"PATH", "HOSTNAME", "HOME", "TERM"}
    finally:
        shell.close()


def test_namespaces_are_its_own(steady: EngineUnderTest) -> None:
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in KINDS)
    ours = [os.readlink(f"/proc/self/ns/{kind}") for kind in KINDS]  # noqa: PTH115
    theirs = sh(steady, script)
    assert len(set(theirs)) == len(KINDS) and not set(ours) & set(theirs)


def test_proc_and_sys_are_masked_and_read_only(steady: EngineUnderTest) -> None:
    script = """
    for path in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do
        [ ! -e $path ] || [ "$(stat -c %t:%T $path)" = 1:3 ] || [ -z "$(head -c 10 $path)" ] || echo open $path
    done
    for path in /proc/acpi /proc/scsi /sys/firmware; do [ -z "$(ls -A $path 2>/dev/null)" ] || echo full $path; done
    for path in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/x; do
        (: > $path) 2>/dev/null && echo written $path
    done
    mount -t tmpfs none /tmp 2>/dev/null && echo mounted
    mount -o remount,rw /proc/sys 2>/dev/null && echo remounted
    umount /proc/kcore 2>/dev/null && echo uncovered
    unshare -m true 2>/dev/null && echo unshared
    unshare -r true 2>/dev/null && echo unshared the user
    mknod /tmp/sda b 8 0 && (head -c 1 /tmp/sda) 2>/dev/null && echo read a disk
    (: > /proc/1/exe) 2>/dev/null && echo wrote itself
    chroot / sh -c 'cd ../../../..; [ -e /proc/1 ]' || echo lost
    echo done
    """
    assert sh(steady, script) == ["done"]


@pytest.mark.parametrize("folder", ["/proc/self/fd/7", "/proc/self/fd/3", "/proc/1/cwd", "/proc/self/root/.."])
def test_a_working_folder_on_the_host_is_refused(steady: EngineUnderTest, folder: str) -> None:
    ident = steady.create("sh", "-c", "ls; cat ../../../../etc/hostname", WorkingDir=folder)
    try:
        steady.client.post(f"/containers/{ident}/start")
    except errors.EngineError as error:
        assert "\n" not in str(error)
    else:
        steady.wait(ident)
        assert str(steady.paths.root) not in steady.logs(ident)
        assert "root" in steady.logs(ident).splitlines(), "it is the container's own root"
    steady.client.delete(f"/containers/{ident}")


WRITER = """
while :; do
    for exe in /proc/[0-9]*/exe; do
        target=$(readlink $exe 2>/dev/null)
        case "$target" in
            */busybox|"") ;;
            *) echo "seen $target"; (echo '#!/bin/sh' >> $exe) 2>/dev/null && echo "WROTE $target" ;;
        esac
    done
done
"""


def test_the_interpreter_is_never_written_while_execs_happen(steady: EngineUnderTest) -> None:
    """CVE-2019-5736: a container waits for the runtime in its /proc and writes to its program file."""
    program = Path(sys.executable).resolve()
    before = (program.stat().st_size, program.stat().st_mtime_ns)
    ident = steady.run("sh", "-c", WRITER)
    for _ in range(40):
        done = onggi(steady, "exec", ident, "true")
        assert done.code == 0, done
    told = steady.logs(ident)
    steady.client.delete(f"/containers/{ident}", {"force": "1"})
    assert "WROTE" not in told
    assert (program.stat().st_size, program.stat().st_mtime_ns) == before


def load(engine: EngineUnderTest, tag: str, build: Callable[[tarfile.TarFile], None], **config: Any) -> None:
    """An image of busybox and one hostile layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        build(tar)
    data = archive([busybox_layer(), buffer.getvalue()], tag, {"Cmd": ["true"], "Env": ["PATH=/bin"], **config})
    body = engine.client.open("POST", "/images/load", None, data).read()
    assert b"errorDetail" not in body, body


def put(tar: tarfile.TarFile, name: str, data: bytes = b"", **members: Any) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o755
    for member, value in members.items():
        setattr(info, member, value)
    tar.addfile(info, io.BytesIO(data))


def test_python_files_of_an_image_never_run(steady: EngineUnderTest) -> None:
    evil = b"open('/dev/shm/planted', 'w').write('ran')\n"

    def build(tar: tarfile.TarFile) -> None:
        for folder in ("", sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "root"):
            for module in (
                "json",
                "os",
                "socket",
                "codecs",
                "core/__init__",
                "sitecustomize",
                "encodings/__init__",
            ):
                put(tar, f"{folder.strip('/')}/{module}.py".lstrip("/"), evil)

    load(steady, "planted:1", build, WorkingDir="/root", User="app")
    for words in (("busybox", "ls", "/dev/shm"), ("nosuch",)):
        done = onggi(steady, "run", "--name", "planted", "planted:1", *words)
        assert "planted" not in done.out
        steady.client.delete("/containers/planted", {"force": "1"})
    ident = steady.client.post("/containers/create", None, {"Image": "planted:1", "Cmd": ["sleep", "1000"]})["Id"]
    steady.client.post(f"/containers/{ident}/start")
    assert onggi(steady, "exec", "-w", "/root", ident, "nosuch").code == 127
    assert onggi(steady, "exec", ident, "ls", "/dev/shm").out == ""
    steady.client.delete(f"/containers/{ident}", {"force": "1"})


def fifo(tar: tarfile.TarFile) -> None:
    put(tar, "etc/passwd", type=tarfile.FIFOTYPE)


def link(tar: tarfile.TarFile) -> None:
    put(tar, "etc/passwd", type=tarfile.SYMTYPE, linkname="../../../../../../etc/shadow")


def device(tar: tarfile.TarFile) -> None:
    put(tar, "etc/passwd", type=tarfile.CHRTYPE, devmajor=1, devminor=5)


def endless(tar: tarfile.TarFile) -> None:
    put(tar, "etc/passwd", b"x" * (8 << 20))


@pytest.mark.parametrize("build", [fifo, link, device, endless])
def test_a_hostile_passwd_does_not_hang_or_leak(
    steady: EngineUnderTest, build: Callable[[tarfile.TarFile], None]
) -> None:
    tag = f"hostile-{build.__name__}:1"
    load(steady, tag, build)
    named = onggi(
        steady,
        "run",
        "--rm",
        "--network",
        "none",
        "-u",
        "app",
        tag,
        "grep",
        "Uid",
        "/proc/self/status",
        patience=20,
    )
    assert named.code == 125 and "unable to find user app" in named.err, named
    plain = onggi(steady, "run", "--rm", "--network", "none", tag, "grep", "Uid", "/proc/self/status", patience=20)
    assert (plain.code, plain.out) == (0, "Uid:\t0\t0\t0\t0\n"), plain


def test_etc_files_that_are_links_change_nothing_outside(steady: EngineUnderTest, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched\n")

    def build(tar: tarfile.TarFile) -> None:
        for name in ("hosts", "hostname", "resolv.conf"):
            put(tar, f"etc/{name}", type=tarfile.SYMTYPE, linkname=f"../../../../../../..{victim}")

    load(steady, "links:1", build)
    onggi(steady, "run", "--rm", "links:1", "sh", "-c", "echo x > /etc/hosts", patience=20)
    assert victim.read_text() == "untouched\n"


def test_an_image_chooses_no_options_of_the_engine(steady: EngineUnderTest) -> None:
    labels = {"io.onggi.seccomp.program": "/dev/null", "privileged": "true"}
    load(steady, "labels:1", lambda tar: put(tar, "x"), Labels=labels, Env=["PATH=/bin", "LD_PRELOAD=/x.so"])
    out = onggi(
        steady, "run", "--rm", "--network", "none", "labels:1", "grep", "-E", "Seccomp:|CapEff", "/proc/self/status"
    )
    assert out.out.split() == ["CapEff:", "00000000a80425fb", "Seccomp:", "2"], out


def test_memory_kills_are_told_every_time(steady: EngineUnderTest) -> None:
    for _ in range(10):
        ident = steady.run("sh", "-c", "exec tail /dev/zero", host={"Memory": 16 << 20})
        assert steady.wait(ident) == 137
        assert steady.state(ident)["OOMKilled"] is True
        steady.client.delete(f"/containers/{ident}")


def test_a_fork_bomb_is_held_and_the_engine_answers(steady: EngineUnderTest) -> None:
    ident = steady.run("sh", "-c", "bomb() { bomb | bomb & }; bomb; sleep 1000", host={"PidsLimit": 50})
    count = Path(f"/sys/fs/cgroup/pids/onggi/{ident}/pids.current")
    if count.exists():
        wait_until(lambda: int(count.read_text()) > 40, "the bomb has gone off")
        assert int(count.read_text()) <= 50
    listed = onggi(steady, "ps", "-q", "--no-trunc", patience=10)
    assert ident in listed.out.split()
    steady.client.delete(f"/containers/{ident}", {"force": "1"})
    wait_until(lambda: not count.parent.exists(), "every process of the bomb is gone")


def test_many_clients_at_once(steady: EngineUnderTest) -> None:
    results: list[int] = []

    def one() -> None:
        results.append(onggi(steady, "run", "--rm", "busybox", "sh", "-c", "exit 7").code)

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [7] * 12
    assert json.loads(steady.client.open("GET", "/containers/json", {"all": "1"}).read()) == []
