"""SIGKILL of daemon, zygote and shim, at rest and at any moment."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import tarfile
import threading
import time

import pytest
from faults_kit import command, kill_engine, onggi, running, start, terminal

from core import errors
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.images import archive, busybox_layer

pytestmark = pytest.mark.root

RUN = ("run", "-it", "--network", "none", "--name", "live", "busybox", "sh")


def test_a_session_outlives_the_daemon(faulty: EngineUnderTest) -> None:
    with terminal(faulty, *RUN) as shell:
        shell.read_until("# ")
        shell.type("echo before-$((1+1))\n")
        shell.read_until("\nbefore-2\r\n")
        faulty.kill_daemon()
        shell.type("echo after-$((2+2))\n")
        shell.read_until("\nafter-4\r\n")
        listed = onggi(faulty, "ps", "--format", "{{.Names}} {{.Status}}")
        assert listed.out.startswith("live Up"), listed
        shell.type("exit 42\n")
        assert shell.wait() == 42
    wait_until(lambda: faulty.state("live")["Status"] == "exited", "the exit is known")
    assert faulty.state("live")["ExitCode"] == 42
    logs = faulty.client.open("GET", "/containers/live/logs", {"stdout": "1"}).read().decode()
    assert "before-2" in logs and "after-4" in logs


def test_a_session_outlives_zygote_and_daemon(faulty: EngineUnderTest) -> None:
    with terminal(faulty, *RUN) as shell:
        shell.read_until("# ")
        pid = faulty.state("live")["Pid"]
        kill_engine(faulty)
        shell.type("echo still-$((3+3))\n")
        shell.read_until("\nstill-6\r\n")
        listed = onggi(faulty, "ps", "--format", "{{.Names}}")  # starts both
        assert listed.out == "live\n", listed
        assert faulty.state("live")["Pid"] == pid
        shell.type("exit 43\n")
        assert shell.wait() == 43


def test_a_run_rm_whose_engine_dies_twice_ends_with_its_code(faulty: EngineUnderTest) -> None:
    with terminal(faulty, "run", "--rm", *RUN[1:]) as shell:
        shell.read_until("# ")
        faulty.kill_daemon()
        faulty.kill_daemon()
        shell.type("exit 44\n")
        assert shell.wait() == 44
    wait_until(lambda: not faulty.client.get("/containers/json", {"all": "1"}), "--rm removes it")


def test_a_run_whose_engine_is_killed_at_any_moment_goes_on_with_the_next(faulty: EngineUnderTest) -> None:
    for delay in range(20, 110, 6):  # ms: from before its first request to after its last answer
        zygote = faulty.zygote_pid()
        client = subprocess.Popen(
            command(faulty, "run", "busybox", "echo", "hi"),
            env=faulty.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        time.sleep(delay / 1000)
        os.kill(zygote, signal.SIGKILL)
        out, err = client.communicate(timeout=30)
        assert (client.returncode, out) == (0, "hi\n"), f"killed after {delay} ms: {err}"
        wait_until(lambda old=zygote: not running(old), "the old engine is gone")
        start(faulty)


def test_a_killed_shim_ends_its_container_and_the_client(faulty: EngineUnderTest) -> None:
    with terminal(faulty, *RUN) as shell:
        shell.read_until("# ")
        pid = faulty.state("live")["Pid"]
        os.kill(faulty.shim_pid(faulty.inspect("live")["Id"]), signal.SIGKILL)
        assert shell.wait() == 137
    assert not running(pid)
    state = faulty.state("live")
    assert (state["ExitCode"], state["Error"], state["Status"]) == (137, "shim lost", "exited")


@pytest.mark.parametrize(("policy", "again"), [("always", True), ("on-failure", True), ("no", False)])
def test_the_policy_holds_for_a_lost_shim(faulty: EngineUnderTest, policy: str, again: bool) -> None:
    ident = faulty.run("sleep", "1000", host={"RestartPolicy": {"Name": policy}, "NetworkMode": "bridge"})
    for _ in range(2 if again else 1):
        pid = faulty.state(ident)["Pid"]
        os.kill(faulty.shim_pid(ident), signal.SIGKILL)
        if again:
            wait_until(lambda old=pid: faulty.state(ident)["Pid"] not in (0, old), "a new shim starts it")
        else:
            assert faulty.wait(ident) == 137
        wait_until(lambda old=pid: not running(old), "the old process is gone")
    assert faulty.inspect(ident)["RestartCount"] == (2 if again else 0)


def test_shims_killed_while_no_engine_runs(faulty: EngineUnderTest) -> None:
    plain = faulty.run("sleep", "1000", host={"NetworkMode": "bridge"})
    always = faulty.run("sleep", "1000", host={"RestartPolicy": {"Name": "always"}, "NetworkMode": "bridge"})
    pids = [faulty.state(ident)["Pid"] for ident in (plain, always)]
    kill_engine(faulty)
    for ident in (plain, always):
        os.kill(faulty.shim_pid(ident), signal.SIGKILL)
    start(faulty)
    wait_until(lambda: faulty.state(always)["Status"] == "running", "always runs again")
    assert (faulty.state(plain)["ExitCode"], faulty.state(plain)["Error"]) == (137, "shim lost")
    assert faulty.state(always)["Pid"] != pids[1]
    wait_until(lambda: not any(map(running, pids)), "what they ran is gone")
    finished = faulty.state(plain)["FinishedAt"]
    kill_engine(faulty)
    start(faulty)
    assert faulty.state(plain)["FinishedAt"] == finished, "it is accounted for once"


BASE = busybox_layer()
WAITS = "until [ -e /go ]; do sleep 0.01; done; exit 9"


# An exec that was made and not yet started is in the memory of the engine that died.
FORGIVEN = ("is gone", "died", "No such exec instance")


class Worker(threading.Thread):
    """Makes, starts, execs, removes and loads until told to stop; counts what it was promised."""

    def __init__(self, engine: EngineUnderTest, number: int) -> None:
        super().__init__()
        self.engine = engine
        self.loaded: list[str] = []
        self.number = number
        self.going = True
        self.kept: dict[str, int] = {}
        self.rounds = 0
        self.problems: list[str] = []

    def run(self) -> None:
        while self.going:
            try:
                self._round()
                self.rounds += 1
            except (errors.EngineUnreachable, OSError):
                time.sleep(0.02)
            except errors.EngineError as error:
                if not any(words in str(error) for words in FORGIVEN):
                    self.problems.append(f"round {self.rounds}: {type(error).__name__}: {error}")

    def _round(self) -> None:
        name = f"w{self.number}-{time.monotonic_ns()}"
        ident = self.engine.create("sh", "-c", WAITS, name=name, host={"NetworkMode": "bridge"})
        self.kept[ident] = -1
        if self.number == 0:
            self._load(f"{name}:1")
        self.engine.client.post(f"/containers/{ident}/start")
        made = self.engine.client.post(f"/containers/{ident}/exec", None, {"Cmd": ["touch", "/go"]})["Id"]
        self.engine.client.open("POST", f"/exec/{made}/start", None, {"Detach": True}).read()
        self.kept[ident] = self.engine.wait(ident)
        if self.rounds % 3:
            self.engine.client.delete(f"/containers/{ident}")
            del self.kept[ident]

    def _load(self, tag: str) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            info = tarfile.TarInfo("payload")
            info.size = 1 << 20
            tar.addfile(info, io.BytesIO(os.urandom(info.size)))
        data = archive([BASE, buffer.getvalue()], tag, {"Cmd": ["true"], "Env": ["PATH=/bin"]})
        if b"Loaded image" in self.engine.client.open("POST", "/images/load", None, data).read():
            self.loaded.append(tag)


def test_killed_at_any_moment(faulty: EngineUnderTest) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    workers = [Worker(faulty, number) for number in range(2)]
    for worker in workers:
        worker.start()
    try:
        for turn in range(20):
            time.sleep(dice.uniform(0.02, 0.5))  # any moment
            if turn % 2:
                kill_engine(faulty)
                start(faulty)
            else:
                faulty.kill_daemon()
    finally:
        for worker in workers:
            worker.going = False
        for worker in workers:
            worker.join()
    assert [worker.problems for worker in workers] == [[], []]
    assert sum(worker.rounds for worker in workers) > 0
    _nothing_lost(faulty, workers)


def _nothing_lost(engine: EngineUnderTest, workers: list[Worker]) -> None:
    for item in engine.client.get("/containers/json"):
        engine.client.post(f"/containers/{item['Id']}/kill")  # whose exec never came
    wait_until(lambda: not engine.client.get("/containers/json"), "what ran has ended")
    there = {item["Id"]: item for item in engine.client.get("/containers/json", {"all": "1"})}
    for worker in workers:
        for ident, code in worker.kept.items():
            if code >= 0 and ident in there:  # a removal whose answer was lost may have been done
                assert engine.state(ident)["ExitCode"] == code
    for ident in there:
        assert engine.state(ident)["Status"] in ("created", "exited")
        engine.client.delete(f"/containers/{ident}")
    images = engine.client.get("/images/json")
    tags = {tag for image in images for tag in image["RepoTags"]}
    assert tags >= {tag for worker in workers for tag in worker.loaded}
    for image in images:
        assert onggi(engine, "run", "--rm", "--network", "none", image["Id"], "true").code == 0
    done = subprocess.run(command(engine, "run", "--rm", "busybox", "true"), env=engine.environment, timeout=60)
    assert done.returncode == 0
