"""What clients see whose engine or shim dies under them."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from faults_kit import REPOSITORY, Done, command, kill_engine, onggi, running, start, terminal

from tests.integration.conftest import EngineUnderTest, wait_until

pytestmark = pytest.mark.root


@pytest.mark.parametrize("whole", [False, True], ids=["daemon", "zygote"])
def test_an_exec_session_outlives_the_engine(faulty: EngineUnderTest, whole: bool) -> None:
    ident = faulty.run("sleep", "1000")
    with terminal(faulty, "exec", "-it", ident, "sh") as shell:
        shell.read_until("# ")
        kill_engine(faulty) if whole else faulty.kill_daemon()
        shell.type("echo still-$((3+3))\n")
        shell.read_until("\nstill-6\r\n")
        if whole:
            start(faulty)
        shell.type("exit 5\n")
        assert shell.wait() == 5


def test_an_attached_client_detaches_without_an_engine(faulty: EngineUnderTest) -> None:
    with terminal(faulty, "run", "-it", "--name", "live", "busybox", "sh") as shell:
        shell.read_until("# ")
        kill_engine(faulty)
        shell.type("\x10\x11")
        assert shell.wait() == 0
    assert faulty.paths.run.joinpath("containers").is_dir()
    with terminal(faulty, "attach", "live") as shell:  # starts the next engine
        shell.type("echo back-$((1+1))\n")
        shell.read_until("\nback-2\r\n")
        shell.type("exit 3\n")
        assert shell.wait() == 3


def background(engine: EngineUnderTest, *words: str) -> tuple[threading.Thread, list[Done]]:
    """A command of ours beside the test."""
    found: list[Done] = []
    thread = threading.Thread(target=lambda: found.append(onggi(engine, *words)))
    thread.start()
    return thread, found


def waits_at(engine: EngineUnderTest, ident: str, name: str) -> Path:
    """A file whose making lets a container go on; `name` lies in its /dev/shm."""
    return Path(f"/proc/{engine.state(ident)['Pid']}/root/dev/shm") / name


SCRIPT = "until [ -e /dev/shm/go ]; do sleep 0.01; done; seq 1 1000; exit 9"


def connections(engine: EngineUnderTest) -> int:
    """Open descriptors of the daemon."""
    return sum(1 for _ in Path(f"/proc/{engine.daemon_pid()}/fd").iterdir())


def at_rest(engine: EngineUnderTest) -> int:
    """The same when those who have left are gone: ten looks in a row alike."""
    seen = [connections(engine)]
    while len(seen) < 10 or len(set(seen[-10:])) > 1:
        time.sleep(0.01)
        seen.append(connections(engine))
    return seen[-1]


def test_wait_asks_the_next_engine(faulty: EngineUnderTest) -> None:
    ident = faulty.run("sh", "-c", SCRIPT)
    go, before = waits_at(faulty, ident, "go"), at_rest(faulty)
    thread, found = background(faulty, "wait", ident)
    wait_until(lambda: connections(faulty) > before, "it waits")
    faulty.kill_daemon()
    go.touch()
    thread.join()
    assert (found[0].code, found[0].out) == (0, "9\n"), found


def test_a_follower_of_logs_ends_with_its_engine(faulty: EngineUnderTest) -> None:
    ident = faulty.run("sh", "-c", SCRIPT)
    go, before = waits_at(faulty, ident, "go"), at_rest(faulty)
    thread, found = background(faulty, "logs", "-f", ident)
    wait_until(lambda: connections(faulty) > before, "it follows")
    faulty.kill_daemon()
    go.touch()
    thread.join()
    assert len(found[0].err.splitlines()) <= 1, found
    assert found[0].code != 0 or found[0].out.endswith("1000\n"), found
    assert faulty.wait(ident) == 9
    assert len(faulty.logs(ident).splitlines()) == 1000


def test_a_stop_whose_engine_dies_can_be_repeated(faulty: EngineUnderTest) -> None:
    ident = faulty.run("sh", "-c", "trap '' TERM; while :; do sleep 1; done", host={"NetworkMode": "bridge"})
    since = f"{time.time():.6f}"

    def asked() -> bool:
        query = {
            "since": since,
            "until": f"{time.time():.6f}",
            "filters": {"container": [ident], "event": ["kill"]},
        }
        return bool(list(faulty.client.open("GET", "/events", query).values()))

    thread, found = background(faulty, "stop", "-t", "100", ident)
    wait_until(asked, "it has been asked to end")
    faulty.kill_daemon()
    assert onggi(faulty, "stop", "-t", "0", ident).code == 0
    thread.join()  # it has asked the next engine by itself, or said that its own died
    assert len(found[0].err.splitlines()) <= 2, found
    assert faulty.state(ident)["ExitCode"] == 137


def test_a_paused_container_stays_paused_and_can_lose_its_shim(faulty: EngineUnderTest) -> None:
    ident = faulty.run("sleep", "1000")
    pid = faulty.state(ident)["Pid"]
    faulty.client.post(f"/containers/{ident}/pause")
    faulty.kill_daemon()
    assert faulty.state(ident)["Status"] == "paused"
    os.kill(faulty.shim_pid(ident), signal.SIGKILL)
    assert faulty.wait(ident) == 137
    wait_until(lambda: not running(pid), "frozen processes are killed too")


def test_a_removal_whose_engine_dies_is_finished(faulty: EngineUnderTest) -> None:
    for _ in range(6):
        ident = faulty.run("sleep", "1000", host={"NetworkMode": "bridge"})
        thread, _found = background(faulty, "rm", "-f", ident)
        faulty.kill_daemon()
        thread.join()
        onggi(faulty, "rm", "-f", ident)
        assert not faulty.client.get("/containers/json", {"all": "1"})


def test_a_damaged_database_is_named(faulty: EngineUnderTest) -> None:
    faulty.stop()
    database = faulty.paths.database
    whole = database.read_bytes()
    for damage in (b"no database at all" * 1000, whole[:4096], whole[:100] + os.urandom(len(whole) - 100)):
        database.write_bytes(damage)
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        done = onggi(faulty, "ps", "-a")
        if done.code:
            assert str(database) in done.err and len(done.err.splitlines()) == 1, done
        else:
            faulty.stop()
    database.write_bytes(whole)
    assert onggi(faulty, "images", "-q").code == 0


def test_damaged_leftovers_of_shims_do_not_stop_an_engine(faulty: EngineUnderTest) -> None:
    ident = faulty.run("sh", "-c", "exit 3")
    assert faulty.wait(ident) == 3
    kill_engine(faulty)
    faulty.paths.journal(ident).write_bytes(
        b'{"seq":"x"}\n{"seq":5,"event":{}}\nnull\n[1]\n{"event":"exited","seq":99999}\n\xff\xfe'
    )
    task = faulty.paths.task(ident)
    wait_until(lambda: not task.exists(), "its shim has put its things away")
    task.mkdir()
    (task / "pid").write_text("1\n")
    (task / "shim.sock").write_text("no socket")
    (faulty.paths.run / "containers" / "stranger").mkdir()
    start(faulty)
    assert faulty.state(ident)["Status"] == "exited"
    assert not (faulty.paths.run / "containers" / "stranger").exists()


def test_without_root_there_is_one_line(faulty: EngineUnderTest) -> None:
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", *command(faulty, "ps")[3:]]
    if subprocess.run([*argv[:-3], "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip("this interpreter is root's alone")
    done = subprocess.run(argv, env=faulty.environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and "permission denied" in done.stderr, done.stderr
