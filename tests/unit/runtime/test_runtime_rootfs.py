"""Resolving paths of a tree that wants to lead elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runtime import rootfs


@dataclass
class Tree:
    """A root beside a folder that nothing may reach."""

    path: Path
    outside: Path
    fd: int

    def where(self, fd: int) -> Path:
        """What a descriptor means, and closes it."""
        found = Path(f"/proc/self/fd/{fd}").readlink()
        os.close(fd)
        return found


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("untouched")
    fd = os.open(tmp_path / "root", os.O_PATH | os.O_DIRECTORY)
    yield Tree(tmp_path / "root", tmp_path / "outside", fd)
    assert (tmp_path / "outside/file").read_text() == "untouched"
    assert len(list((tmp_path / "outside").iterdir())) == 1
    os.close(fd)


@pytest.mark.parametrize("target", ["{outside}", "/../../../../{outside}", "../../../../../../../../{outside}"])
def test_links_out_are_links_inside(tree: Tree, target: str) -> None:
    (tree.path / "a").symlink_to(target.format(outside=tree.outside))
    with pytest.raises(FileNotFoundError):
        rootfs.find(tree.fd, "/a/file")
    # The same place inside may exist, and is then what the link means.
    inner = tree.path / str(tree.outside).lstrip("/")
    inner.mkdir(parents=True)
    assert tree.where(rootfs.make_folder(tree.fd, "/a/b/c")) == inner / "b/c"


def test_folders_are_made_with_those_above(tree: Tree) -> None:
    assert tree.where(rootfs.make_folder(tree.fd, "//x/./y/../y/z/")) == tree.path / "x/y/z"
    assert (tree.path / "x/y").stat().st_mode & 0o777 == 0o755
    assert tree.where(rootfs.make_folder(tree.fd, "/")) == tree.path


def test_files_are_made_for_mounts(tree: Tree) -> None:
    assert tree.where(rootfs.target(tree.fd, "/new/file", folder=False)) == tree.path / "new/file"
    (tree.path / "dangling").symlink_to("/new/other")
    assert tree.where(rootfs.target(tree.fd, "/dangling", folder=False)) == tree.path / "new/other"


def test_kinds_must_agree(tree: Tree) -> None:
    (tree.path / "file").touch()
    (tree.path / "folder").mkdir()
    with pytest.raises(NotADirectoryError):
        rootfs.target(tree.fd, "/file", folder=True)
    with pytest.raises(IsADirectoryError):
        rootfs.target(tree.fd, "/folder", folder=False)
    with pytest.raises(NotADirectoryError):
        rootfs.make_folder(tree.fd, "/file/below")


def test_an_ordinary_path_has_no_link_in_it(tree: Tree) -> None:
    (tree.path / "real").mkdir()
    (tree.path / "link").symlink_to("real")
    assert tree.where(rootfs.find(tree.fd, "/link")) == tree.path / "real"
    for call in (rootfs.find, rootfs.make_folder):
        with pytest.raises(OSError, match="symbolic links"):
            call(tree.fd, "/link", ordinary=True)


def test_a_folder_whose_name_is_a_link_to_nothing(tree: Tree) -> None:
    (tree.path / "link").symlink_to(tree.outside / "new")
    with pytest.raises(FileNotFoundError):
        rootfs.make_folder(tree.fd, "/link")


def test_magic_links_are_not_followed(tree: Tree) -> None:
    # A real procfs, as a container has it.
    proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    for path in (f"self/fd/{tree.fd}", "self/cwd", "self/root", "self/exe"):
        with pytest.raises(OSError):
            rootfs.find(proc, path, flags=os.O_PATH)
    os.close(proc)


def test_what_is_above_a_name(tree: Tree) -> None:
    with rootfs.above(tree.fd, "/dev/net/tun") as (folder, name):
        assert (Path(f"/proc/self/fd/{folder}").readlink(), name) == (tree.path / "dev/net", "tun")
    with pytest.raises(FileExistsError), rootfs.above(tree.fd, "/.."):
        pass


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b"])))
def test_parts_never_leave(names: list[str]) -> None:
    found = rootfs.parts("/".join(names))
    assert ".." not in found
    assert "/" + "/".join(found) == os.path.normpath("/" + "/".join(names).lstrip("/"))
