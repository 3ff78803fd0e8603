"""Where `cp` puts things, and what a hostile archive may do to this machine: nothing."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli.copying import Aim, Place, aim, asserts_directory, base_of, split
from core.cli.failure import CommandFailed
from core.cli.landing import Landing


@pytest.mark.parametrize(
    ("argument", "found"),
    [
        ("c:/x", ("c", "/x")),
        ("c:x", ("c", "x")),
        ("c:/x:y", ("c", "/x:y")),
        ("/a:b", ("", "/a:b")),
        ("./a:b", ("", "./a:b")),
        ("../a:b", ("", "../a:b")),
        ("plain", ("", "plain")),
        ("-", ("", "-")),
        ("c:", ("c", "")),
    ],
)
def test_an_argument_is_a_containers_or_this_machines(argument: str, found: tuple[str, str]) -> None:
    assert split(argument) == found


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b", "b"),
        ("/a/b/", "b"),
        ("/a/b/.", ""),
        (".", ""),
        ("/", ""),
        ("a", "a"),
        ("/a/../b", "b"),
        ("a/..", ""),
    ],
)
def test_a_source_has_a_name_or_its_contents_are_meant(path: str, name: str) -> None:
    assert base_of(path) == name


FOLDER, FILE = Place("/t/there", True, True), Place("/t/there", True)


@pytest.mark.parametrize(
    ("source", "is_directory", "place", "found"),
    [
        ("s", True, FOLDER, Aim("/t/there", "s")),
        ("s", False, FOLDER, Aim("/t/there", "s")),
        ("", True, FOLDER, Aim("/t/there", "")),
        ("s", False, FILE, Aim("/t", "there")),
        ("s", True, FILE, "cannot copy directory"),
        ("s", False, Place("/t/new", False), Aim("/t", "new")),
        ("s", True, Place("/t/new", False), Aim("/t", "new")),
        ("", True, Place("/t/new/", False), Aim("/t", "new")),
        ("s", False, Place("/t/new/", False), "no such directory"),
        ("s", False, Place("new", False), Aim(".", "new")),
    ],
)
def test_a_source_goes_where_dockers_rules_say(
    source: str, is_directory: bool, place: Place, found: Aim | str
) -> None:
    if isinstance(found, Aim):
        assert aim(source, is_directory, place) == found
        return
    with pytest.raises(CommandFailed, match=found):
        aim(source, is_directory, place)


def test_only_a_slash_asserts_a_directory() -> None:
    assert [path for path in ("a", "a/", "a/.", ".", "a.") if asserts_directory(path)] == ["a/", "a/.", "."]


def entry(name: str, body: bytes = b"", **members: Any) -> tuple[tarfile.TarInfo, bytes]:
    item = tarfile.TarInfo(name)
    item.size, item.mode = len(body), 0o644
    for key, value in members.items():
        setattr(item, key, value)
    return item, body


def land(target: Path, *entries: tuple[tarfile.TarInfo, bytes], prefix: tuple[str, ...] = ("new",)) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for item, body in entries:
            tar.addfile(item, io.BytesIO(body))
    buffer.seek(0)
    landing = Landing(str(target), keep_owners=False)
    try:
        with tarfile.open(fileobj=buffer, mode="r|") as tar:
            landing.unpack(tar, 1, prefix)
    finally:
        landing.close()


def folder(name: str, mode: int = 0o750) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, type=kind, linkname=target)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "target").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/f").write_text("mine")
    return tmp_path / "target"


def test_a_tree_lands_under_its_new_name(target: Path) -> None:
    land(target, folder("s"), entry("s/f", b"1", mtime=10), link("s/l", "f"), link("s/h", "s/f", tarfile.LNKTYPE))
    assert (target / "new/h").read_bytes() == b"1"
    assert ((target / "new").stat().st_mode & 0o7777, (target / "new/f").stat().st_mtime) == (0o750, 10)
    assert (target / "new/f").stat().st_ino == (target / "new/h").stat().st_ino
    assert str((target / "new/l").readlink()) == "f"


def test_set_id_bits_do_not_come_along(target: Path) -> None:
    land(target, entry("s", b"#!", mode=0o6755))
    assert (target / "new").stat().st_mode & 0o7777 == 0o755


def test_what_was_there_keeps_its_mode_and_is_replaced_whole(target: Path) -> None:
    (target / "new").mkdir(mode=0o711)
    (target / "new/f").symlink_to("../../outside/f")
    land(target, folder("s", 0o777), entry("s/f", b"2"))
    assert (target / "new").stat().st_mode & 0o777 == 0o711
    assert (target / "new/f").read_bytes() == b"2"
    assert (target.parent / "outside/f").read_text() == "mine"


@pytest.mark.parametrize("kind", ["absolute", "upwards"])
def test_no_link_of_the_archive_leads_out(target: Path, kind: str) -> None:
    away = str(target.parent / "outside") if kind == "absolute" else "../../outside"
    for evil in ("s/l/f", "s/l/g", "s/l/d/g"):
        with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
            land(target, folder("s"), link("s/l", away), entry(evil, b"evil"))
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        land(target, folder("s"), link("s/l", away), link("s/stolen", "s/l/f", tarfile.LNKTYPE))
    assert (target.parent / "outside/f").read_text() == "mine"
    assert [path.name for path in (target.parent / "outside").iterdir()] == ["f"]


def test_a_hard_link_to_a_link_does_not_follow_it(target: Path) -> None:
    away = str(target.parent / "outside/f")
    land(target, folder("s"), link("s/l", away), link("s/h", "s/l", tarfile.LNKTYPE))
    assert (target / "new/h").is_symlink()


@pytest.mark.parametrize("name", ["../x", "s/../../x", "/../x"])
def test_no_name_leads_out(target: Path, name: str) -> None:
    with pytest.raises(CommandFailed, match="leads out"):
        land(target, entry(name, b"x"))


def test_a_folder_and_a_file_do_not_take_each_others_place(target: Path) -> None:
    (target / "new").mkdir()
    with pytest.raises(CommandFailed, match="cannot overwrite directory"):
        land(target, entry("s", b"x"))
    (target / "new/f").touch()
    with pytest.raises(CommandFailed, match="cannot overwrite non-directory"):
        land(target, folder("s"), folder("s/f"))


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "", "l"]), min_size=1, max_size=4).map("/".join)
AWAY = st.sampled_from(["..", "../..", "/", "../../outside", "a"])
ENTRIES = st.lists(
    st.one_of(
        NAMES.map(lambda name: entry(f"s/{name}", b"evil")),
        NAMES.map(lambda name: folder(f"s/{name}")),
        st.tuples(NAMES, AWAY).map(lambda two: link(f"s/{two[0]}", two[1])),
        st.tuples(NAMES, NAMES).map(lambda two: link(f"s/{two[0]}", f"s/{two[1]}", tarfile.LNKTYPE)),
    ),
    max_size=8,
)  # fmt: skip


@given(ENTRIES)
def test_whatever_comes_stays_below_the_target(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "target").mkdir()
    (home / "outside").mkdir()
    (home / "outside/f").write_text("mine")
    try:
        land(home / "target", *entries)
    except (CommandFailed, OSError):
        pass
    assert sorted(path.name for path in home.iterdir()) == ["outside", "target"]
    assert [path.name for path in (home / "outside").iterdir()] == ["f"]
    assert (home / "outside/f").read_text() == "mine"
