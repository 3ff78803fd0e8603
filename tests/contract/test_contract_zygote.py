"""The real root process, and the one that stands for it in the tests of storage: the same jobs, answers, errors."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from store_kit import ForkingZygote, file_of, make_tar, sha256, special

from core.errors import BadArchive, InvalidArgument, NoSuchPath

pytestmark = pytest.mark.root

FOLDER = os.O_RDONLY | os.O_DIRECTORY
LAYER = make_tar({"etc/": special("etc", tarfile.DIRTYPE, mode=0o750, uid=5, gid=6), "etc/conf": b"text"})


class Zygote(Protocol):
    """What storage, images and network ask for."""

    async def run(
        self, job: str, args: dict[str, Any] | None = None, fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]: ...


@pytest.fixture(params=["real", "kit"])
def asked(request: pytest.FixtureRequest) -> Zygote:
    if request.param == "kit":
        return ForkingZygote()
    found: Zygote = request.getfixturevalue("zygote")
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root file system of one layer."""
    folder = tmp_path / "lower"
    (folder / "data/sub").mkdir(parents=True)
    (folder / "data/a").write_text("a")
    (folder / "data/sub/b").write_text("bb")
    (folder / "data").chmod(0o2770)
    return folder


async def test_a_layer_is_applied(asked: Zygote, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    blob, folder = file_of(LAYER), os.open(target, FOLDER)
    answer, fds = await asked.run("apply-layer", {"limit_bytes": None}, [blob, folder])
    assert fds == []
    assert answer["diff_id"] == f"sha256:{sha256(LAYER)}"
    assert (answer["size"], answer["unpacked"]) == (len(LAYER), 4)
    assert (target / "etc/conf").read_text() == "text"
    found = (target / "etc").stat()
    assert (found.st_mode & 0o7777, found.st_uid, found.st_gid) == (0o750, 5, 6)
    for fd in (blob, folder):
        os.close(fd)  # they were copied, and are still ours


async def test_a_bad_layer_is_a_bad_archive(asked: Zygote, tmp_path: Path) -> None:
    blob, folder = file_of(LAYER[:700]), os.open(tmp_path, FOLDER)
    with pytest.raises(BadArchive) as caught:
        await asked.run("apply-layer", {"limit_bytes": None}, [blob, folder])
    assert type(caught.value) is BadArchive and caught.value.message
    for fd in (blob, folder):
        os.close(fd)


async def test_a_tree_is_copied_out(asked: Zygote, root: Path) -> None:
    output = os.memfd_create("out")
    answer, _ = await asked.run("copy-out", {"rootfs": {"lower": [str(root)]}, "path": "/data"}, [output])
    data = os.pread(output, 1 << 20, 0)
    os.close(output)
    assert answer == {"size": len(data)}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert sorted(tar.getnames()) == ["data", "data/a", "data/sub", "data/sub/b"]


async def test_a_path_that_is_not_there(asked: Zygote, root: Path) -> None:
    output = os.memfd_create("out")
    with pytest.raises(NoSuchPath):
        await asked.run("copy-out", {"rootfs": {"lower": [str(root)]}, "path": "/nope"}, [output])
    os.close(output)


async def test_a_volume_is_filled_once(asked: Zygote, root: Path, tmp_path: Path) -> None:
    target = tmp_path / "volume"
    target.mkdir()
    folder = os.open(target, FOLDER)
    job = {"rootfs": {"lower": [str(root)]}, "path": "/data"}
    assert (await asked.run("prefill", job, [folder]))[0] == {"copied": 3}
    assert (target / "sub/b").read_text() == "bb"
    assert target.stat().st_mode & 0o7777 == 0o2770
    (target / "a").write_text("mine")
    assert (await asked.run("prefill", job, [folder]))[0] == {"copied": 0}
    assert (target / "a").read_text() == "mine"
    os.close(folder)


async def test_a_job_that_is_none(asked: Zygote) -> None:
    with pytest.raises(InvalidArgument, match="unknown job 'nonsense'"):
        await asked.run("nonsense")


async def test_jobs_do_not_change_who_asks(asked: Zygote, root: Path, tmp_path: Path) -> None:
    before = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "net", "pid_for_children")]  # noqa: PTH115
    here = Path.cwd(), os.umask(0o27)
    os.umask(here[1])
    folder = os.open(tmp_path, FOLDER)
    await asked.run("prefill", {"rootfs": {"lower": [str(root)]}, "path": "/data/sub"}, [folder])
    os.close(folder)
    assert before == [os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "net", "pid_for_children")]  # noqa: PTH115
    assert (Path.cwd(), os.umask(here[1])) == here
