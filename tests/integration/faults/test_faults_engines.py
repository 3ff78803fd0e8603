"""Several engines and clients, hostile surroundings, and what an engine finds when it starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from faults_kit import ONGGI, REPOSITORY, command, onggi, running

from tests.integration.conftest import EngineUnderTest, wait_until

pytestmark = pytest.mark.root


def zygotes(engine: EngineUnderTest) -> list[int]:
    """Every root process of an engine on this RUN."""
    wanted = f"--run\0{engine.paths.run}\0".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            line, name = (folder / "cmdline").read_bytes(), (folder / "comm").read_text().strip()
        except OSError:
            continue
        if wanted in line and name == "onggi-engine":
            found.append(int(folder.name))
    return found


def test_a_second_engine_is_refused_within_a_second(faulty: EngineUnderTest, tmp_path: Path) -> None:
    environment = {**faulty.environment, "ONGGI_RUN": str(tmp_path / "run"), "ONGGI_HOST": ""}
    began = time.monotonic()
    done = subprocess.run(
        command(faulty, "engine"), env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=20
    )
    took = time.monotonic() - began
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and str(faulty.paths.lock) in lines[0], done.stderr
    assert str(faulty.zygote_pid()) in lines[0]
    assert took < 2, "0.6 s of patience and the start of two interpreters"
    assert faulty.answers()


def test_clients_at_once_start_one_engine(faulty: EngineUnderTest) -> None:
    faulty.stop()
    clients = [
        subprocess.Popen(
            command(faulty, "ps", "-q"),
            env=faulty.environment,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    assert [client.communicate(timeout=30) for client in clients] == [("", "")] * 6
    assert [client.returncode for client in clients] == [0] * 6
    assert len(zygotes(faulty)) == 1


def test_nothing_of_a_hostile_folder_runs(faulty: EngineUnderTest, tmp_path: Path) -> None:
    faulty.stop()
    mark = tmp_path / "mark"
    evil = f"open({str(mark)!r}, 'a').write(__name__ + '\\n')\n"
    for name in ("core/__init__.py", "core/daemon.py", "json.py", "socket.py", "sitecustomize.py", "startup.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(evil)
    onggi_script = Path(ONGGI[0]).with_name("onggi")
    code = "import sys; sys.path.append(sys.argv.pop(1)); from core.cli.main import main; sys.exit(main())"
    program = (str(onggi_script),) if onggi_script.exists() else (ONGGI[0], "-I", "-c", code, REPOSITORY)
    environment = {**faulty.environment, "PYTHONSTARTUP": str(tmp_path / "startup.py")}
    done = subprocess.run(
        command(faulty, "ps", "-q", program=program),
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert not mark.exists(), mark.read_text()
    # PYTHONPATH is for the client, which is the user's own; what it starts as root must not inherit it.
    faulty.stop()
    for name in ("msgspec", "asyncio", "pyroute2", "ctypes", "logging", "h11"):  # the client needs none of these
        (tmp_path / "path" / name).mkdir(parents=True)
        (tmp_path / "path" / name / "__init__.py").write_text(evil)
    environment["PYTHONPATH"] = str(tmp_path / "path")
    done = subprocess.run(
        command(faulty, "run", "--rm", "busybox", "echo", "fine", program=program),
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr
    faulty.kill_daemon()
    assert not mark.exists(), mark.read_text()


def test_stop_leaves_containers_and_the_next_engine_adopts(faulty: EngineUnderTest) -> None:
    host = {"NetworkMode": "bridge"}
    script = "until [ -e /dev/shm/go ]; do sleep 0.01; done; exit 8"
    quick = faulty.run("sh", "-c", script, host=host)
    gone = faulty.run("sh", "-c", script, host={**host, "AutoRemove": True})
    stays = faulty.run("sleep", "1000", host=host)
    always = faulty.run("sh", "-c", "sleep 0.2; exit 3", host={**host, "RestartPolicy": {"Name": "always"}})
    shims = {ident: faulty.shim_pid(ident) for ident in (quick, gone, stays, always)}
    gates = [Path(f"/proc/{faulty.state(ident)['Pid']}/root/dev/shm/go") for ident in (quick, gone)]
    pid = faulty.state(stays)["Pid"]
    assert onggi(faulty, "engine", "stop").code == 0
    wait_until(lambda: not zygotes(faulty), "the engine ends")
    before = datetime.now(UTC)
    for gate in gates:
        gate.touch()
    wait_until(lambda: not running(shims[quick]) and not running(shims[gone]), "the short ones end")
    after = datetime.now(UTC)
    journal = faulty.paths.journal(always)
    starts = journal.read_text().count('"started"')
    wait_until(lambda: journal.read_text().count('"started"') >= starts + 2, "always restarts without an engine")
    assert running(pid)
    assert onggi(faulty, "ps", "-q", "--no-trunc").out.split().count(stays) == 1  # starts the next
    state = faulty.state(quick)
    assert (state["Status"], state["ExitCode"]) == ("exited", 8)
    finished = datetime.fromisoformat(state["FinishedAt"][:26].rstrip("Z") + "+00:00")
    assert before <= finished <= after
    assert (faulty.state(stays)["Status"], faulty.state(stays)["Pid"]) == ("running", pid)
    assert gone not in [item["Id"] for item in faulty.client.get("/containers/json", {"all": "1"})]
    wait_until(lambda: faulty.inspect(always)["RestartCount"] >= 2, "its restarts were counted")


@pytest.mark.parametrize("policy", ["unless-stopped", "always", "on-failure", "no"])
def test_policies_when_the_engine_starts(faulty: EngineUnderTest, policy: str) -> None:
    """Containers that a reboot ended run again, those that were stopped by hand do with `always` only."""
    host = {"RestartPolicy": {"Name": policy}}
    stopped, lost = (faulty.run("sleep", "1000", host=host) for _ in range(2))
    faulty.client.post(f"/containers/{stopped}/kill")
    faulty.wait(stopped)
    shim, pid = faulty.shim_pid(lost), faulty.state(lost)["Pid"]
    faulty.stop()
    for process in (shim, pid):
        os.kill(process, signal.SIGKILL)
    wait_until(lambda: not running(pid), "what a reboot ends has ended")
    faulty.start()
    again = policy != "no"
    wait_until(lambda: (faulty.state(lost)["Status"] == "running") is again, "the lost one")
    wait_until(lambda: (faulty.state(stopped)["Status"] == "running") is (policy == "always"), "the stopped one")
