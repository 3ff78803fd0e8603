"""What dies, and what lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from core import errors
from core.client import spawn
from core.paths import Paths
from tests.integration.conftest import EngineUnderTest, alive, wait_until

pytestmark = pytest.mark.root
ALL = {"stream": "1", "stdin": "1", "stdout": "1", "stderr": "1"}


def test_a_container_and_its_client_outlive_the_daemon(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    ident = engine.create("sh", Tty=True, OpenStdin=True)
    stream = engine.client.hijack(f"/containers/{ident}/attach", ALL)
    engine.client.post(f"/containers/{ident}/start")
    pid = engine.state(ident)["Pid"]
    engine.kill_daemon()
    stream.sock.settimeout(10)
    stream.sock.sendall(b"echo $((40+2))\n")
    data = b""
    while b"\r\n42\r\n" not in data:
        data += stream.sock.recv(1000)
    state = engine.state(ident)
    assert (state["Status"], state["Pid"]) == ("running", pid)
    stream.sock.sendall(b"exit 6\n")
    assert engine.wait(ident) == 6
    stream.close()


def test_an_exit_that_no_engine_saw_is_told_by_the_next(fresh_engine: EngineUnderTest, tmp_path: Path) -> None:
    engine = fresh_engine
    script, gate = "until test -e /gate/open; do sleep 0.05; done; exit 8", {"Binds": [f"{tmp_path}:/gate"]}
    quick = engine.run("sh", "-c", script, host=gate)
    gone = engine.run("sh", "-c", script, host={**gate, "AutoRemove": True})
    stays = engine.run("sleep", "60")
    shim = engine.shim_pid(stays)
    shims = [engine.shim_pid(quick), engine.shim_pid(gone)]
    engine.stop()
    (tmp_path / "open").touch()
    wait_until(lambda: not any(map(alive, shims)), "the short ones end by themselves")
    assert alive(shim)
    engine.start()
    assert engine.state(quick)["ExitCode"] == 8
    assert engine.state(stays)["Status"] == "running"
    wait_until(lambda: len(engine.client.get("/containers/json", {"all": "1"})) == 2, "--rm is made up for")
    assert engine.client.get("/containers/json")[0]["Id"] == stays


def test_the_next_engine_removes_folders_that_belong_to_nobody(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    stays = engine.run("sleep", "60")
    engine.stop()
    folders = (engine.paths.bundle("ab" * 32), engine.paths.task("ab" * 32))
    for folder in folders:
        (folder / "rootfs").mkdir(parents=True)
    engine.start()
    assert not any(folder.exists() for folder in folders)
    assert engine.state(stays)["Status"] == "running"
    assert engine.paths.bundle(stays).is_dir()


def test_a_lost_shim_is_a_137_and_the_policy_starts_again(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    plain = engine.run("sleep", "60")
    always = engine.run("sleep", "60", host={"RestartPolicy": {"Name": "always"}})
    pids = [engine.state(plain)["Pid"], engine.state(always)["Pid"]]
    for ident in (plain, always):
        os.kill(engine.shim_pid(ident), signal.SIGKILL)
    assert engine.wait(plain) == 137
    assert engine.state(plain)["Error"] == "shim lost"
    wait_until(lambda: engine.state(always)["Pid"] not in (0, pids[1]), "it runs again")
    assert not any(map(alive, pids))
    assert engine.inspect(always)["RestartCount"] == 1


def test_policies_hold_over_a_restart_of_the_engine(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    stopped = engine.run("sleep", "60", host={"RestartPolicy": {"Name": "unless-stopped"}})
    always = engine.run("sleep", "60", host={"RestartPolicy": {"Name": "always"}})
    for ident in (stopped, always):
        engine.client.post(f"/containers/{ident}/kill")
        engine.wait(ident)
    engine.kill_daemon()
    assert engine.state(always)["Status"] == "exited"
    engine.stop()
    engine.start()
    wait_until(lambda: engine.state(always)["Status"] == "running", "always starts with the engine")
    assert engine.state(stopped)["Status"] == "exited"


def test_a_second_engine_on_the_same_root_is_refused_at_once(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    other = Paths(engine.paths.root, engine.paths.run.with_name("run2"))
    started = time.monotonic()
    with pytest.raises(errors.EngineUnreachable, match="lock"):
        spawn.ensure_engine(other, netns=engine.netns)
    assert time.monotonic() - started < 2


def test_nothing_is_left_when_everything_is_removed(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    idents = [engine.run("sleep", "60") for _ in range(3)]
    processes = [engine.shim_pid(ident) for ident in idents] + [engine.state(ident)["Pid"] for ident in idents]
    engine.remove_all()
    wait_until(lambda: not any(map(alive, processes)), "shims and containers end")
    assert not list(engine.paths.run.glob("containers/*"))
    assert not list(engine.paths.root.glob("containers/*"))
    mounts = subprocess.run(["cat", f"/proc/{engine.zygote_pid()}/mounts"], capture_output=True, text=True).stdout
    assert str(engine.paths.root) not in mounts
    for ident in idents:
        assert not subprocess.run(["find", "/sys/fs/cgroup", "-name", ident], capture_output=True).stdout


def test_a_killed_zygote_costs_nothing_but_a_start(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    running = engine.run("sh", "-c", "sleep 60")
    paused = engine.run("sleep", "60")
    engine.client.post(f"/containers/{paused}/pause")
    pids = [engine.state(running)["Pid"], engine.state(paused)["Pid"]]
    daemon = engine.daemon_pid()
    os.kill(engine.zygote_pid(), signal.SIGKILL)
    wait_until(lambda: not alive(daemon), "the daemon does not outlive its zygote")
    engine.start()
    assert [engine.state(running)["Status"], engine.state(paused)["Status"]] == ["running", "paused"]
    assert [engine.state(running)["Pid"], engine.state(paused)["Pid"]] == pids
    engine.client.post(f"/containers/{paused}/unpause")
    for ident in (running, paused):
        engine.client.post(f"/containers/{ident}/stop", {"t": "0"})
        assert engine.state(ident)["ExitCode"] == 137


def test_a_removal_that_was_cut_short_is_finished(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    idents = [engine.create("true") for _ in range(8)]
    daemon = engine.daemon_pid()
    senders = [engine.client.begin("DELETE", f"/containers/{ident}") for ident in idents]
    os.kill(daemon, signal.SIGKILL)
    for sender in senders:
        sender.close()
    wait_until(lambda: engine.answers() and engine.daemon_pid() != daemon, "the next daemon answers")

    def settled() -> bool:
        # Requests that no daemon had accepted yet wait in the socket, and the next one serves them.
        return all(item["State"] == "created" for item in engine.client.get("/containers/json", {"all": "1"}))

    wait_until(settled, "what was being removed is gone")
    engine.remove_all()
    assert not list(engine.paths.root.glob("containers/*"))
    assert engine.output("echo", "works") == "works\n"


def test_an_engine_that_stops_takes_its_empty_cgroups_away(fresh_engine: EngineUnderTest) -> None:
    ident = fresh_engine.run("sleep", "1000")
    fresh_engine.stop()
    roots = [Path("/sys/fs/cgroup"), *(path for path in Path("/sys/fs/cgroup").iterdir() if path.is_dir())]
    assert any((root / "onggi" / ident).is_dir() for root in roots)
    fresh_engine.start()
    fresh_engine.client.delete(f"/containers/{ident}", {"force": "1"})
    fresh_engine.stop()

    def gone_or_used_by_others() -> bool:
        for root in roots:
            for name in ("onggi", "onggi-engine"):
                try:
                    below = [path for path in (root / name).iterdir() if path.is_dir()]
                    if not below and not (root / name / "cgroup.procs").read_text():
                        return False
                except OSError:
                    continue
        return True

    wait_until(gone_or_used_by_others, "nothing empty of ours is left")
