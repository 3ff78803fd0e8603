"""No byte is lost in a pipe, and no client blocks a container for ever."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time

import pytest
from faults_kit import ONGGI, REPOSITORY, command, terminal

from tests.integration.conftest import EngineUnderTest, wait_until

pytestmark = pytest.mark.root

SIZE = 64 << 20
DOCKER = pytest.param(("docker",), marks=pytest.mark.docker)
CLIENTS = pytest.mark.parametrize("program", [ONGGI, DOCKER], ids=["onggi", "docker"])


def drain(engine: EngineUnderTest, words: tuple[str, ...], program: tuple[str, ...]) -> tuple[int, str, int]:
    """Read a command's output, late: the container has filled every buffer by then. Size, digest, exit code."""
    client = subprocess.Popen(
        command(engine, *words, program=program),
        env=engine.environment,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert client.stdout is not None
    try:
        digest, size = hashlib.sha256(), 0
        settled = time.monotonic() + 0.5  # a reader that is late, not a condition
        while piece := client.stdout.read1(1 << 20):
            time.sleep(max(0.0, settled - time.monotonic()))
            digest.update(piece)
            size += len(piece)
        return size, digest.hexdigest(), client.wait(20)
    finally:
        client.kill()
        client.stdout.close()
        client.wait()


def zeros(size: int) -> str:
    digest, block = hashlib.sha256(), bytes(1 << 20)
    for _ in range(size >> 20):
        digest.update(block)
    return digest.hexdigest()


@CLIENTS
def test_run_loses_nothing(steady: EngineUnderTest, program: tuple[str, ...]) -> None:
    words = (
        "run",
        "--rm",
        "--network",
        "none",
        "--log-driver",
        "none",
        "busybox",
        "head",
        "-c",
        str(SIZE),
        "/dev/zero",
    )
    assert drain(steady, words, program) == (SIZE, zeros(SIZE), 0)


@CLIENTS
def test_exec_loses_nothing(steady: EngineUnderTest, program: tuple[str, ...]) -> None:
    ident = steady.run("sleep", "1000")
    words = ("exec", ident, "head", "-c", str(SIZE), "/dev/zero")
    assert drain(steady, words, program) == (SIZE, zeros(SIZE), 0)
    steady.client.delete(f"/containers/{ident}", {"force": "1"})


@CLIENTS
def test_input_and_output_of_a_pipeline(steady: EngineUnderTest, program: tuple[str, ...]) -> None:
    data = os.urandom(8 << 20)
    done = subprocess.run(
        command(steady, "run", "-i", "--rm", "--network", "none", "--log-driver", "none", "busybox", "cat",
                program=program),
        env=steady.environment, cwd=REPOSITORY, input=data, capture_output=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(data).digest()


def test_the_log_of_a_flood_is_whole(steady: EngineUnderTest) -> None:
    ident = steady.run("seq", "1", "200000")
    assert steady.wait(ident) == 0
    lines = steady.logs(ident).splitlines()
    assert (len(lines), lines[0], lines[-1]) == (200000, "1", "200000")


def test_a_reader_that_leaves_ends_the_writer(steady: EngineUnderTest) -> None:
    ident = steady.create("yes", host={"LogConfig": {"Type": "none"}})
    stream = steady.client.hijack(f"/containers/{ident}/attach", {"stream": "1", "stdout": "1"})
    steady.client.post(f"/containers/{ident}/start")
    stream.sock.recv(1000)
    stream.close()
    before = steady.client.get(f"/containers/{ident}/json")["State"]
    assert before["Running"], "docker too lets it run on"
    steady.client.delete(f"/containers/{ident}", {"force": "1"})


def test_a_stopped_terminal_does_not_hold_its_container(steady: EngineUnderTest) -> None:
    """The slow one: the shim's patience with a terminal is ten seconds."""
    script = "read x; head -c 3000000 /dev/zero; touch /done; exec sleep 1000"
    words = ("run", "-it", "--name", "held", "--network", "none", "busybox", "sh", "-c", script)
    with terminal(steady, *words) as shell:
        wait_until(
            lambda: any("/held" in item["Names"] for item in steady.client.get("/containers/json")), "it runs"
        )
        pid = steady.state("held")["Pid"]
        shell.process.send_signal(signal.SIGSTOP)
        try:
            shell.type("go\n")
            os.kill(shell.process.pid, signal.SIGCONT)
            shell.read_until("\0")
            os.kill(shell.process.pid, signal.SIGSTOP)
            began = time.monotonic()
            done = f"/proc/{pid}/root/done"
            wait_until(lambda: os.path.exists(done), "the container goes on")  # noqa: PTH110
            assert time.monotonic() - began < 15
        finally:
            os.kill(shell.process.pid, signal.SIGCONT)
    steady.client.delete("/containers/held", {"force": "1"})


def test_a_shell_pipeline_with_a_late_reader(steady: EngineUnderTest) -> None:
    if shutil.which("sh") is None:
        pytest.skip("needs a shell")
    text = " ".join(command(steady, "run", "--rm", "--network", "none", "--log-driver", "none", "busybox"))
    size = 1 << 30
    done = subprocess.run(
        ["sh", "-c", f"{text} head -c {size} /dev/zero | (sleep 1; wc -c)"],
        env=steady.environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.stdout.strip() == str(size)
