"""A whole engine: killed in the middle of a pull it goes on where it was."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.registry import available

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="no docker-registry")]

SERVE = """
import asyncio, sys
sys.path[:0] = [{here!r}, {here!r} + "/tests"]
from store_kit import make_tar
from tests.support.hostile_registry import Asked, Say, hostile_registry
import os

async def main():
    async with hostile_registry() as registry:
        first = registry.put_image([make_tar({{"a": os.urandom(1 << 20)}}), make_tar({{"b": os.urandom(8 << 20)}})])
        slow = first["layers"][1]["digest"]
        cut = [True]
        def answer(asked):
            print(asked.method, asked.path, asked.headers.get("range", ""), file=sys.stderr, flush=True)
            if asked.path.endswith(slow) and cut and cut.pop():
                return Say(200, registry.blobs[slow], stop_after=5 << 20, hang=True)
            return None
        registry.answer = answer
        print(registry.address, slow, flush=True)
        await asyncio.sleep(100)

asyncio.run(main())
"""


def wait_until(true: object, what: str) -> None:
    deadline = time.monotonic() + 30
    assert callable(true)
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(what)
        time.sleep(0.02)


def test_goes_on_after_a_kill(tmp_path: Path) -> None:
    here = str(Path(__file__).parents[3])
    environment = {**os.environ, "ONGGI_ROOT": str(tmp_path / "r"), "ONGGI_RUN": str(tmp_path / "n")}
    onggi = [str(Path(sys.executable).parent / "onggi")]
    with open(tmp_path / "asked", "wb") as asked:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE.format(here=here)], stdout=subprocess.PIPE, stderr=asked, text=True
        )
    assert server.stdout is not None
    try:
        address, slow = server.stdout.readline().split()
        pull = subprocess.Popen(
            [*onggi, "pull", f"{address}/x:1"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ingest, blobs = tmp_path / "r/content/ingest", tmp_path / "r/content/blobs/sha256"
        part = ingest / f"partial-{slow.removeprefix('sha256:')}"
        wait_until(lambda: part.is_file() and part.stat().st_size >= 4 << 20, "the part comes")
        _kill_daemon(tmp_path / "n")
        pull.kill()
        pull.wait()
        had = part.stat().st_size
        assert had >= 4 << 20
        done = subprocess.run([*onggi, "pull", f"{address}/x:1"], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        lines = (tmp_path / "asked").read_text().splitlines()
        assert [line.split("bytes=")[1].split("-")[0] for line in lines if slow in line and "bytes=" in line] == [
            str(had)
        ]
        assert not list(ingest.glob("partial-*"))
        assert len(list(blobs.iterdir())) == 4
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        subprocess.run([*onggi, "engine", "stop"], env=environment, capture_output=True)


def _kill_daemon(run: Path) -> None:
    wanted = f"ONGGI_RUN={run}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if b"core.daemon" in (folder / "cmdline").read_bytes() and wanted in (
                    folder / "environ"
                ).read_bytes().split(b"\0"):
                    os.kill(int(folder.name), 9)
                    return
            except OSError:
                continue
    raise LookupError("no daemon")
