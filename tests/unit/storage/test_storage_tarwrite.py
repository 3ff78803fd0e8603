from __future__ import annotations

import io
import stat
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from core.storage.compression import Stream
from core.storage.tarball import TarReader
from core.storage.tarwrite import END, Member, header, padding

NAMES = st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name and name[-1:] != b"/")


@settings(deadline=None)
@given(
    name=NAMES,
    body=st.binary(max_size=1500),
    owner=st.integers(0, 2**32 - 2),
    mode=st.integers(0, 0o7777),
    mtime=st.integers(0, 2**33 - 1),
    value=st.binary(max_size=200),
)
def test_our_reader_reads_what_our_writer_writes(
    name: bytes, body: bytes, owner: int, mode: int, mtime: int, value: bytes
) -> None:
    member = Member(
        name, stat.S_IFREG | mode, len(body), uid=owner, gid=owner, mtime=mtime, xattrs={"user.x": value}
    )
    reader = TarReader(Stream(io.BytesIO(header(member) + body + padding(len(body)) + END).read))
    (entry,) = list(reader)
    assert entry.xattrs == {"user.x": value}
    assert (entry.name, entry.size, entry.mode, entry.uid, entry.gid) == (name, len(body), mode, owner, owner)
    assert entry.mtime_ns == mtime * 10**9


@settings(deadline=None)
@given(name=NAMES.filter(lambda name: name.isascii()), link=NAMES)
def test_pythons_reader_reads_what_our_writer_writes(name: bytes, link: bytes) -> None:
    members = [
        Member(name, stat.S_IFLNK | 0o777, link=link),
        Member(b"dir", stat.S_IFDIR | 0o755, mtime=7),
        Member(b"null", stat.S_IFCHR | 0o666, rdev=(1, 3)),
        Member(b"again", stat.S_IFREG | 0o644, link=b"first", hard_link=True),
    ]
    data = b"".join(header(member) for member in members) + END
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = tar.getmembers()
    assert [item.type for item in found] == [tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.LNKTYPE]
    assert found[0].linkname.encode("utf-8", "surrogateescape") == link
    assert (found[2].devmajor, found[2].devminor) == (1, 3)
    assert found[3].linkname == "first"


def test_attributes_and_large_numbers_go_into_pax_records() -> None:
    member = Member(b"f", stat.S_IFREG | 0o600, 1 << 34, uid=1 << 31, xattrs={"security.capability": b"\0\1=\n"})
    entry = next(iter(TarReader(Stream(io.BytesIO(header(member)).read))))
    assert entry.size == 1 << 34
    assert entry.uid == 1 << 31
    assert entry.xattrs == {"security.capability": b"\0\1=\n"}


def test_every_header_is_whole_blocks() -> None:
    for length in (1, 99, 100, 101, 511, 513, 4000):
        assert len(header(Member(b"n" * length, stat.S_IFREG))) % 512 == 0
