"""Bad input: one clear line, the right code, and an engine that lives on and keeps no descriptor."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faults_kit import Terminal, onggi

from core import errors
from tests.integration.conftest import EngineUnderTest, wait_until

pytestmark = pytest.mark.root

LONG = "x" * 70_000


@pytest.fixture(scope="module", autouse=True)
def holder(steady: EngineUnderTest) -> Iterator[str]:
    """A running container that has a name and a port; the engine must be the same one at the end."""
    daemon = steady.daemon_pid()
    bindings = {"80/tcp": [{"HostPort": "18080"}]}
    yield steady.run("sleep", "1000", name="holder", host={"NetworkMode": "bridge", "PortBindings": bindings})
    assert steady.daemon_pid() == daemon, "the engine died of bad input"
    log = steady.paths.engine_log.read_text()
    assert "Traceback" not in log, log[-4000:]


RUN_LINES: list[tuple[tuple[str, ...], int, str]] = [
    (("UPPER",), 125, "invalid reference format"),
    (("busybox", "nosuch"), 127, 'exec: "nosuch": executable file not found in $PATH'),
    (("busybox", "/nope/x"), 127, "no such file or directory"),
    (("busybox", "/etc"), 126, 'exec: "/etc": is a directory'),
    (("busybox", "/etc/passwd"), 126, 'exec: "/etc/passwd": permission denied'),
    (("-w", "/etc/passwd", "busybox", "true"), 125, "not a directory"),
    (("-w", "/proc/self/fd/7", "busybox", "true"), 125, "/proc/self/fd/7"),
    (("-w", "relative", "busybox", "true"), 125, "it needs to be an absolute path"),
    (("--name", "a b", "busybox"), 125, "Invalid container name (a b)"),
    (("--name", "a\nb", "busybox"), 125, "Invalid container name (a\\nb)"),
    (("--name", "holder", "busybox"), 125, 'The container name "/holder" is already in use'),
    (("--name", LONG, "busybox"), 125, "Invalid container name"),
    (("-p", "18080:80", "busybox", "true"), 125, "port is already allocated"),
    (("-p", "99999:80", "busybox"), 125, "99999"),
    (("-m", "1m", "busybox"), 125, "Minimum memory limit allowed is 6MB"),
    (("-m", "99999999999999999999g", "busybox"), 125, "invalid size"),
    (("--cpus", "99", "busybox"), 125, "Range of CPUs is from 0.01 to"),
    (("--pids-limit", "-7", "busybox"), 125, "invalid pids limit"),
    (("-v", "a:b", "busybox"), 125, "mount path must be absolute"),
    (("-v", "a b:/x", "busybox"), 125, "invalid characters for a local volume name"),
    (("-v", "x:/y:bad", "busybox"), 125, "invalid mode: bad"),
    (("-v", "/x:/", "busybox"), 125, "destination can't be '/'"),
    (("-u", "nosuch", "busybox", "true"), 125, "unable to find user nosuch"),
    (("-u", "99999999999", "busybox", "true"), 125, "must be in range 0-2147483647"),
    (("--hostname", "a\nb", "busybox", "true"), 125, "invalid hostname format"),
    (("--add-host", "x\ny:1.2.3.4", "busybox", "true"), 125, "bad format for add-host"),
    (("--entrypoint", "", "busybox"), 125, "No command specified"),
    (("--cap-add", "NOSUCH", "busybox"), 125, "unknown capability"),
    (("--network", "nosuch", "busybox"), 125, "network nosuch not found"),
    (("--env-file", "/nonexistent", "busybox"), 125, "open /nonexistent: no such file or directory"),
]


@pytest.mark.parametrize(("words", "code", "text"), RUN_LINES, ids=[" ".join(row[0])[:40] for row in RUN_LINES])
def test_run_says_what_is_wrong(steady: EngineUnderTest, words: tuple[str, ...], code: int, text: str) -> None:
    done = onggi(steady, "run", "--rm", *words)
    assert (done.code, done.out) == (code, "")
    first, *rest = done.err.splitlines()
    assert text in done.err, done.err
    assert not [line for line in rest if line and not line.startswith(("Run 'onggi", "Usage: "))], done.err
    assert first.isprintable()
    names = [item["Names"] for item in steady.client.get("/containers/json", {"all": "1"})]
    assert names == [["/holder"]], "nothing is left of a run that failed"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("run", "nosuch"), 125, "Unable to find image 'nosuch:latest' locally"),
        (("run", "--nosuch", "busybox"), 125, "unknown flag: --nosuch"),
        (("run", "--restart", "sometimes", "busybox"), 125, "invalid restart policy 'sometimes'"),
        (("run",), 1, "requires at least 1 argument"),
        (("frobnicate",), 1, "unknown command: onggi frobnicate"),
        (("run", "-it", "busybox"), 1, "the input device is not a TTY"),
        (("exec", "-it", "holder", "sh"), 1, "the input device is not a TTY"),
        (("exec", "holder", "nosuch"), 127, "executable file not found in $PATH"),
        (("exec", "holder", "/etc"), 126, "is a directory"),
        (("exec", "nosuch", "true"), 1, "No such container: nosuch"),
        (("start", "nosuch"), 1, "No such container: nosuch"),
        (("rm", "holder"), 1, "You cannot remove a running container"),
        (("rm", "-f", "nosuch"), 0, "No such container: nosuch"),
        (("rmi", "busybox"), 1, "conflict: unable to"),
        (("kill", "-s", "FOO", "holder"), 1, "Invalid signal: FOO"),
        (("inspect", LONG), 1, "invalid reference format"),
        (("logs", "--since", "99999999999999999", "holder"), 1, "invalid time"),
        (("load", "-i", "/etc/passwd"), 1, "not a tar archive"),
        (("tag", "busybox", "BAD"), 1, "invalid reference format"),
        (("ps", "--format", "{{"), 1, "unclosed action"),
        (("-H", "unix:///nonexistent/s", "ps"), 1, "no such file or directory"),
    ],
)
def test_every_verb_says_what_is_wrong(
    steady: EngineUnderTest, words: tuple[str, ...], code: int, text: str
) -> None:
    done = onggi(steady, *words)
    assert done.code == code, done
    assert text in done.err + done.out
    assert "Traceback" not in done.err


def test_a_large_environment_and_long_arguments_arrive(steady: EngineUnderTest) -> None:
    script = "echo ${#A} $# ${#1} ${#2}"
    words = ("-e", f"A={LONG}", "-l", f"{LONG}=1", "busybox", "sh", "-c", script, "sh", LONG, LONG)
    done = onggi(steady, "run", "--rm", "--network", "none", *words)
    assert (done.code, done.out) == (0, "70000 2 70000 70000\n"), done.err[:500]
    with pytest.raises(errors.InvalidArgument, match="invalid argument: longer than"):
        steady.create("true", LONG + LONG)


def head(method: str, path: str, *, length: int | None = None, more: str = "") -> bytes:
    size = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{size}{more}\r\n".encode()


def create(document: Any) -> bytes:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return head("POST", "/containers/create", length=len(body)) + body


def with_host(**members: Any) -> bytes:
    return create({"Image": "busybox", "Cmd": ["true"], "HostConfig": members})


BAD_REQUESTS: dict[str, tuple[bytes, int]] = {
    "garbage": (b"\0\1\2\r\n\r\n", 400),
    "tls": (bytes.fromhex("16030100") + b"x" * 200, 400),
    "http 0.9": (b"GET /\r\n\r\n", 400),
    "no host": (b"GET /_ping HTTP/1.1\r\n\r\n", 400),
    "a huge header": (head("GET", "/_ping", more=f"A: {'x' * 2_000_000}\r\n"), 400),
    "a negative length": (head("POST", "/containers/create", length=-1), 400),
    "two lengths": (head("POST", "/containers/create", length=1, more="Content-Length: 2\r\n"), 400),
    "an unknown route": (head("GET", "/nope"), 404),
    "an unknown method": (head("PATCH", "/containers/json"), 404),
    "a version to come": (head("GET", "/v9.99/info"), 400),
    "dots": (head("GET", "/containers/%2e%2e%2f%2e%2e/json"), 404),
    "a NUL": (head("GET", "/containers/a%00b/json"), 404),
    "no UTF-8": (head("GET", "/containers/%ff/json"), 404),
    "no JSON": (create(b"no"), 400),
    "an empty body": (create(b""), 400),
    "a list": (create([]), 400),
    "depth": (create(b"[" * 100_000), 400),
    "depth of objects": (create(b'{"HostConfig":' * 50_000), 400),
    "an endless number": (create(b'{"Image":"b","HostConfig":{"Memory":1' + b"0" * 5000 + b"}}"), 400),
    "a number of 65 bits": (with_host(Memory=1 << 64), 400),
    "a number of 64 bits": (with_host(PidsLimit=1 << 63), 400),
    "a float": (with_host(Memory=1.5), 400),
    "a text for a number": (with_host(Memory="1g"), 400),
    "a NUL in a bind": (with_host(Binds=["/a\0b:/c"]), 400),
    "half a character": (create(b'{"Image":"busybox","Cmd":["\\ud800"]}'), 400),
    "too large": (create(b"x" * (5 << 20)), 400),
    "every CPU there could be": (with_host(CpusetCpus="0-18446744073709551615"), 400),
    "an endless size": (with_host(LogConfig={"Type": "json-file", "Config": {"max-size": "9" * 5000}}), 400),
    "an unknown mount": (with_host(Mounts=[{"Type": "weird", "Target": "/x"}]), 400),
    "a sysctl of the host": (with_host(Sysctls={"kernel.core_pattern": "|/x"}), 400),
    "filters": (head("GET", "/containers/json?filters=no"), 400),
    "a time beyond time": (head("GET", f"/containers/holder/logs?stdout=1&since={'9' * 30}"), 400),
    "a strange digit": (head("GET", "/containers/holder/logs?stdout=1&since=%C2%B2"), 400),
    "a terminal of giants": (head("POST", "/containers/holder/resize?h=99999999999&w=-1", length=0), 400),
    "a signal": (head("POST", "/containers/holder/kill?signal=99999", length=0), 400),
    "a condition": (head("POST", "/containers/holder/wait?condition=x", length=0), 400),
}


def ask(engine: EngineUnderTest, data: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to raw bytes."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(str(engine.paths.socket))
        answer = b""
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has answered and gone before it had everything
        try:
            while piece := sock.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
    first, _, body = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]) if first else 0, body


@pytest.mark.parametrize(("data", "status"), BAD_REQUESTS.values(), ids=BAD_REQUESTS)
def test_a_bad_request_is_answered(steady: EngineUnderTest, data: bytes, status: int) -> None:
    found, body = ask(steady, data)
    assert found == status, body
    message = json.loads(body)["message"]
    assert message and message.isprintable()


@pytest.mark.parametrize(
    "data",
    [
        head("POST", "/containers/create", length=100) + b"{}",
        head("POST", "/containers/create", more="Transfer-Encoding: chunked\r\n") + b"ZZ\r\n",
        b"GET /_ping HT",
        b"",
    ],
    ids=["a cut body", "a broken chunk", "half a line", "nothing"],
)
def test_a_cut_request_is_dropped(steady: EngineUnderTest, data: bytes) -> None:
    assert ask(steady, data)[0] in (0, 400)
    assert steady.answers()


def count(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir())


def test_broken_clients_leave_no_descriptor(steady: EngineUnderTest, holder: str) -> None:
    folder = Path(f"/proc/{steady.daemon_pid()}/fd")
    shim = Path(f"/proc/{steady.shim_pid(holder)}/fd")
    assert steady.answers()
    before, before_shim = count(folder), count(shim)
    upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
    requests = [
        head("GET", "/events"),
        head("GET", "/containers/holder/logs?stdout=1&follow=1"),
        head("GET", "/containers/holder/stats"),
        head("POST", "/containers/holder/wait", length=0),
        head("POST", "/containers/holder/attach?stream=1&stdout=1", length=0, more=upgrade),
        head("POST", "/images/load", length=1 << 30) + b"x" * 100_000,
        head("GET", "/containers/holder/export"),
        head("POST", "/containers/create", length=1 << 20) + b"{",
        b"GET /containers/js",
        head("GET", "/images/get?names=busybox"),
    ]
    for number in range(200):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(steady.paths.socket))
        sock.sendall(requests[number % len(requests)])
        if number % 3 == 0:  # some leave in the middle of the answer, some before it
            sock.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                sock.recv(100)
        sock.close()
    wait_until(lambda: count(folder) <= before + 5, "the engine lets go of who has left")
    wait_until(lambda: count(shim) <= before_shim, "so does the shim")
    assert not list(steady.paths.content.glob("ingest/*"))


def test_a_client_that_dies_in_a_session_is_forgotten(steady: EngineUnderTest, holder: str) -> None:
    shim = Path(f"/proc/{steady.shim_pid(holder)}/fd")
    before = count(shim)
    for _ in range(5):
        shell = Terminal(steady, "exec", "-it", "holder", "sh")
        shell.read_until("# ")
        shell.process.kill()
        shell.close()
    for pid in steady.client.get("/containers/holder/top")["Processes"]:
        assert pid
    steady.client.post("/containers/holder/kill", {"signal": "KILL"})
    steady.wait(holder)
    steady.client.post("/containers/holder/start")
    shim = Path(f"/proc/{steady.shim_pid(holder)}/fd")
    assert count(shim) <= before
