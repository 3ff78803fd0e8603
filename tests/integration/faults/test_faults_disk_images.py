"""Images on a full disk: one line, nothing half, and the container that runs meanwhile feels nothing."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults_kit import REPOSITORY, command, fill, small_engine

from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.images import archive, busybox_layer
from tests.support.registry import available, inside, running_registry

pytestmark = pytest.mark.root

MIB = 1 << 20
FULL = "no space left on device"


def tar_of(data: bytes) -> bytes:
    """A layer of one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("big")
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def small() -> Iterator[EngineUnderTest]:
    """An engine whose ROOT has 24 MiB, with a container that writes and counts."""
    with small_engine() as engine:
        work = "dd if=/dev/urandom of=/big bs=1M count=3; touch /dev/shm/ready; exec sleep 1000"
        engine.run("sh", "-c", work, name="live")
        ready = Path(f"/proc/{engine.state('live')['Pid']}/root/dev/shm/ready")
        wait_until(ready.exists, "it has written")
        yield engine


@contextmanager
def unharmed(engine: EngineUnderTest) -> Iterator[None]:
    """What fails inside leaves images, blobs and layers as they were, and the container as it runs."""

    def state() -> tuple[object, ...]:
        store = {path.name for path in engine.paths.content.glob("blobs/sha256/*")}
        layers = {path.name for path in engine.paths.snapshots.glob("[0-9]*")}
        ingest = [path.name for path in (engine.paths.content / "ingest").iterdir()]
        live = engine.state("live")
        names = sorted(name for image in engine.client.get("/images/json") for name in image["RepoTags"])
        return names, store, layers, ingest, live["Status"], live["Pid"]

    before = state()
    yield
    (engine.paths.root / "filler").unlink()
    assert state() == before


def failed(engine: EngineUnderTest, *words: str, stdin: bytes | None = None) -> None:
    """The command ends with one line that says what is wrong."""
    run = subprocess.run(
        command(engine, *words), input=stdin, env=engine.environment, cwd=REPOSITORY, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    error = run.stderr.decode()
    assert run.returncode == 1, error
    assert any(words in error for words in (FULL, "no space left to ", "unpacks to more than")), error
    assert error.count("\n") == 1, error


@pytest.mark.parametrize("leave", [4096, MIB])
def test_what_finds_no_room_leaves_nothing(small: EngineUnderTest, tmp_path: Path, leave: int) -> None:
    """With no room at all, and with room to begin; from a file (which the engine reads itself) and from a pipe."""
    data = os.urandom(8 * MIB)
    image, root, zeros = tmp_path / "image.tar", tmp_path / "root.tar", tmp_path / "zeros.tar.gz"
    image.write_bytes(archive([busybox_layer(), tar_of(data)], "other:1", {"Cmd": ["sh"]}))
    root.write_bytes(tar_of(data))
    zeros.write_bytes(gzip.compress(tar_of(bytes(20 * MIB))))
    target = str(small.paths.root / "target.tar")
    for words, stdin in (
        (("commit", "live", "made:1"), None),
        (("load", "-i", str(image)), None),
        (("load",), image),
        (("import", str(root), "flat:1"), None),
        (("import", "-", "flat:1"), root),
        (("import", str(zeros), "flat:1"), None),
        (("save", "-o", target, "busybox"), None),
        (("export", "-o", target, "live"), None),
    ):
        with unharmed(small):
            fill(small.paths.root, leave=leave)
            failed(small, *words, stdin=stdin.read_bytes() if stdin else None)
    assert not list(small.paths.root.glob("target*"))


@pytest.mark.skopeo
@pytest.mark.skipif(not available(), reason="needs docker-registry")
def test_a_pull_that_finds_no_room_gives_back_what_it_took(tmp_path: Path) -> None:
    """Told before anything comes; and where what came unpacks to more than there is."""
    with small_engine(100) as small, running_registry(netns=small.netns) as registry:
        small.run("sleep", "1000", name="live")
        for number, data in enumerate((os.urandom(8 * MIB), bytes(20 * MIB))):
            image, name = tmp_path / "image.tar", f"{registry.address}/other:{number}"
            image.write_bytes(archive([tar_of(data)], "other:1", {"Cmd": ["sh"]}))
            copy = [
                "skopeo",
                "copy",
                "-q",
                "--dest-tls-verify=false",
                f"docker-archive:{image}",
                f"docker://{name}",
            ]
            subprocess.run([*inside(small.netns), *copy], check=True, timeout=60)
            with unharmed(small):
                fill(small.paths.root, leave=69 * MIB)
                failed(small, "pull", "-q", name)
