"""Layers made to do harm, in real children: whatever they hold, nothing outside the layer is touched, memory and
disk stay bounded, and what was accepted is what `compare-layer` finds again."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_kit import Files, file_of, make_tar, run_forked, special

from core.errors import BadArchive, EngineError
from core.storage.layertree import entries
from core.storage.tarball import EXTENSION_LIMIT
from core.storage.trash import remove_tree
from core.storage.zstd import module

pytestmark = pytest.mark.root
zstd = module()

DIR, SYM, LINK, CHR, FIFO = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE


def job(name: str, blob: bytes, folder: Path, **args: Any) -> dict[str, Any]:
    source, target = file_of(blob), os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return run_forked(name, args, [source, target])
    finally:
        os.close(source)
        os.close(target)


TAME = st.sampled_from(["a", "b", "c", "a", "b", "c", "a", "b", ".", ".wh.a", ".wh.b", ".wh..wh..opq"])
WILD = st.sampled_from(["a", "..", ".wh.a", ".wh..wh..opq", ".wh..wh.plnk", ".wh.", ".wh.."])
PARTS = st.one_of(TAME, TAME, TAME, TAME, TAME, TAME, WILD)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
TARGETS = st.one_of(
    PATHS, PATHS.map("/{}".format), st.sampled_from(["/etc/passwd", "/proc/self/root", "../secret"])
)
ENTRIES = st.tuples(
    PATHS,
    st.sampled_from([tarfile.REGTYPE, DIR, DIR, SYM, LINK, FIFO, CHR]),
    TARGETS,
    st.sampled_from([0o644, 0o4755, 0o2775, 0o1777, 0]),
    st.sampled_from([0, 0, 5]),
    st.binary(max_size=20),
)


def archive(made: list[tuple[str, bytes, str, int, int, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, target, mode, owner, data in made:
            info = special(name, kind, mode=mode, uid=owner, gid=owner)
            info.linkname = target if kind in (SYM, LINK) else ""
            if kind == CHR:
                info.devmajor, info.devminor = 1, 3
            body = data if kind == tarfile.REGTYPE else b""
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


@settings(deadline=None, max_examples=120, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ENTRIES, max_size=12))
def test_nothing_outside_is_touched_and_what_was_made_is_what_was_asked_for(
    made: list[tuple[str, bytes, str, int, int, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "secret").write_text("secret")
        (place / "secret").chmod(0o600)
        (place / "fs").mkdir()
        data = archive(made)
        try:
            answer = job("apply-layer", data, place / "fs")
        except BadArchive as error:
            assert "\n" not in error.message
        else:
            again = job("compare-layer", data, place / "fs")
            assert (again["differences"], again["diff_id"]) == ([], answer["diff_id"])
            assert sum(found.size for found in entries(place / "fs")) <= answer["unpacked"]
        secret = (place / "secret").stat()
        assert (secret.st_nlink, stat.S_IMODE(secret.st_mode), secret.st_uid) == (1, 0o600, 0)
        assert (place / "secret").read_text() == "secret"
        assert sorted(item.name for item in place.iterdir()) == ["fs", "secret"]


@pytest.fixture
def fs(tmp_path: Path) -> Path:
    (tmp_path / "fs").mkdir()
    return tmp_path / "fs"


def long_header(size: int) -> bytes:
    """A pax header of `size` bytes in front of a file."""
    info = tarfile.TarInfo("PaxHeaders/x")
    info.type, info.size = tarfile.XHDTYPE, size
    return info.tobuf(tarfile.USTAR_FORMAT) + b"0" * (1 << 20)


def sparse() -> bytes:
    info = tarfile.TarInfo("sparse")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 512
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(512)


def pax_sparse() -> bytes:
    info = special("sparse", tarfile.REGTYPE)
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    return make_tar({"sparse": info})


def wide_window() -> bytes:
    """A zstd frame that says its window is 512 MiB. RFC 8878, 3.1.1.1.2."""
    return b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(29 - 10) << 3]) + b"\x01\x00\x00" + bytes(100)


BOMBS: dict[str, bytes] = {
    "a header of a GiB, gzipped": gzip.compress(long_header(1 << 30)),
    "a header just too large": long_header(EXTENSION_LIMIT + 1),
    "a sparse file of GNU tar": sparse(),
    "a sparse file by pax": pax_sparse(),
    "a file that says it has a PiB": tarfile.TarInfo("x").tobuf()[:124] + b"\x80" + b"\xff" * 11 + bytes(376),
    "zstd with a window of 512 MiB": wide_window(),
    "zeros as zstd": zstd.compress(make_tar({"zeros": bytes(40 << 20)})),
    "zeros as gzip": gzip.compress(make_tar({"zeros": bytes(40 << 20)})),
    "a tar in no time in a tar": gzip.compress(gzip.compress(make_tar({"a": b""}))),
}


@pytest.mark.parametrize("data", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_before_it_takes_room(fs: Path, data: bytes) -> None:
    with pytest.raises(BadArchive) as caught:
        job("apply-layer", data, fs, limit_bytes=20 << 20)
    assert "\n" not in caught.value.message
    assert sum(found.size for found in entries(fs)) <= (20 << 20) + (1 << 18)


def test_a_deep_tree_is_made_read_and_removed(fs: Path) -> None:
    path = "/".join(["d"] * 1900)
    job("apply-layer", make_tar({f"{path}/f": b"deep"}), fs)
    assert job("compare-layer", make_tar({f"{path}/f": b"deep"}), fs)["differences"] == []
    folder = os.open(fs.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        remove_tree(folder, "fs")
    finally:
        os.close(folder)
    assert not fs.exists()


def test_names_that_are_no_text_are_kept_as_they_are(fs: Path) -> None:
    data = make_tar({"plain": b""}).replace(b"plain", b"p\xff\x1bin")
    data = data[:148] + b"%06o\0 " % (sum(data[:148]) + 256 + sum(data[156:512])) + data[156:]
    job("apply-layer", data, fs)
    assert [os.fsencode(path.name) for path in fs.iterdir()] == [b"p\xff\x1bin"]
    assert job("compare-layer", data, fs)["differences"] == []


NASTY: dict[str, Files] = {
    "a set-group-ID folder passes its group on": {
        "g/": special("g", DIR, mode=0o2775, gid=77),
        "g/file": b"x",
        "g/sub/": special("g/sub", DIR, mode=0o755),
        "g/sub/file": b"x",
    },
    "a file without rights is filled": {"none": special("none", tarfile.REGTYPE, mode=0)},
    "a set-user-ID file stays one": {"su": special("su", tarfile.REGTYPE, mode=0o6755, uid=0)},
}


@pytest.mark.parametrize("files", NASTY.values(), ids=NASTY)
def test_owners_and_modes_are_those_of_the_tar(fs: Path, files: Files) -> None:
    data = make_tar(files)
    job("apply-layer", data, fs)
    assert job("compare-layer", data, fs)["differences"] == []


def test_the_umask_of_whoever_asks_changes_nothing(fs: Path) -> None:
    before = os.umask(0o077)
    try:
        data = make_tar({"open": special("open", tarfile.REGTYPE, mode=0o666), "d": special("d", DIR, mode=0o777)})
        job("apply-layer", data, fs)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((fs / name).stat().st_mode) for name in ("open", "d")] == [0o666, 0o777]


def test_comparing_damage_names_it_and_survives_it(fs: Path) -> None:
    data = make_tar({"etc/one": b"1", "etc/two": b"2"})
    job("apply-layer", data, fs)
    shutil.rmtree(fs / "etc")
    (fs / "etc").symlink_to("/proc/self/root/etc")
    found = job("compare-layer", data, fs)
    assert {path for path, _ in found["differences"]} == {"/etc", "/etc/one", "/etc/two"}
    with pytest.raises(EngineError):
        run_forked("compare-layer", {}, [os.open("/dev/null", os.O_WRONLY)])
