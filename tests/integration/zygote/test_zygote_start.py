"""Starting a whole engine: confined, detached, once, from anywhere; and leaving containers alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from zygote_bench import children

from core.client import spawn
from core.errors import EngineUnreachable
from core.paths import Paths

pytestmark = pytest.mark.root


@pytest.fixture
def paths() -> Iterator[Paths]:
    folder = Path(tempfile.mkdtemp(prefix="onggi-shim-"))
    made = Paths(folder / "root", folder / "run")
    yield made
    stop(made)
    shutil.rmtree(folder)


def zygote_of(paths: Paths) -> int:
    try:
        return int(paths.lock.read_text())
    except FileNotFoundError:
        return 0


def stop(paths: Paths) -> None:
    pid = zygote_of(paths)
    try:
        watch = os.pidfd_open(pid) if pid else -1
    except ProcessLookupError:
        return
    if watch >= 0:
        signal.pidfd_send_signal(watch, signal.SIGTERM)
        wait_for(lambda: not (paths.run / "engine.sock").exists())
        wait_for(lambda: not Path(f"/proc/{pid}/exe").exists() or ended(pid))
        os.close(watch)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(condition: object, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


@pytest.fixture
def netns(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A network namespace of the test's own, so that no bridge of the machine is touched."""
    holder = subprocess.Popen(["unshare", "-n", "sleep", "600"])
    own = Path("/proc/self/ns/net").readlink()
    wait_for(lambda: Path(f"/proc/{holder.pid}/ns/net").readlink() != own)
    yield f"/proc/{holder.pid}/ns/net"
    holder.kill()
    holder.wait()


def test_the_first_client_starts_an_engine(paths: Paths, netns: str) -> None:
    host = spawn.ensure_engine(paths, netns=netns)
    assert host == f"unix://{paths.socket}"
    assert spawn.answers(paths.socket)
    pid = zygote_of(paths)
    assert os.getsid(pid) == pid
    folder = Path(f"/proc/{pid}")
    assert (folder / "cwd").readlink() == Path("/")
    assert not any(name.startswith(b"PYTHON") for name in (folder / "environ").read_bytes().split(b"\0"))
    assert spawn.ensure_engine(paths, netns=netns) == host
    assert zygote_of(paths) == pid


def test_two_clients_at_once_start_one_engine(paths: Paths, netns: str) -> None:
    hosts: list[str] = []
    clients = [
        threading.Thread(target=lambda: hosts.append(spawn.ensure_engine(paths, netns=netns))) for _ in range(3)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert hosts == [f"unix://{paths.socket}"] * 3
    assert "another engine" not in paths.engine_log.read_text()


def test_nothing_of_the_current_folder_is_read(
    paths: Paths, netns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    for name in ("core", "json"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"open({str(mark)!r}, 'a').write(__file__)\n")
    (tmp_path / "sitecustomize.py").write_text(f"open({str(mark)!r}, 'a').write(__file__)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    spawn.ensure_engine(paths, netns=netns)
    assert not mark.exists()


def test_the_interpreter_cannot_be_written_through_proc(paths: Paths, netns: str) -> None:
    """CVE-2019-5736: a descriptor of /proc/PID/exe, opened again for writing once nobody executes the file."""
    spawn.ensure_engine(paths, netns=netns)
    pid = zygote_of(paths)
    names = [f"/proc/{pid}/exe"]
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    names += [f"/proc/{pid}/map_files/{mapped(line)}" for line in maps if "libpython" in line and "r-xp" in line]
    kept = [os.open(name, os.O_PATH) for name in names]
    for fd in kept:
        flags = os.fstatvfs(fd).f_flag
        assert flags & os.ST_RDONLY, os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115
        with pytest.raises(OSError, match=r"Read-only|Text file busy"):
            os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
        os.close(fd)


def mapped(line: str) -> str:
    start, _, end = line.split()[0].partition("-")
    return f"{start.lstrip('0')}-{end.lstrip('0')}"


def test_sigkill_of_the_daemon_is_healed(paths: Paths, netns: str) -> None:
    spawn.ensure_engine(paths, netns=netns)
    pid = zygote_of(paths)
    (daemon,) = children(pid)
    os.kill(daemon, signal.SIGKILL)
    assert spawn.answers(paths.socket), "the listening socket waits for the next daemon"


def test_sigkill_of_the_zygote_takes_the_daemon_along(paths: Paths, netns: str) -> None:
    spawn.ensure_engine(paths, netns=netns)
    first = zygote_of(paths)
    (daemon,) = children(first)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: ended(daemon))
    spawn.ensure_engine(paths, netns=netns)
    assert zygote_of(paths) != first


def test_a_start_that_fails_says_why_in_one_line(paths: Paths) -> None:
    paths.root.mkdir(parents=True)
    (paths.root / "lock").mkdir()
    began = time.monotonic()
    with pytest.raises(EngineUnreachable, match="is a directory") as caught:
        spawn.ensure_engine(paths)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 5
    (paths.root / "lock").rmdir()


def test_without_root_it_says_so(tmp_path: Path) -> None:
    code = (
        f"import os, sys; os.setuid(65534); sys.path.append({str(Path(spawn.__file__).parents[2])!r})\n"
        "from core.client.spawn import ensure_engine\n"
        "from core.paths import Paths\n"
        "from pathlib import Path\n"
        "try: ensure_engine(Paths(Path('/nonexistent/r'), Path('/nonexistent/n')))\n"
        "except Exception as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("nobody may not read this interpreter or checkout")
    assert done.stdout == "start engine: it needs root, try sudo\n"
