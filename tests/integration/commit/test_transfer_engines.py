"""Images from engine to engine through the command line, with `sh -c` where ssh would stand."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commit_kit import PROGRAM, image, onggi

from core.cli.failure import CommandFailed
from core.cli.verb.transfer import ssh_command
from tests.integration.conftest import EngineUnderTest, running_engine, wait_until

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def other() -> Iterator[EngineUnderTest]:
    """A second engine, elsewhere."""
    with running_engine() as found:
        yield found


def receiving(engine: EngineUnderTest, *flags: str) -> str:
    """A shell command that runs `image receive` against an engine."""
    where = [
        f"{name}={engine.environment[name]}" for name in ("ONGGI_ROOT", "ONGGI_RUN", "ONGGI_HOST", "DOCKER_HOST")
    ]
    return shlex.join(["env", *where, str(PROGRAM), "image", "receive", *flags])


@pytest.fixture
def made(engine: EngineUnderTest, other: EngineUnderTest) -> Iterator[str]:
    """The id of an image `made:1`, which only one of the engines has."""
    ident = engine.run("sh", "-c", "dd if=/dev/urandom of=/big bs=1M count=20; echo 1 > /small")
    engine.wait(ident)
    found = onggi(engine, "commit", ident, "made:1").strip()
    engine.client.delete(f"/containers/{ident}")
    yield found
    for each in (engine, other):
        for name in ("made:1",):
            each.client.open("DELETE", f"/images/{name}", {"force": "1"}).read() if _has(each, name) else None


def _has(engine: EngineUnderTest, name: str) -> bool:
    return any(name in (found["RepoTags"] or ()) for found in engine.client.get("/images/json"))


def counted(command: str, file: Path) -> str:
    """`command` behind a program that keeps what goes in."""
    return f"tee {shlex.quote(str(file))} | {command}"


def test_one_way_through_a_pipe(engine: EngineUnderTest, other: EngineUnderTest, made: str) -> None:
    command = f"{shlex.quote(str(PROGRAM))} image send made:1 | {receiving(other)}"
    done = subprocess.run(["sh", "-c", command], env=engine.environment, capture_output=True, text=True, check=True)
    assert done.stdout == "Loaded image: made:1\n"
    assert image(other, "made:1")["Id"] == made
    assert other.output("cat", "/small", Image="made:1") == "1\n"


def test_both_ways_only_what_is_missing(
    engine: EngineUnderTest, other: EngineUnderTest, made: str, tmp_path: Path
) -> None:
    went = tmp_path / "went"
    command = counted(receiving(other, "--duplex"), went)
    text = onggi(engine, "image", "send", "--to", command, "made:1")
    assert text.endswith("Loaded image: made:1\n")
    assert image(other, "made:1")["Id"] == made
    assert 20 << 20 < went.stat().st_size < (20 << 20) + 50_000, "its base is there already"
    onggi(engine, "image", "send", "-q", "--to", command, "made:1", "busybox")
    assert went.stat().st_size < 10_000


def test_a_cut_stream_goes_on(engine: EngineUnderTest, other: EngineUnderTest, made: str, tmp_path: Path) -> None:
    ident = engine.run("sh", "-c", "dd if=/dev/urandom of=/more bs=1M count=5", Image="made:1")
    engine.wait(ident)
    onggi(engine, "commit", ident, "made:2")
    cut = f"stdbuf -o0 head -c {22 << 20} | {receiving(other, '--duplex')}"
    text = onggi(engine, "image", "send", "--to", cut, "made:2", code=1)
    assert "the stream has ended early; sent again, it goes on from there" in text
    assert not _has(other, "made:2")
    went = tmp_path / "went"
    onggi(engine, "image", "send", "--to", counted(receiving(other, "--duplex"), went), "made:2")
    assert 5 << 20 < went.stat().st_size < (5 << 20) + 50_000, "the layer that had arrived whole did not go again"
    assert other.output("ls", "/more", "/small", Image="made:2").split() == ["/more", "/small"]
    engine.client.delete(f"/containers/{ident}")
    for each in (engine, other):
        each.client.delete("/images/made:2")


def test_push_to_another_machine_goes_by_ssh(
    engine: EngineUnderTest, other: EngineUnderTest, made: str, tmp_path: Path
) -> None:
    """A program `ssh` that runs what it is told right here, for the other engine."""
    script = f'#!/bin/sh\necho "$@" > {tmp_path}/called\nexec {receiving(other, "--duplex")}\n'
    (tmp_path / "ssh").write_text(script)
    (tmp_path / "ssh").chmod(0o755)
    environment = {**engine.environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [PROGRAM, "push", "ssh://me@far:2222", "made:1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "Loaded image: made:1\n"
    assert image(other, "made:1")["Id"] == made
    assert (tmp_path / "called").read_text() == "-p 2222 -l me -- far onggi image receive --duplex\n"
    assert "requires at least 2 arguments" in onggi(engine, "push", "ssh://far", code=1)
    assert "requires 1 argument" in onggi(engine, "push", "a", "b", code=1)


def test_what_goes_wrong_on_the_other_side_is_said(engine: EngineUnderTest, made: str) -> None:
    send = ("image", "send", "--to")
    assert "ended before everything had arrived (exit code 7)" in onggi(engine, *send, "exit 7", "made:1", code=1)
    assert "it says hello" in onggi(engine, *send, "echo hello; cat >/dev/null", "made:1", code=1)
    assert "no disk" in onggi(engine, *send, """echo '{"error":"no disk"}'; exit 1""", "made:1", code=1)
    want = """echo '{"want":["sha256:%s"]}'; cat >/dev/null""" % ("0" * 64)
    assert "ended before everything had arrived" in onggi(engine, *send, want, "made:1", code=1)
    assert "No such image: nope" in onggi(engine, *send, "true", "nope", code=1)


def test_what_is_no_stream_is_told_with_what_to_do(engine: EngineUnderTest) -> None:
    archive = engine.client.open("GET", "/images/get", {"names": "busybox"}).read()
    text = onggi(engine, "image", "receive", stdin=archive, code=1)
    assert text == "the stream is not from `image send`; an archive of `save` is for `load`\n"
    assert "ended early" in onggi(engine, "image", "receive", code=1)


def test_a_sender_that_dies_leaves_nothing_waiting(
    engine: EngineUnderTest, other: EngineUnderTest, made: str
) -> None:
    command = f"{receiving(other, '--duplex')} | (head -n 1; sleep 1000)"
    sender = subprocess.Popen(
        [PROGRAM, "image", "send", "--to", f"exec sh -c {shlex.quote(command)}", "made:1"],
        env=engine.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
    )  # fmt: skip
    wait_until(lambda: any(_ingest(other)) or _has(other, "made:1"), "bytes arrive")
    os.killpg(sender.pid, 9)
    sender.wait()
    wait_until(lambda: not any(_ingest(other)), "nothing half-written stays")
    onggi(engine, "image", "send", "--to", receiving(other, "--duplex"), "made:1")


def _ingest(engine: EngineUnderTest) -> list[Path]:
    return list((engine.paths.content / "ingest").iterdir())


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("ssh://host", ["ssh", "--", "host"]),
        ("ssh://me@host:2222", ["ssh", "-p", "2222", "-l", "me", "--", "host"]),
        ("ssh://[::1]/", ["ssh", "--", "::1"]),
    ],
)
def test_ssh_is_called_with_what_the_address_says(url: str, command: list[str]) -> None:
    assert ssh_command(url) == [*command, "onggi", "image", "receive", "--duplex"]


@pytest.mark.parametrize(
    "url",
    [
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://-l@host",
        "ssh://h/path",
        "ssh://u:p@h",
        "ssh://h:x",
        "http://h",
        "h",
    ],
)
def test_no_address_becomes_an_option(url: str) -> None:
    with pytest.raises(CommandFailed, match="invalid address"):
        ssh_command(url)
