"""Filling a volume: what a power loss may leave of it, and what comes of that."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.storage.filling import Filling


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "vol/_data"
    folder.mkdir(parents=True)
    return folder


def copy(filling: Filling, *names: str) -> None:
    """What the job does."""
    fd = filling.begin()
    assert fd is not None
    for name in names:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd))
    os.mkdir("sub", dir_fd=fd)
    os.fchmod(fd, 0o2751)
    os.close(fd)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_filled_whole_with_the_folder_s_own_mode(data: Path) -> None:
    inode = data.stat().st_ino
    filling = Filling(data)
    copy(filling, "a", "b")
    assert names(data) == []
    filling.finish()
    assert names(data) == ["a", "b", "sub"] and names(data.parent) == ["_data"]
    assert data.stat().st_mode & 0o7777 == 0o2751
    assert data.stat().st_ino == inode, "a container may have it mounted"
    assert filling.begin() is None


def test_an_image_without_anything_there_changes_nothing(data: Path) -> None:
    data.chmod(0o1777)
    filling = Filling(data)
    fd = filling.begin()
    assert fd is not None
    os.close(fd)
    filling.finish()
    assert names(data) == [] and data.stat().st_mode & 0o7777 == 0o1777 and names(data.parent) == ["_data"]


def test_a_copy_that_was_cut_short_is_begun_anew(data: Path) -> None:
    copy(Filling(data), "only this")
    filling = Filling(data)
    filling.settle()
    assert names(data) == [] and names(data.parent) == ["_data"]
    copy(filling, "a", "b")
    filling.finish()
    assert names(data) == ["a", "b", "sub"]


@pytest.mark.parametrize("cut", range(6))
def test_a_move_that_was_cut_short_is_finished(data: Path, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    filling = Filling(data)
    copy(filling, "a", "b", "c")
    after(cut, monkeypatch, filling.finish)
    Filling(data).settle()
    assert names(data) in ([], ["a", "b", "c", "sub"])
    assert bool(names(data)) == (cut > 0)
    assert names(data.parent) == ["_data"]
    assert (data.stat().st_mode & 0o7777 == 0o2751) == (cut > 0)


def after(count: int, monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> None:
    """Do `work`, but lose power at the rename behind the first `count`."""
    real = Path.rename
    left = [count]

    def rename(path: Path, target: Path) -> Path:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        try:
            work()
        except KeyboardInterrupt:
            pass


def test_what_was_written_since_is_not_undone(data: Path) -> None:
    filling = Filling(data)
    copy(filling, "a", "b")
    (data.parent / "fill.new").rename(data.parent / "fill")
    (data / "a").write_text("mine")
    filling.settle()
    assert names(data) == ["a", "b", "sub"] and (data / "a").read_text() == "mine"
