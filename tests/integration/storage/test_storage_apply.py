"""Layers applied in a real child: what a good one becomes, and what a nasty one cannot do."""

from __future__ import annotations

import gzip
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from store_kit import Files, file_of, make_tar, run_forked, sha256, special

from core.errors import BadArchive, EngineError
from core.storage.apply import MEMORY_LIMIT

pytestmark = pytest.mark.root

DIR, SYM, LINK, CHR, FIFO = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE


class Box:
    """A folder with a layer's directory, and beside it what nobody may touch."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fs = path / "fs"
        self.fs.mkdir()
        (path / "secret").write_text("secret")
        (path / "secret").chmod(0o600)

    def apply(self, data: bytes, **args: Any) -> dict[str, Any]:
        blob = file_of(data)
        target = os.open(self.fs, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return run_forked("apply-layer", args, [blob, target])
        finally:
            os.close(blob)
            os.close(target)

    def unharmed(self) -> bool:
        secret = self.path / "secret"
        return (
            sorted(item.name for item in self.path.iterdir()) == ["fs", "secret"]
            and secret.read_text() == "secret"
            and stat.S_IMODE(secret.stat().st_mode) == 0o600
            and secret.stat().st_nlink == 1
        )


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def mode(path: Path) -> str:
    return stat.filemode(path.lstat().st_mode)


def is_whiteout(path: Path) -> bool:
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == 0


def is_opaque(path: Path) -> bool:
    return "trusted.overlay.opaque" in os.listxattr(path)


def test_everything_a_tar_says_is_made(box: Box) -> None:
    file = special("usr/bin/tool", tarfile.REGTYPE, mode=0o4755, uid=7, gid=8, mtime=1_000_000)
    file.pax_headers = {"SCHILY.xattr.user.note": "hi", "mtime": "1000000.5"}
    data = make_tar(
        {
            "root": special(".", DIR, mode=0o711, mtime=5),
            "usr/": special("usr", DIR, mode=0o755, uid=3, mtime=42),
            "usr/bin/tool": file,
            "text": b"hello",
            "hard": special("hard", LINK, linkname="text"),
            "soft": special("soft", SYM, linkname="/etc/nothing", uid=9),
            "null": special("null", CHR, mode=0o666, devmajor=1, devminor=3),
            "pipe": special("pipe", FIFO, mode=0o620),
        }
    )
    answer = box.apply(gzip.compress(data))
    assert answer == {
        "diff_id": f"sha256:{sha256(data)}",
        "size": len(data),
        "unpacked": 5,
        "own_root": True,
        "recipe": False,
    }
    tool = (box.fs / "usr/bin/tool").stat()
    assert (stat.S_IMODE(tool.st_mode), tool.st_uid, tool.st_gid) == (0o4755, 7, 8)
    assert tool.st_mtime_ns == 1_000_000_500_000_000
    assert os.getxattr(box.fs / "usr/bin/tool", "user.note") == b"hi"
    assert ((box.fs / "usr").stat().st_uid, (box.fs / "usr").stat().st_mtime) == (3, 42)
    assert (box.fs.stat().st_mode & 0o7777, box.fs.stat().st_mtime) == (0o711, 5)
    assert (box.fs / "hard").stat().st_ino == (box.fs / "text").stat().st_ino
    assert str((box.fs / "soft").readlink()) == "/etc/nothing"
    assert (box.fs / "soft").lstat().st_uid == 9
    assert (box.fs / "null").stat().st_rdev == os.makedev(1, 3)
    assert [mode(box.fs / name) for name in ("null", "pipe")] == ["crw-rw-rw-", "prw--w----"]


def test_capabilities_of_files_stay(box: Box) -> None:
    capability = b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    file = special("ping", tarfile.REGTYPE, uid=5)
    file.pax_headers = {"SCHILY.xattr.security.capability": capability.decode()}
    box.apply(make_tar({"ping": file}))
    assert os.getxattr(box.fs / "ping", "security.capability") == capability


def test_only_known_attributes_are_kept(box: Box) -> None:
    info = special("d", DIR)
    names = (
        "trusted.overlay.opaque",
        "user.overlay.opaque",
        "trusted.overlay.redirect",
        "security.selinux",
        "user.ok",
    )
    info.pax_headers = {f"SCHILY.xattr.{name}": "y" for name in names}
    box.apply(make_tar({"d": info}))
    assert os.listxattr(box.fs / "d") == ["user.ok"]


def test_later_entries_replace_earlier_ones(box: Box) -> None:
    box.apply(
        make_tar(
            {
                "a": b"old",
                "dir/x": b"x",
                "1": special("a", SYM, linkname="nowhere"),
                "2": special("dir", SYM, linkname="a"),
                "3": special("b", SYM, linkname="c"),
                "b": b"a file again",
            }
        )
    )
    assert str((box.fs / "a").readlink()) == "nowhere"
    assert str((box.fs / "dir").readlink()) == "a"
    assert (box.fs / "b").read_text() == "a file again"
    assert not (box.fs / "c").exists()


def test_a_link_inside_the_layer_leads_on_inside(box: Box) -> None:
    box.apply(
        make_tar(
            {
                "usr/lib/x": b"1",
                "lib": special("lib", SYM, linkname="/usr/lib"),
                "lib/y": b"2",
                "up": special("up", SYM, linkname="../../../.."),
                "up/z": b"3",
            }
        )
    )
    assert (box.fs / "usr/lib/y").read_text() == "2"
    assert (box.fs / "z").read_text() == "3"
    assert box.unharmed()


def test_whiteouts_become_what_overlayfs_understands(box: Box) -> None:
    box.apply(
        make_tar(
            {
                "gone/.wh.file": b"",
                "opaque/": special("opaque", DIR),
                "opaque/.wh..wh..opq": b"",
                "opaque/new": b"x",
                ".wh.remade": b"",
                "remade": special("remade", DIR),
                "remade/in": b"y",
                ".wh.implied": b"",
                "implied/in": b"z",
                "kept": b"this layer's own",
                ".wh.kept": b"",
                ".wh..wh.plnk": special(".wh..wh.plnk", DIR),
                ".wh..wh.plnk/12.34": b"",
                ".wh..wh.aufs": b"",
            }
        )
    )
    assert is_whiteout(box.fs / "gone/file")
    assert is_opaque(box.fs / "opaque")
    assert (box.fs / "opaque/new").read_text() == "x"
    for name in ("remade", "implied"):
        assert is_opaque(box.fs / name)
    assert (box.fs / "kept").read_text() == "this layer's own"
    assert not [path for path in box.fs.rglob("*") if path.name.startswith(".wh.")]


def test_whiteouts_hide_through_a_real_overlay(box: Box) -> None:
    for name in ("lower", "upper", "work", "merged"):
        (box.path / name).mkdir()
    (box.path / "lower/dir/sub").mkdir(parents=True)
    for name in ("dir/one", "dir/sub/two", "three", "stays"):
        (box.path / "lower" / name).write_text(name)
    box.apply(make_tar({".wh.three": b"", "dir/.wh..wh..opq": b"", "dir/four": b"4"}))
    options = f"lowerdir={box.fs}:{box.path}/lower,upperdir={box.path}/upper,workdir={box.path}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, box.path / "merged"], check=True)
    try:
        merged = box.path / "merged"
        assert sorted(str(path.relative_to(merged)) for path in merged.rglob("*")) == ["dir", "dir/four", "stays"]
    finally:
        subprocess.run(["umount", box.path / "merged"], check=True)


ESCAPES: dict[str, Files] = {
    "dots in a name": {"../secret": b"evil"},
    "dots behind a folder": {"a/../../secret": b"evil"},
    "a hard link out": {"h": special("h", LINK, linkname="../secret"), "h2": b""},
    "a hard link through a link": {
        "out": special("out", SYM, linkname=".."),
        "h": special("h", LINK, linkname="out/secret"),
    },
    "a root that is a link": {".": special(".", SYM, linkname="..")},
    "a root that is a file": {"./": b"evil"},
    "a whiteout of the parent": {"a/.wh...": b""},
    "a whiteout of itself": {"a/.wh..": b""},
    "a whiteout of nothing": {".wh.": b""},
    "a whiteout far up": {"../../.wh.secret": b""},
    "a folder below a whiteout": {".wh.x/y": b"evil"},
    "a link to nothing": {"h": special("h", LINK, linkname="missing")},
    "a link to the root": {"h": special("h", LINK, linkname=".")},
    "a file as a folder": {"f": b"", "f/x": b"evil"},
    "a loop of links": {"l": special("l", SYM, linkname="l"), "l/x": b"evil"},
    "a long name": {"x" * 256: b""},
    "a device that is none": {"d": special("d", CHR, devmajor=0o77777, devminor=1)},
    "an owner that is none": {"f": special("f", tarfile.REGTYPE, uid=(1 << 32) - 1)},
}


@pytest.mark.parametrize("files", ESCAPES.values(), ids=ESCAPES)
def test_a_nasty_layer_is_refused_in_one_line(box: Box, files: Files) -> None:
    with pytest.raises(BadArchive) as caught:
        box.apply(make_tar(files))
    assert "\n" not in str(caught.value)
    assert box.unharmed()


HARMLESS: dict[str, Files] = {
    "an absolute name": {"/etc/passwd": b"mine"},
    "a file over a link out": {"s": special("s", SYM, linkname="../secret"), "s/": b"", "1": b""},
    "a name through a link out": {"s": special("s", SYM, linkname=".."), "s/secret": b"evil"},
    "a name through an absolute link": {
        "s": special("s", SYM, linkname="/tmp"),
        "tmp/": special("tmp", DIR),
        "s/e": b"",
    },
    "a whiteout through a link out": {"s": special("s", SYM, linkname=".."), "s/.wh.secret": b""},
    "an opaque mark through a link out": {"s": special("s", SYM, linkname=".."), "s/.wh..wh..opq": b""},
    "a mode through a hard link": {
        "s": special("s", SYM, linkname="../secret"),
        "h": special("h", LINK, linkname="s", mode=0o777, uid=5),
    },
    "a magic link": {
        "proc/self/root": special("proc/self/root", SYM, linkname="/proc/self/root"),
        "proc/1": special("proc/1", SYM, linkname="/proc/1/root"),
        "tmp/x": b"",
    },
}


@pytest.mark.parametrize("files", HARMLESS.values(), ids=HARMLESS)
def test_what_looks_outside_stays_inside(box: Box, files: Files) -> None:
    before = Path("/etc/passwd").read_bytes()
    try:
        box.apply(make_tar(files))
    except BadArchive:
        pass
    assert box.unharmed()
    assert Path("/etc/passwd").read_bytes() == before


def test_zeros_become_holes(box: Box) -> None:
    contents = {
        "all": bytes(3 << 20),
        "end": b"x" + bytes(3 << 20),
        "middle": b"a" * 5000 + bytes(3 << 20) + b"z" * 5000,
        "few": bytes(3000) + b"x" + bytes(3000),
        "none": b"",
    }
    answer = box.apply(make_tar(dict(contents)))
    assert answer["unpacked"] == sum(map(len, contents.values()))
    for name, data in contents.items():
        path = box.fs / name
        assert path.read_bytes() == data
        assert path.stat().st_blocks * 512 <= 3 << 19


def test_a_layer_cannot_take_more_than_it_may(box: Box) -> None:
    with pytest.raises(BadArchive, match="more than 100000 bytes"):
        box.apply(gzip.compress(make_tar({"zeros": bytes(10_000_000)})), limit_bytes=100_000)
    assert sum(path.stat().st_size for path in box.fs.iterdir()) <= 100_000 + (1 << 18)


def test_the_bytes_behind_the_end_belong_to_the_digest(box: Box) -> None:
    data = make_tar({"a": b"x"}) + b"\0" * 10240 + b"tail"
    assert box.apply(data)["diff_id"] == f"sha256:{sha256(data)}"


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense" * 1000, gzip.compress(b"nonsense" * 1000), gzip.compress(make_tar({"a": bytes(5000)}))[:-40]],
    ids=["empty", "no tar", "no tar inside", "cut"],
)
def test_what_is_no_layer_is_refused(box: Box, data: bytes) -> None:
    with pytest.raises(BadArchive):
        box.apply(data)


def test_a_child_has_bounded_memory(box: Box) -> None:
    """An xz that wants a dictionary of 1 GiB is refused rather than served."""
    import lzma

    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    data = lzma.compress(make_tar({"a": b"x"}), filters=filters)
    with pytest.raises(EngineError):
        box.apply(data)
    assert MEMORY_LIMIT <= 1 << 30
