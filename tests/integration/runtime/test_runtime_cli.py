"""The OCI command line, as podman and others call it, and podman itself."""

from __future__ import annotations

import array
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from core.oci.runtime import Root, Spec
from tests.support.containers import docker_like, make_busybox_root, read_all

pytestmark = pytest.mark.root
PROJECT = Path(__file__).resolve().parents[3]


@dataclass
class Runtime:
    """The command line with a state folder of its own and one bundle."""

    folder: Path

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "core.runtime", "--root", str(self.folder / "state")]

    def __call__(self, *args: str, code: int = 0) -> str:
        done = subprocess.run([*self.command, *args], cwd=PROJECT, capture_output=True, text=True, timeout=30)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def bundle(self, spec: Spec) -> str:
        bundle = self.folder / "bundle"
        if not bundle.exists():
            bundle.mkdir()
            make_busybox_root(bundle / "rootfs")
        (bundle / "config.json").write_bytes(replace(spec, root=Root("rootfs")).to_json())
        return str(bundle)

    def status(self, ident: str) -> str:
        return str(json.loads(self("state", ident))["status"])


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    made = Runtime(tmp_path)
    yield made
    for folder in (tmp_path / "state").glob("*"):
        made("delete", "--force", folder.name)


def create(runtime: Runtime, ident: str, spec: Spec, *options: str, code: int = 0) -> str:
    """`create` keeps its streams for the container, so they are files here."""
    output = runtime.folder / "output"
    command = [*runtime.command, "create", "--bundle", runtime.bundle(spec), *options, ident]
    with output.open("ab") as file:
        done = subprocess.run(command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=30)
    assert done.returncode == code, output.read_text()
    return output.read_text()


def wait_for(runtime: Runtime, ident: str, status: str) -> None:
    for _ in range(200):
        if runtime.status(ident) == status:
            return
    pytest.fail(f"{ident} never became {status}")


def test_a_whole_life(runtime: Runtime) -> None:
    pid_file = runtime.folder / "pid"
    create(runtime, "one", docker_like("sh", "-c", "echo began; exec sleep 1000"), "--pid-file", str(pid_file))
    state = json.loads(runtime("state", "one"))
    assert (state["status"], state["pid"], state["id"]) == ("created", int(pid_file.read_text()), "one")
    assert (runtime.folder / "output").read_text() == ""
    runtime("start", "one")
    assert runtime.status("one") == "running"
    assert "sleep 1000" in runtime("exec", "one", "ps")
    assert "not stopped" in runtime("delete", "one", code=1)
    runtime("kill", "one", "KILL")
    wait_for(runtime, "one", "stopped")
    assert "not running" in runtime("kill", "one", code=1)
    runtime("delete", "one")
    assert "does not exist" in runtime("state", "one", code=1)
    assert (runtime.folder / "output").read_text() == "began\n"
    assert not list(Path("/sys/fs/cgroup").glob("*/onggi/one"))


def test_ids_are_unique_and_checked(runtime: Runtime) -> None:
    create(runtime, "two", docker_like("sleep", "1000"))
    assert "exists already" in create(runtime, "two", docker_like("true"), code=1)
    assert runtime.status("two") == "created"
    assert "invalid container id" in create(runtime, "../../evil", docker_like("true"), code=1)


def test_what_cannot_start_leaves_nothing(runtime: Runtime) -> None:
    text = create(runtime, "three", docker_like("nope"), code=1)
    assert text == 'exec: "nope": executable file not found in $PATH\n'
    assert not list((runtime.folder / "state").iterdir())
    assert not list(Path("/sys/fs/cgroup").glob("*/onggi/three"))


def test_errors_are_logged_as_callers_parse_them(runtime: Runtime) -> None:
    log = runtime.folder / "log"
    runtime("--log", str(log), "--log-format", "json", "start", "nobody", code=1)
    entry = json.loads(log.read_text())
    assert (entry["level"], entry["msg"]) == ("error", "container nobody does not exist")


def test_the_terminal_goes_to_the_console_socket(runtime: Runtime) -> None:
    path = str(runtime.folder / "console")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(1)
        spec = docker_like("sh", "-c", "tty; echo over", terminal=True)
        create(runtime, "four", spec, "--console-socket", path)
        connection, _ = listener.accept()
        with connection:
            _, ancillary, _, _ = connection.recvmsg(64, socket.CMSG_SPACE(4))
    (master,) = array.array("i", ancillary[0][2])
    runtime("start", "four")
    assert read_all(master) == "/dev/pts/0\r\nover\r\n"
    os.close(master)


def test_an_exec_ends_with_the_programs_code(runtime: Runtime) -> None:
    create(runtime, "five", docker_like("sleep", "1000"))
    assert "cannot exec" in runtime("exec", "five", "true", code=125)
    runtime("start", "five")
    runtime("exec", "five", "sh", "-c", "exit 9", code=9)
    runtime("exec", "five", "nope", code=127)


@pytest.mark.skipif(shutil.which("podman") is None, reason="needs podman")
def test_podman_runs_containers_with_it() -> None:
    tmp_path = Path(tempfile.mkdtemp(prefix="onggi-"))  # podman takes no long paths
    wrapper = tmp_path / "runtime"
    wrapper.write_text(
        f'#!/bin/sh\ncd {PROJECT} && exec {sys.executable} -m core.runtime --root {tmp_path}/state "$@"\n'
    )
    wrapper.chmod(0o755)
    archive = tmp_path / "root.tar"
    subprocess.run(["tar", "-cf", archive, "-C", make_busybox_root(tmp_path / "root"), "."], check=True)
    podman = [
        "podman", "--root", str(tmp_path / "storage"), "--runroot", str(tmp_path / "run"),
        "--cgroup-manager", "cgroupfs", "--runtime", str(wrapper), "--storage-driver", "vfs",
    ]  # fmt: skip

    def call(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*podman, *args], capture_output=True, text=True, timeout=60)

    try:
        assert call("import", str(archive), "local/box").returncode == 0
        done = call("run", "--rm", "--network", "none", "local/box", "sh", "-c", "id -u; cat /proc/1/comm; exit 3")
        assert (done.returncode, done.stdout) == (3, "0\nsh\n"), done.stderr
        assert call("run", "--rm", "--network", "none", "local/box", "nope").returncode == 127
        assert (
            call("run", "-d", "--name", "long", "--network", "none", "local/box", "sleep", "1000").returncode == 0
        )
        assert "sleep 1000" in call("exec", "long", "ps").stdout
        assert call("rm", "-f", "-t", "0", "long").returncode == 0
    finally:
        call("rm", "-f", "-t", "0", "-a")
        subprocess.run(["umount", str(tmp_path / "storage/vfs")], capture_output=True)
        shutil.rmtree(tmp_path, ignore_errors=True)
