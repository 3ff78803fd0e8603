"""Builds that end badly: a client that leaves, an engine that dies, floods, two at once. Nothing stays of them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.integration.faults.faults_kit import Leftovers

pytestmark = pytest.mark.root

SECONDS = 1_000_000 + os.getpid()  # by which the program is known
SLOW = f"""FROM busybox
RUN echo first > /first
RUN --mount=type=tmpfs,target=/t --mount=type=cache,target=/c \\
    echo begun; (sleep {SECONDS} &) ; touch /t/x; trap '' TERM INT; sleep {SECONDS}
RUN echo never
"""


def context_of(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(text)
    return folder


def build(cli: Cli, folder: Path, *asked: str) -> subprocess.Popen[bytes]:
    """A build on its way, its progress on a pipe."""
    argv = cli.argv("build", "--progress", "rawjson", *asked, str(folder))
    return subprocess.Popen(argv, env=cli.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def events_until(process: subprocess.Popen[bytes], kind: str) -> list[dict[str, Any]]:
    assert process.stdout is not None
    found = []
    for line in process.stdout:
        found.append(json.loads(line))
        if found[-1].get("Event") == kind:
            return found
    raise AssertionError((found, process.stderr and process.stderr.read()))


def left(engine: EngineUnderTest) -> list[str]:
    """What builds leave behind apart from what containers do: folders and active snapshots."""
    root, run = engine.paths.root, engine.paths.run
    found = [str(path) for place in (root / "build", run / "build") for path in place.glob("*")]
    with sqlite3.connect(f"file:{engine.paths.database}?mode=ro", uri=True) as db:
        found += [row[0] for row in db.execute("SELECT * FROM snapshot") if "build-" in str(row)]
    db.close()
    return found


def programs() -> list[str]:
    """Processes of the slow step, shim or no shim."""
    found, mark = [], f"sleep\0{SECONDS}\0".encode()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and (process / "cmdline").read_bytes() == mark:
                found.append(process.name)
        except OSError:
            continue
    return found


def nothing_left(engine: EngineUnderTest, leftovers: Leftovers) -> None:
    wait_until(lambda: not programs(), "the program and its children end")
    wait_until(lambda: not left(engine), "the build's folders and snapshots go")
    leftovers.none()


def cached(cli: Cli, folder: Path, *asked: str) -> int:
    return cli("build", *asked, str(folder)).err.count("CACHED")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_client_that_leaves_ends_its_build(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest, how: signal.Signals
) -> None:
    leftovers = Leftovers(engine)
    process = build(cli, context_of(tmp_path / "c", SLOW), "--no-cache")
    events_until(process, "output")
    process.send_signal(how)
    process.communicate(timeout=20)
    nothing_left(engine, leftovers)
    newest = engine.client.get("/onggi/v1/builds")[0]
    assert newest["Outcome"] == "cancelled" and newest["Done"] == 2
    context_of(tmp_path / "c", "\n".join(SLOW.splitlines()[:2]))
    assert cached(cli, tmp_path / "c") == 1  # what was done is kept


@pytest.mark.docker
@pytest.mark.skipif(not shutil.which("docker"), reason="Docker's client is not installed")
@pytest.mark.parametrize("moment", [b"Step 3/4 :", b"begun\n"])  # before the step has begun, and in its middle
def test_dockers_client_that_leaves_ends_its_build(engine: EngineUnderTest, tmp_path: Path, moment: bytes) -> None:
    leftovers = Leftovers(engine)
    context_of(tmp_path / "c", SLOW)
    environment = {**engine.environment, "DOCKER_BUILDKIT": "0"}
    command = ["docker", "build", "--no-cache", str(tmp_path / "c")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        bound = threading.Timer(60, process.kill)  # a word that never comes must not hold anybody up
        bound.start()
        try:
            assert any(line.startswith(moment) for line in process.stdout), "the step has not said its word"
            process.send_signal(signal.SIGINT)
            process.wait(20)
        finally:
            bound.cancel()
            process.kill()
    nothing_left(engine, leftovers)


def test_an_engine_that_is_killed_in_the_middle_leaves_the_next_one_nothing(
    fresh_engine: EngineUnderTest, tmp_path: Path
) -> None:
    engine, cli = fresh_engine, Cli(fresh_engine.environment)
    leftovers = Leftovers(engine)
    folder = context_of(tmp_path / "c", SLOW)
    (folder / "secret").write_text("x")
    process = build(cli, folder)
    events_until(process, "output")
    wait_until(lambda: len(programs()) == 2, "the program runs")
    engine.kill_daemon()
    process.communicate(timeout=20)
    assert process.returncode == 1
    nothing_left(engine, leftovers)
    newest = engine.client.get("/onggi/v1/builds")[0]
    assert newest["Outcome"] == "lost"
    assert "begun" in cli.ok("builder", "logs")
    context_of(folder, "\n".join(SLOW.splitlines()[:2]))
    assert cached(cli, folder) == 1


def test_an_engine_that_is_stopped_ends_its_builds(fresh_engine: EngineUnderTest, tmp_path: Path) -> None:
    engine, cli = fresh_engine, Cli(fresh_engine.environment)
    leftovers = Leftovers(engine)
    ident = cli.ok("build", "-d", str(context_of(tmp_path / "c", SLOW)))
    wait_until(lambda: "begun" in cli.ok("builder", "logs", ident), "the program begins")
    engine.stop()
    assert not left(engine)
    engine.start()
    nothing_left(engine, leftovers)
    assert engine.client.get("/onggi/v1/builds")[0]["Outcome"] == "cancelled"


def test_a_flood_of_output_costs_neither_memory_nor_disk(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    flood = "FROM busybox\nRUN yes xxxxxxxxxxxxxxx | head -c 100000000; echo; echo the end\n"
    folder = context_of(tmp_path / "c", flood)
    pid = engine.daemon_pid()
    before = memory(pid)
    ident = cli.ok("build", "--no-cache", "-d", str(folder))
    done = cli("builder", "logs", "-f", "--progress", "quiet", ident)
    assert done.code == 0, done
    assert memory(pid) - before < 64 << 20
    build = engine.client.get(f"/onggi/v1/builds/{ident}")
    assert build["Outcome"] == "done" and build["Output"] > 100_000_000
    assert (engine.paths.root / "builds" / ident / "log").stat().st_size < 3 << 20
    log = cli.ok("builder", "logs", ident)
    assert "bytes of output are left out here" in log and "the end" in log


def memory(pid: int) -> int:
    """The most that a process has had in memory, in bytes."""
    status = (Path("/proc") / str(pid) / "status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_a_slow_client_holds_the_program_and_not_the_engine(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest
) -> None:
    folder = context_of(tmp_path / "c", "FROM busybox\nRUN yes | head -c 50000000\n")
    pid = engine.daemon_pid()
    before = memory(pid)
    process = build(cli, folder, "--no-cache")
    events_until(process, "output")
    time.sleep(1.0)  # nobody reads
    assert memory(pid) - before < 64 << 20
    process.kill()
    process.communicate(timeout=20)


def test_many_files_are_copied(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    folder = context_of(tmp_path / "c", "FROM busybox\nCOPY tree /tree\nRUN find /tree -type f | wc -l\n")
    for outer in range(25):
        place = folder / "tree" / f"{outer:02}"
        place.mkdir(parents=True)
        for inner in range(200):
            (place / f"file-{inner}").write_bytes(b"%d %d" % (outer, inner))
    done = cli("build", "--no-cache", "-t", "many:1", str(folder))
    assert done.code == 0 and " 5000" in done.err, done.err
    (folder / "tree/20/file-7").write_text("changed")
    again = cli("build", "-t", "many:1", str(folder))
    assert "not cached: COPY tree changed: 20/file-7" in again.err
    assert cached(cli, folder) == 2


def test_two_builds_of_the_same_thing_at_once_agree(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    text = "FROM busybox\nARG SOURCE_DATE_EPOCH=1\nCOPY f /f\n" + "".join(
        f"RUN echo {n} > /{n}\n" for n in range(4)
    )
    folder = context_of(tmp_path / "c", text)
    (folder / "f").write_text("x")
    argv = cli.argv("build", "-q", "--no-cache", "--build-arg", "SOURCE_DATE_EPOCH=1000", str(folder))
    pair = [subprocess.Popen(argv, env=cli.environment, stdout=subprocess.PIPE) for _ in range(2)]
    images = [process.communicate(timeout=60)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0]
    assert images[0].startswith(b"sha256:")
    for image in images:
        assert cli.ok("run", "--rm", "--network", "none", image.decode().strip(), "cat", "/3") == "3"


def test_prunes_while_builds_go_on_take_nothing_from_them(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest
) -> None:
    text = "FROM busybox\n" + "".join(f"RUN echo {n}-$V > /{n}\n" for n in range(6))
    folder = context_of(tmp_path / "c", text)
    process = build(cli, folder, "-t", "pruned:1")
    while process.poll() is None:
        assert cli("builder", "prune", "-af").code == 0
        assert cli("image", "prune", "-f").code == 0
    assert process.returncode == 0, process.communicate()
    process.communicate()
    assert cli.ok("run", "--rm", "--network", "none", "pruned:1", "cat", "/5").startswith("5")
    assert cli("verify").code == 0


def test_cached_layers_outlive_their_image_until_they_are_pruned(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest
) -> None:
    folder = context_of(tmp_path / "c", f"FROM busybox\nRUN echo {os.urandom(4).hex()} > /x\nRUN true\n")
    cli.ok("build", "-q", "-t", "kept:1", str(folder))
    cli.ok("rmi", "kept:1")
    cli.ok("undo", "--forget")
    assert cached(cli, folder) == 2
    plan = cli.ok("builder", "prune", "--dry-run")
    assert "RUN echo" not in plan  # an image has it
    cli.ok("rmi", "-f", cli.ok("build", "-q", str(folder)))
    cli.ok("undo", "--forget")
    assert "RUN echo" in cli.ok("builder", "du")
    assert cli("builder", "prune", stdin=b"n\n").code == 0
    assert cached(cli, folder) == 2
    pruned = cli.ok("builder", "prune", "-a", "-f")
    assert "Deleted build cache objects:" in pruned
    assert cached(cli, folder) == 0
    assert cli.ok("builder", "prune", "--dry-run", "--filter", "until=1h") == "Nothing to remove."
