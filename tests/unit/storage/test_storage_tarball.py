from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_kit import make_tar, special

from core.errors import BadArchive, Unsupported
from core.storage.compression import Stream
from core.storage.tarball import EXTENSION_LIMIT, Entry, Kind, TarReader, components

FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}


def read(data: bytes) -> list[tuple[Entry, bytes]]:
    reader = TarReader(Stream(io.BytesIO(data).read))
    return [(entry, b"".join(reader.body())) for entry in reader]


def block(**fields: bytes) -> bytes:
    """A header block with some fields replaced, and a right checksum."""
    header = bytearray(make_tar({"name": b""})[:512])
    places = {"name": 0, "size": 124, "mtime": 136, "kind": 156, "link": 157, "magic": 257}
    for field, value in fields.items():
        header[places[field] : places[field] + len(value)] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_what_python_writes_is_read_back(form: int) -> None:
    files = {
        "a/b.txt": b"hello" * 300,
        "empty": b"",
        "d": special("d", tarfile.DIRTYPE, mode=0o1777, uid=12, gid=34, mtime=99),
        "s": special("s", tarfile.SYMTYPE, linkname="a/b.txt"),
        "h": special("h", tarfile.LNKTYPE, linkname="a/b.txt"),
        "c": special("c", tarfile.CHRTYPE, devmajor=1, devminor=3),
        "p": special("p", tarfile.FIFOTYPE),
    }
    found = {entry.name.rstrip(b"/").decode(): (entry, body) for entry, body in read(make_tar(files, form))}
    assert list(found) == list(files)
    assert found["a/b.txt"][1] == b"hello" * 300
    directory = found["d"][0]
    assert (directory.kind, directory.mode, directory.uid, directory.gid) == (Kind.DIRECTORY, 0o1777, 12, 34)
    assert directory.mtime_ns == 99 * 10**9
    assert (found["s"][0].kind, found["s"][0].link) == (Kind.SYMLINK, b"a/b.txt")
    assert found["h"][0].kind is Kind.LINK
    assert (found["c"][0].kind, found["c"][0].major, found["c"][0].minor) == (Kind.CHARACTER, 1, 3)
    assert found["p"][0].kind is Kind.FIFO


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_links_are_whole(form: int) -> None:
    name, link = "d/" * 100 + "é" * 50, "t/" * 150
    entry, _ = read(make_tar({name: special(name, tarfile.SYMTYPE, linkname=link)}, form))[0]
    assert entry.name.decode() == name
    assert entry.link.decode() == link


def test_pax_records_bring_times_owners_sizes_and_attributes() -> None:
    info = special("f", tarfile.REGTYPE, mtime=1.25, uid=4_000_000)
    info.pax_headers = {"SCHILY.xattr.user.k": "v", "SCHILY.xattr.security.capability": "\x01"}
    entry, _ = read(make_tar({"f": info}))[0]
    assert entry.mtime_ns == 1_250_000_000
    assert entry.uid == 4_000_000
    assert entry.xattrs == {"user.k": b"v", "security.capability": b"\x01"}


def test_times_no_file_system_holds_are_moved_to_the_nearest() -> None:
    early, late = special("a", tarfile.REGTYPE, mtime=-5), special("b", tarfile.REGTYPE, mtime=1 << 40)
    assert [entry.mtime_ns // 10**9 for entry, _ in read(make_tar({"a": early, "b": late}))] == [0, (1 << 33) - 1]
    assert read(block(mtime=b"\xff" * 12))[0][0].mtime_ns == 0


def test_large_sizes_in_base_256_are_understood() -> None:
    with pytest.raises(BadArchive, match="truncated"):
        read(block(size=b"\x80" + (1 << 35).to_bytes(11, "big")))


def test_old_directories_end_in_a_slash() -> None:
    assert read(block(name=b"old/", kind=b"\0"))[0][0].kind is Kind.DIRECTORY


def test_the_end_mark_ends_it_and_may_be_missing() -> None:
    whole = make_tar({"a": b"x"})
    assert len(read(whole + b"junk" * 1000)) == 1
    assert len(read(whole[:1024])) == 1
    assert len(read(whole[:513])) == 1  # the last padding, too
    assert read(b"") == []


NASTY = {
    "no tar at all": (b"#!/bin/sh\n" * 100, "not a tar archive"),
    "shorter than a header": (b"x" * 100, "not a tar archive"),
    "cut in a body": (make_tar({"a": b"x" * 2000})[:1000], "truncated"),
    "cut in a header": (make_tar({"a": b"x", "b": b"y"})[:1300], "truncated"),
    "a broken second header": (make_tar({"a": b"x"})[:1024] + b"z" * 512, "bad header checksum"),
    "a size that is no number": (block(size=b"12345z78901\0"), "bad number"),
    "a negative size": (block(size=b"\xff" * 12), "out of range"),
    "an absurd size": (block(size=b"\x80" + b"\xff" * 11), "out of range"),
    "a sparse file": (block(kind=b"S"), "sparse"),
    "a giant pax header": (block(kind=b"x", size=b"%011o\0" % (EXTENSION_LIMIT + 1)), "extension header"),
    "a giant long name": (block(kind=b"L", size=b"%011o\0" % (1 << 30)), "extension header"),
    "long names without end": (block(kind=b"L", size=b"%011o\0" % 0) * 40, "in a row"),
    "an extension of nothing": (block(kind=b"x", size=b"%011o\0" % 6) + b"6 a=b\n".ljust(512, b"\0"), "truncated"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "words"), NASTY.values(), ids=NASTY)
def test_what_is_damaged_is_one_clear_error(data: bytes, words: str) -> None:
    with pytest.raises(BadArchive, match=words) as caught:
        read(data)
    assert "\n" not in str(caught.value)


PAX = [
    b"5 a=b\n",
    b"7 a=b\n",
    b"6 ab\n\n",
    b"-6 a=b\n",
    b"99999999999999999999 a=b\n",
    b"0 a=b\n",
    b"16 size=-1000000\n",
    b"21 uid=99999999999999\n",
    b"14 mtime=1e99\n",
    b"21 GNU.sparse.map=0\n",
]


@pytest.mark.parametrize("body", PAX)
def test_bad_pax_records_are_refused(body: bytes) -> None:
    extension = block(kind=b"x", size=b"%011o\0" % len(body)) + body.ljust(512, b"\0")
    with pytest.raises(BadArchive):
        read(extension + block())


def test_names_longer_than_a_path_may_be_are_refused() -> None:
    name = "a/" * 3000
    with pytest.raises(BadArchive, match="4096"):
        read(make_tar({name: b""}))
    with pytest.raises(BadArchive, match="255"):
        components(b"x" * 256)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (b"a/./b//c/", (b"a", b"b", b"c")),
        (b"/etc/passwd", (b"etc", b"passwd")),
        (b"a/../b", (b"b",)),
        (b".", ()),
        (b"./", ()),
        (b"", ()),
    ],
)
def test_names_are_cleaned_by_their_text(name: bytes, parts: tuple[bytes, ...]) -> None:
    assert components(name) == parts


@pytest.mark.parametrize("name", [b"..", b"../x", b"a/../../x", b"/../x", b"./../../etc/passwd"])
def test_names_that_leave_the_root_are_refused(name: bytes) -> None:
    with pytest.raises(BadArchive, match="leaves the archive"):
        components(name)


@settings(deadline=None)
@given(st.binary(max_size=4096))
def test_random_bytes_never_crash_or_loop(data: bytes) -> None:
    try:
        read(data)
    except (BadArchive, Unsupported):  # hypothesis finds the magic of zstd
        pass


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_damaged_archives_never_crash_or_loop(data: st.DataObject) -> None:
    good = bytearray(
        make_tar({"a/" * 80 + "f": b"x" * 600, "s": special("s", tarfile.SYMTYPE, linkname="q" * 200)})
    )
    for _ in range(data.draw(st.integers(1, 6))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    # Make checksums right again, or nearly every change would be found by them alone.
    for at in range(0, len(good) - 511, 512):
        if any(good[at : at + 512]) and data.draw(st.booleans()):
            good[at + 148 : at + 156] = b" " * 8
            good[at + 148 : at + 156] = b"%06o\0 " % sum(good[at : at + 512])
    try:
        for entry, _ in read(bytes(good)):
            components(entry.name)
    except BadArchive as error:
        assert "\n" not in str(error)


def test_both_ways_to_sum_a_header_are_right() -> None:
    header = bytearray(block(name=b"\xe9\xe9"))
    header[148:156] = b"%06o\0 " % (sum(header[:148] + header[156:]) + 256 - 2 * 256)
    assert read(bytes(header))[0][0].name.startswith(b"\xe9\xe9")
    header[148:156] = b"%06o\0 " % 5
    with pytest.raises(BadArchive, match="not a tar archive"):
        read(bytes(header))
