"""What counts as a change, and how a tree becomes the tar of a layer: without root, so without whiteouts."""

from __future__ import annotations

import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.storage.diff import LayerWriter, kind_of, same_time, write_changes
from core.storage.upper import Entry, Lower, Upper

SECOND = 10**9


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (5 * SECOND, 5 * SECOND, True),
        (5 * SECOND + 7, 5 * SECOND, True),
        (5 * SECOND, 5 * SECOND + 7, True),
        (5 * SECOND + 7, 5 * SECOND + 8, False),
        (5 * SECOND, 6 * SECOND, False),
        (-1, -SECOND, True),
    ],
)
def test_times_that_went_through_a_tar_are_the_same(one: int, other: int, same: bool) -> None:
    assert same_time(one, other) is same


def status(
    mode: int = stat.S_IFREG | 0o644, *, uid: int = 0, size: int = 3, mtime: int = 5, rdev: int = 0
) -> os.stat_result:
    values = (mode, 1, 1, 1, uid, 0, size, mtime, mtime, mtime)
    return os.stat_result(values, {"st_rdev": rdev, "st_mtime_ns": mtime * SECOND})


FOLDER = stat.S_IFDIR | 0o755


@pytest.mark.parametrize(
    ("found", "below", "kind"),
    [
        (status(), None, b"A"),
        (status(), status(), b""),
        (status(size=4), status(), b"C"),
        (status(mtime=6), status(), b"C"),
        (status(uid=1), status(), b"C"),
        (status(stat.S_IFREG | 0o600), status(), b"C"),
        (status(FOLDER, size=9, mtime=9), status(FOLDER), b""),
        (status(FOLDER | 0o1000), status(FOLDER), b"C"),
        (status(FOLDER), status(), b"C"),
        (status(stat.S_IFCHR), status(), b"D"),
        (status(stat.S_IFCHR), None, b""),
        (status(stat.S_IFCHR | 0o644, rdev=259), status(stat.S_IFCHR | 0o644, rdev=260), b"C"),
    ],
)
def test_what_counts_as_a_change(
    tmp_path: Path, found: os.stat_result, below: os.stat_result | None, kind: bytes
) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    assert kind_of(Entry(fd, b"x", b"x", found, below), Lower(fd)) == kind
    os.close(fd)


class Pair:
    """Two directories as upper and lower."""

    def __init__(self, folder: Path) -> None:
        self.upper, self.lower = folder / "upper", folder / "lower"
        self.upper.mkdir()
        self.lower.mkdir()

    def _with(self, act: Callable[[Upper, Lower, int], None]) -> None:
        upper, lower = (os.open(path, os.O_RDONLY) for path in (self.upper, self.lower))
        try:
            act(Upper(upper, Lower(lower)), Lower(lower), upper)
        finally:
            os.close(upper)
            os.close(lower)

    def layer(self) -> bytes:
        written = io.BytesIO()
        self._with(lambda upper, _, fd: LayerWriter(upper, fd, lambda data: void(written.write(data))).run())
        return written.getvalue()

    def changes(self) -> list[str]:
        written = io.BytesIO()
        self._with(lambda upper, lower, _: write_changes(upper, lower, lambda data: void(written.write(data))))
        return written.getvalue().decode(errors="surrogateescape").split("\0")[:-1]


def void(_: object) -> None:
    pass


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def test_folders_come_before_what_they_hold_and_names_in_order(pair: Pair) -> None:
    (pair.upper / "b/c").mkdir(parents=True)
    (pair.upper / "b/c/z").touch()
    (pair.upper / "b/d").touch()
    (pair.upper / "b-").touch()
    (pair.upper / "a").touch()
    with tarfile.open(fileobj=io.BytesIO(pair.layer())) as tar:
        assert tar.getnames() == ["a", "b", "b/c", "b/c/z", "b/d", "b-"]
    assert pair.changes() == ["A /a", "A /b", "A /b/c", "A /b/c/z", "A /b/d", "A /b-"]


def test_a_folder_is_told_as_changed_once_and_only_when_something_inside_is(pair: Pair) -> None:
    for name in ("deep/er/still", "deep/er/calm", "quiet/er"):
        (pair.upper / name).mkdir(parents=True)
        (pair.lower / name).mkdir(parents=True)
    for name in ("one", "two"):
        (pair.upper / "deep/er/still" / name).touch()
    assert pair.changes() == [
        "C /deep", "C /deep/er", "C /deep/er/still", "A /deep/er/still/one", "A /deep/er/still/two",
    ]  # fmt: skip


def test_links_below_are_not_followed(pair: Pair, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/f").touch()
    (pair.lower / "l").symlink_to(tmp_path / "outside")
    (pair.upper / "l").mkdir()
    (pair.upper / "l/f").touch()
    assert pair.changes() == ["C /l", "A /l/f"]


NAME = st.binary(min_size=1, max_size=12).filter(lambda name: name not in (b".", b"..") and not set(name) & {0, 47})
FILES = st.dictionaries(st.lists(NAME, min_size=1, max_size=3).map(tuple), st.binary(max_size=700), max_size=6)


@settings(max_examples=60, deadline=None)
@given(FILES)
def test_every_tree_can_be_read_back(files: dict[tuple[bytes, ...], bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pair = Pair(Path(folder))
        written: dict[bytes, bytes] = {}
        for parts, data in files.items():
            path = pair.upper / os.fsdecode(b"/".join(parts))
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            except OSError:
                continue  # a file is where a folder would have to be
            written[b"/".join(parts)] = data
        with tarfile.open(fileobj=io.BytesIO(pair.layer())) as tar:
            read = {}
            for item in tar:
                if item.isreg():
                    body = tar.extractfile(item)
                    assert body is not None
                    read[os.fsencode(item.name)] = body.read()
        assert read == {name: data for name, data in written.items() if not left_out(name, data)}


def left_out(name: bytes, data: bytes) -> bool:
    """What would delete something, and the empty files that a start makes for its mounts."""
    places = (b".dockerenv", b"etc/hosts", b"etc/hostname", b"etc/resolv.conf")
    return b"/.wh." in b"/" + name or (not data and name in places)
