"""Docker's own command line client against our socket."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from tests.integration.conftest import PATIENCE, EngineUnderTest, wait_until

pytestmark = [pytest.mark.root, pytest.mark.docker]


def docker(engine: EngineUnderTest, *words: str, stdin: bytes = b"", code: int | None = 0) -> str:
    done = subprocess.run(
        ["docker", *words], input=stdin, env=engine.environment, capture_output=True, timeout=60, check=False
    )
    text = (done.stdout + done.stderr).decode()
    if code is not None:
        assert done.returncode == code, text
    return text


NONE = ("--network", "none")


def test_version_info_and_ping(engine: EngineUnderTest) -> None:
    assert "onggi" in docker(engine, "version")
    assert json.loads(docker(engine, "info", "--format", "{{json .}}"))["Driver"] == "overlay2"


def test_run_gives_output_and_exit_code(engine: EngineUnderTest) -> None:
    assert docker(engine, "run", "--rm", *NONE, "busybox", "echo", "hi") == "hi\n"
    assert docker(engine, "run", "--rm", *NONE, "busybox", "sh", "-c", "exit 3", code=3) == ""
    assert "not found" in docker(engine, "run", "--rm", *NONE, "busybox", "nosuch", code=127)
    assert docker(engine, "run", "-i", "--rm", *NONE, "busybox", "cat", stdin=b"typed\n") == "typed\n"
    assert docker(engine, "ps", "-aq") == ""


@pytest.mark.docker_words
def test_run_of_a_folder_cannot_be_executed(engine: EngineUnderTest) -> None:
    """Docker's client knows the code by the words of the error; before 28 it knew other words."""
    docker(engine, "run", "--rm", *NONE, "busybox", "/etc", code=126)


def test_the_usual_verbs(engine: EngineUnderTest) -> None:
    ident = docker(
        engine, "run", "-d", "--name", "web", *NONE, "busybox", "sh", "-c", "echo hello; sleep 60"
    ).strip()
    assert len(ident) == 64
    assert docker(engine, "ps", "--format", "{{.Names}} {{.Image}} {{.State}}") == "web busybox running\n"
    assert docker(engine, "exec", "web", "echo", "inside") == "inside\n"
    docker(engine, "exec", "web", "nosuch", code=127)
    assert docker(engine, "logs", "web") == "hello\n"
    assert json.loads(docker(engine, "inspect", "web"))[0]["State"]["Running"] is True
    assert "sleep 60" in docker(engine, "top", "web")
    assert docker(engine, "stats", "--no-stream", "--format", "{{.Name}}", "web") == "web\n"
    assert docker(engine, "rename", "web", "web2") == ""
    assert docker(engine, "pause", "web2") == "web2\n"
    assert docker(engine, "unpause", "web2") == "web2\n"
    assert docker(engine, "stop", "-t", "1", "web2") == "web2\n"
    assert docker(engine, "wait", "web2") == "137\n"
    assert docker(engine, "start", "web2") == "web2\n"
    assert docker(engine, "kill", "web2") == "web2\n"
    assert docker(engine, "rm", "-f", "web2") == "web2\n"
    assert "No such container: web2" in docker(engine, "logs", "web2", code=1)


def test_images_go_out_and_come_in(engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("archives")
    before = docker(engine, "images", "-q", "--no-trunc", "busybox")
    docker(engine, "tag", "busybox", "mine:1")
    docker(engine, "save", "-o", str(folder / "a.tar"), "mine:1")
    assert "Untagged: mine:1" in docker(engine, "rmi", "mine:1")
    assert docker(engine, "load", "-i", str(folder / "a.tar")).strip().endswith("Loaded image: mine:1")
    assert docker(engine, "images", "-q", "--no-trunc", "mine:1") == before
    docker(engine, "rmi", "mine:1")
    docker(engine, "create", "--name", "flat", *NONE, "busybox", "true")
    docker(engine, "export", "-o", str(folder / "r.tar"), "flat")
    docker(engine, "import", str(folder / "r.tar"), "flat:1")
    assert "No command specified" in docker(engine, "run", "--rm", *NONE, "flat:1", code=125)
    assert docker(engine, "run", "--rm", *NONE, "flat:1", "/bin/echo", "x") == "x\n"
    docker(engine, "rm", "flat")
    docker(engine, "rmi", "flat:1")


def session(engine: EngineUnderTest, words: list[str], typed: list[tuple[bytes, bytes]]) -> int:
    """Run docker on a terminal: for each pair, wait for the first and type the second. Its exit code."""
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe("docker", ["docker", *words], engine.environment)
    seen = b""

    def more() -> bytes:
        readable, _, _ = select.select([master], [], [], PATIENCE)
        if not readable:
            os.kill(pid, signal.SIGKILL)
            pytest.fail(f"docker {' '.join(words)} said nothing more after {seen!r}")
        try:
            return os.read(master, 4096)
        except OSError:  # EIO: the other side of the terminal is closed
            return b""

    try:
        for word, answer in typed:
            while word not in seen:
                piece = more()
                assert piece, f"docker {' '.join(words)} ended after {seen!r}"
                seen += piece
            seen = b""
            os.write(master, answer)
        while more():
            pass
    finally:
        os.close(master)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code


def test_a_root_file_system_is_imported_from_a_url(engine: EngineUnderTest, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "root.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("hello"))
    command = [
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        "--directory",
        str(tmp_path),
        "8099",
    ]
    server = subprocess.Popen(  # the engine has a network of its own
        ["nsenter", f"--net={engine.netns}", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert server.stdout is not None and b"Serving HTTP" in server.stdout.readline()
        url = "http://127.0.0.1:8099"
        said = docker(engine, "import", "-c", 'CMD ["/x"]', f"{url}/root.tar", "from-url:1")
        assert f"Downloading from {url}/root.tar" in said
        refused = docker(engine, "import", f"{url}/none.tar", "from-url:2", code=1)
        assert f"failed to GET {url}/none.tar with status 404" in refused
    finally:
        server.kill()
        server.communicate()
    found = json.loads(docker(engine, "inspect", "from-url:1"))[0]
    assert found["Id"] in said and found["Config"]["Cmd"] == ["/x"]
    assert found["Comment"] == f"Imported from {url}/root.tar"
    docker(engine, "rmi", "from-url:1")


def test_a_terminal_session_with_detach_and_attach(engine: EngineUnderTest) -> None:
    run = ["run", "-it", "--name", "tty", *NONE, "busybox", "sh"]
    assert session(engine, run, [(b"# ", b"\x10\x11")]) == 0
    assert docker(engine, "ps", "--format", "{{.Names}}") == "tty\n"
    assert session(engine, ["attach", "tty"], [(b"", b"echo $((1+1))x\n"), (b"2x", b"exit 5\n")]) == 5
    docker(engine, "rm", "tty")


def test_volumes_and_networks_are_listed(engine: EngineUnderTest) -> None:
    assert docker(engine, "volume", "create", "v1") == "v1\n"
    assert "v1" in docker(engine, "volume", "ls", "-q").split()
    docker(engine, "volume", "rm", "v1")
    assert {"bridge", "host", "none"} <= set(docker(engine, "network", "ls", "--format", "{{.Name}}").split())
    assert "Images" in docker(engine, "system", "df")


def test_a_slow_pipeline_loses_no_byte(engine: EngineUnderTest) -> None:
    size = 200_000_000
    words = ["docker", "run", "--rm", *NONE, "busybox", "head", "-c", str(size), "/dev/zero"]
    producer = subprocess.Popen(words, stdout=subprocess.PIPE, env=engine.environment)
    try:
        counter = subprocess.run(
            ["sh", "-c", "sleep 1; wc -c"], stdin=producer.stdout, capture_output=True, timeout=90, check=True
        )
        assert int(counter.stdout) == size
        assert producer.wait(timeout=20) == 0
    finally:
        assert producer.stdout is not None
        producer.stdout.close()
        producer.kill()
        producer.wait()


def test_health_flags_list_filter_and_events(engine: EngineUnderTest) -> None:
    flags = ("--health-cmd", "test ! -e /ill", "--health-interval", "100ms", "--health-retries", "1")
    ident = docker(engine, "run", "-d", "--name", "sick", *NONE, *flags, "busybox", "sleep", "1000").strip()
    wait_until(lambda: "(healthy)" in docker(engine, "ps"), "it is healthy")
    docker(engine, "exec", "sick", "touch", "/ill")
    wait_until(lambda: "(unhealthy)" in docker(engine, "ps"), "it is not")
    assert docker(engine, "ps", "-q", "--no-trunc", "--filter", "health=unhealthy") == f"{ident}\n"
    found = json.loads(docker(engine, "inspect", "-f", "{{json .State.Health}}", "sick"))
    assert found["Status"] == "unhealthy" and found["Log"][-1]["ExitCode"] == 1
    until = str(int(time.time()) + 1)  # this client cuts times to whole seconds
    filters = ("--filter", "event=health_status", "--filter", "container=sick")
    said = docker(engine, "events", "--since", "1m", "--until", until, *filters, "--format", "{{.Action}}")
    assert said.splitlines() == ["health_status: healthy", "health_status: unhealthy"]
    docker(engine, "rm", "-f", "sick")
    docker(engine, "run", "--rm", "--init", *NONE, "--no-healthcheck", "busybox", "true")
