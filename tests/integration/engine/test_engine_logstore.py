"""The log store under a real engine: rotation, compression, drivers, and a shim that is killed in a burst."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from core.errors import EngineError
from core.gzipped import Gzipped, readable
from core.logs import segments
from tests.integration.conftest import PATIENCE, EngineUnderTest, wait_until

pytestmark = [pytest.mark.root, pytest.mark.docker]

BURST = 40_000  # lines
ROTATED = {"Type": "json-file", "Config": {"max-size": "300k", "max-file": "500", "compress": "true"}}


def numbers(text: str) -> list[int]:
    return [int(line) for line in text.splitlines()]


def log_of(engine: EngineUnderTest, ident: str) -> str:
    return str(engine.inspect(ident)["LogPath"])


def docker(engine: EngineUnderTest, *words: str) -> str:
    done = subprocess.run(
        ["docker", *words], env=engine.environment, capture_output=True, timeout=PATIENCE * 2, check=True
    )
    return done.stdout.decode()


def workers(engine: EngineUnderTest, ident: str) -> list[int]:
    keeper = engine.shim_pid(ident)
    children = (Path(f"/proc/{keeper}/task/{keeper}/children")).read_text().split()
    return [int(pid) for pid in children if "worker" in Path(f"/proc/{pid}/comm").read_text()]


def test_a_burst_rotates_is_compressed_and_read_whole_by_everybody(engine: EngineUnderTest) -> None:
    script = f"read go; seq 1 {BURST}; sleep 600"
    ident = engine.create("sh", "-c", script, OpenStdin=True, host={"LogConfig": ROTATED})
    assert engine.inspect(ident)["HostConfig"]["LogConfig"] == ROTATED
    engine.client.post(f"/containers/{ident}/start")
    with subprocess.Popen(
        ["docker", "logs", "-f", ident], env=engine.environment, stdout=subprocess.PIPE
    ) as follower:
        try:
            stdin = engine.client.hijack(f"/containers/{ident}/attach?stdin=1&stream=1")
            stdin.sock.sendall(b"go\n")
            assert follower.stdout is not None
            followed = [int(follower.stdout.readline()) for _ in range(BURST)]
            stdin.close()
        finally:
            follower.kill()
    assert followed == list(range(1, BURST + 1))
    path = log_of(engine, ident)
    wait_until(lambda: not segments.unpacked(path), "all but the last are compressed")
    found = segments.numbers(path)
    assert len(found) > 8
    packed = readable(os.open(f"{path}.{found[0]}.gz", os.O_RDONLY))
    assert isinstance(packed, Gzipped) and 250_000 < packed.size <= 300 * 1024
    packed.close()
    wait_until(lambda: not workers(engine, ident), "the keeper is alone again")
    assert numbers(docker(engine, "logs", ident)) == followed
    assert numbers(docker(engine, "logs", "--tail", "20000", ident)) == followed[-20000:]
    stamped = docker(engine, "logs", "-t", ident).splitlines()
    since, until = (stamped[at].split()[0] for at in (BURST // 3, BURST // 2))
    between = [line.split()[1] for line in stamped if since <= line.split()[0] <= until]
    assert docker(engine, "logs", "--since", since, "--until", until, ident).split() == between
    engine.client.delete(f"/containers/{ident}?force=1")


def test_a_shim_killed_in_a_burst_leaves_whole_lines_and_the_next_goes_on(engine: EngineUnderTest) -> None:
    script = "[ -e /again ] && echo again && exit; touch /again; seq 1 100000000"
    ident = engine.run("sh", "-c", script, host={"LogConfig": ROTATED})
    path = log_of(engine, ident)
    wait_until(lambda: len(segments.numbers(path)) > 3, "it floods")
    os.kill((workers(engine, ident) or [engine.shim_pid(ident)])[0], signal.SIGKILL)
    wait_until(lambda: engine.state(ident)["Status"] == "exited", "the container ends with its shim")
    found = numbers(engine.logs(ident))
    assert found and found == list(range(1, len(found) + 1))
    engine.client.post(f"/containers/{ident}/start")
    engine.wait(ident)
    text = engine.logs(ident)
    assert numbers(text.removesuffix("again\n")) == found and text.endswith("\nagain\n")
    for number in segments.numbers(path)[-2:]:
        data = Path(f"{path}.{number}").read_bytes()
        assert all(json.loads(line) for line in data.splitlines()) and data.endswith(b"\n")
    engine.client.delete(f"/containers/{ident}?force=1")


def test_what_a_container_leaves_is_compressed_and_nobody_waits(engine: EngineUnderTest) -> None:
    ident = engine.run("seq", "1", str(BURST), host={"LogConfig": ROTATED})
    engine.wait(ident)
    path = log_of(engine, ident)
    assert numbers(engine.logs(ident)) == list(range(1, BURST + 1))
    wait_until(lambda: not segments.unpacked(path), "the rest is compressed")
    engine.client.post(f"/containers/{ident}/start")
    engine.wait(ident)
    assert numbers(engine.logs(ident)) == [*range(1, BURST + 1)] * 2
    engine.client.delete(f"/containers/{ident}")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"Type": "journald"}, 'logger: no log driver named "journald" is registered'),
        ({"Type": "json-file", "Config": {"foo": "1"}}, "unknown log opt 'foo' for json-file log driver"),
        (
            {"Type": "json-file", "Config": {"max-size": "1m", "compress": "true"}},
            "failed to initialize logging driver: "
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(engine: EngineUnderTest, config: dict[str, Any], reason: str) -> None:
    with pytest.raises(EngineError) as failed:
        engine.create("true", host={"LogConfig": config})
    assert str(failed.value) == reason


def test_drivers(engine: EngineUnderTest) -> None:
    local = engine.run("echo", "kept", host={"LogConfig": {"Type": "local", "Config": {"max-size": "1m"}}})
    none = engine.run("echo", "gone", host={"LogConfig": {"Type": "none", "Config": {}}})
    for ident in (local, none):
        engine.wait(ident)
    assert engine.logs(local) == "kept\n"
    with pytest.raises(EngineError, match="configured logging driver does not support reading"):
        engine.logs(none)
    assert engine.inspect(none)["HostConfig"]["LogConfig"] == {"Type": "none", "Config": {}}
    for ident in (local, none):
        engine.client.delete(f"/containers/{ident}")
