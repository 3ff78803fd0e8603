"""An upper directory that was adopted beside the one that its tar unpacks to: nobody can tell them apart."""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from store_kit import run_forked

from core.linux.mounts import mount_overlay
from tests.support.containers import Result, in_child

pytestmark = pytest.mark.root

EPOCH = 1_600_000_000


class Bench:
    """A lower layer, an upper directory that something was done in, and where its tar is unpacked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("lower", "upper", "work", "merged", "applied"):
            (folder / name).mkdir(mode=0o755)
        lower = folder / "lower"
        (lower / "etc").mkdir()
        (lower / "etc" / "conf").write_text("old")
        (lower / "gone").write_text("x")
        (lower / "tree" / "deep").mkdir(parents=True)
        (lower / "tree" / "deep" / "file").write_text("y")
        (lower / "link").symlink_to("etc/conf")

    @property
    def rootfs(self) -> dict[str, Any]:
        here = self.folder
        return {"lower": [str(here / "lower")], "upper": str(here / "upper"), "work": str(here / "work")}

    def do(self, act: Callable[[Path], object]) -> None:
        merged = self.folder / "merged"

        def work() -> Result:
            rootfs = self.rootfs
            mount_overlay(rootfs["lower"], rootfs["upper"], rootfs["work"], str(merged), volatile=True)
            act(merged)
            return Result(0, "")

        assert in_child(work).code == 0

    def tar(self, **args: Any) -> tuple[bytes, dict[str, Any]]:
        with tempfile.TemporaryFile() as output:
            answer = run_forked("diff-layer", {"rootfs": self.rootfs, **args}, [output.fileno()])
            output.seek(0)
            return output.read(), answer

    def apply(self, layer: bytes) -> None:
        target = os.open(self.folder / "applied", os.O_RDONLY)
        with tempfile.TemporaryFile() as blob:
            blob.write(layer)
            blob.seek(0)
            run_forked("apply-layer", {}, [blob.fileno(), target])
        os.close(target)


def everything(root: Path) -> dict[str, list[Any]]:
    """All that a mount on top of this directory could show, but for who is linked to whom."""
    found: dict[str, list[Any]] = {}
    for folder, folders, files in os.walk(root):
        for name in sorted([*folders, *files]):
            path = Path(folder) / name
            status = path.lstat()
            kept: list[Any] = [oct(status.st_mode), status.st_uid, status.st_gid]
            whiteout = stat.S_ISCHR(status.st_mode) and not status.st_rdev
            if whiteout:
                kept = ["whiteout"]
            else:
                kept.append(status.st_mtime_ns)
                kept.append({
                    key: os.getxattr(path, key, follow_symlinks=False)
                    for key in os.listxattr(path, follow_symlinks=False)
                })  # fmt: skip
            if stat.S_ISREG(status.st_mode):
                kept += [path.read_bytes(), status.st_nlink]
            found[str(path.relative_to(root))] = kept
    return found


def change_much(root: Path) -> None:
    (root / "etc" / "conf").write_text("new")
    (root / "etc" / "conf").chmod(0o4755)
    os.setxattr(root / "etc" / "conf", "user.note", b"kept")
    os.setxattr(root / "etc" / "conf", "trusted.note", b"no layer has it")
    (root / "gone").unlink()
    (root / "tree" / "deep" / "file").unlink()
    (root / "tree" / "deep").rmdir()
    (root / "tree" / "deep").mkdir()  # opaque
    (root / "tree" / "deep" / "fresh").write_text("z")
    os.lchown(root / "link", 7, 8)  # copied up, with an attribute of overlayfs's
    (root / "one").write_text("both")
    (root / "two").hardlink_to(root / "one")
    os.mkfifo(root / "fifo")
    (root / "new").mkdir()
    (root / "new" / ".wh.hidden").write_text("no layer can say it")
    socket.socket(socket.AF_UNIX).bind(str(root / "new" / "socket"))
    (root / "dev").mkdir()  # places of mounts
    (root / "dev" / "console").touch()
    (root / ".dockerenv").touch()
    os.utime(root / "one", ns=(1, 1_234_567_890_123_456_789))


@pytest.mark.parametrize("args", [{}, {"newest": EPOCH}], ids=["as it is", "no later than an epoch"])
def test_what_is_adopted_is_what_its_tar_unpacks_to(tmp_path: Path, args: dict[str, Any]) -> None:
    bench = Bench(tmp_path)
    bench.do(change_much)
    tar, _ = bench.tar(**args)
    adopted, answer = bench.tar(adopt=True, **args)
    assert adopted == tar and answer["size"] == len(tar)
    bench.apply(tar)
    found, wanted = everything(tmp_path / "upper"), everything(tmp_path / "applied")
    assert found == wanted
    assert found["gone"] == ["whiteout"] and "dev" not in found and "new/socket" not in found
    assert answer["contents"] == sum(
        len(kept[5]) // kept[6] for kept in found.values() if len(kept) == 7
    )  # each of two names has half of it
    assert not list((tmp_path / "work").iterdir())
    assert bench.tar(**args)[0] == tar, "and once more it gives the same layer"


def test_an_upper_directory_with_nothing_of_a_layer_is_empty_afterwards(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def act(root: Path) -> None:
        (root / "dev").mkdir()
        (root / "dev" / "shm").mkdir()
        (root / "etc" / "hosts").touch()

    bench.do(act)
    tar, answer = bench.tar(adopt=True)
    assert tar == bytes(1024) and answer["contents"] == 0
    assert not list((tmp_path / "upper").iterdir())
