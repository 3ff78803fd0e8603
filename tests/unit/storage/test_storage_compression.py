from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadArchive, Unsupported
from core.storage import compression
from core.storage.compression import Stream, detect
from core.storage.zstd import module

zstd = module()
MAGICS = [b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x55\x2a\x4d\x18"]
CHECKED = {zstd.CompressionParameter.checksum_flag: 1}

PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: zstd.compress(data, options=CHECKED),
}


def drain(stream: Stream, step: int = 1000) -> bytes:
    pieces = []
    while piece := stream.read_some(step):
        assert len(piece) <= step
        pieces.append(piece)
    return b"".join(pieces)


@pytest.mark.parametrize("kind", PACK)
@settings(deadline=None, max_examples=30)
@given(data=st.binary(max_size=5000), step=st.integers(1, 700))
def test_every_kind_gives_the_plain_bytes_and_their_digest(kind: str, data: bytes, step: int) -> None:
    source = io.BytesIO(PACK[kind](data))
    stream = Stream(lambda count: source.read(min(count, step)))
    if data or kind:
        assert stream.compression == kind or not kind
    if not kind and detect(data):
        return
    assert drain(stream) == data
    assert stream.size == len(data)
    assert stream.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize("kind", [kind for kind in PACK if kind])
def test_strung_together_files_are_one(kind: str) -> None:
    pack = PACK[kind]
    assert drain(Stream(io.BytesIO(pack(b"one") + pack(b"two") + b"\0" * 100).read)) == b"onetwo"


@pytest.mark.parametrize("kind", [kind for kind in PACK if kind])
@pytest.mark.parametrize("cut", [7, 30, 200])
def test_what_ends_early_is_truncated(kind: str, cut: int) -> None:
    packed = PACK[kind](bytes(range(256)) * 40)
    assert len(packed) > cut
    with pytest.raises(BadArchive, match=r"truncated|damaged"):
        drain(Stream(io.BytesIO(packed[:cut]).read))


@pytest.mark.parametrize("kind", [kind for kind in PACK if kind])
def test_damage_and_trailing_junk_are_refused(kind: str) -> None:
    packed = bytearray(PACK[kind](bytes(range(256)) * 40))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(BadArchive):
        drain(Stream(io.BytesIO(bytes(packed)).read))
    with pytest.raises(BadArchive, match="followed by something else"):
        drain(Stream(io.BytesIO(PACK[kind](b"x") + b"and more").read))


def test_frames_without_data_are_passed_over() -> None:
    """zstd:chunked layers, as podman makes them, and files of pzstd have such frames. RFC 8878, 3.1.2."""
    skippable = b"\x5a\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"table"
    packed = skippable + zstd.compress(b"one") + skippable + zstd.compress(b"two") + skippable
    assert drain(Stream(io.BytesIO(packed).read)) == b"onetwo"


def test_a_frame_that_asks_for_too_large_a_window_is_refused() -> None:
    large = {zstd.CompressionParameter.window_log: 29, zstd.CompressionParameter.enable_long_distance_matching: 1}
    with pytest.raises(BadArchive, match="memory"):
        drain(Stream(io.BytesIO(zstd.compress(bytes(5000), options=large)[:-1] + b"x").read))


def test_without_the_package_zstd_is_said_to_be_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.storage.zstd._found", None)
    for way in ("_stdlib", "_package", "_from_site_packages"):
        monkeypatch.setattr(f"core.storage.zstd.{way}", lambda: None)
    with pytest.raises(Unsupported, match="zstd"):
        Stream(io.BytesIO(zstd.compress(b"x")).read)


def test_a_plain_source_whose_digest_is_known_need_not_be_hashed() -> None:
    stream = Stream(io.BytesIO(b"plain").read, hashed=False)
    assert drain(stream) == b"plain"
    assert stream.digest == f"sha256:{hashlib.sha256(b'').hexdigest()}"
    packed = Stream(io.BytesIO(gzip.compress(b"plain")).read, hashed=False)
    assert drain(packed) == b"plain"
    assert packed.digest == f"sha256:{hashlib.sha256(b'plain').hexdigest()}"


def test_no_more_than_the_limit_comes_out() -> None:
    with pytest.raises(BadArchive, match="more than 1000 bytes"):
        drain(Stream(io.BytesIO(gzip.compress(bytes(5000))).read, limit=1000))
    assert len(drain(Stream(io.BytesIO(gzip.compress(bytes(1000))).read, limit=1000))) == 1000


@pytest.mark.parametrize("kind", ["gzip", "xz", "zstd"])
def test_a_bomb_is_refused_long_before_its_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "RATIO_FLOOR", 1 << 20)
    bomb = PACK[kind](bytes(16 << 20))
    stream = Stream(io.BytesIO(bomb).read)
    with pytest.raises(BadArchive, match="bomb"):
        drain(stream, 1 << 20)
    assert stream.size < 6 << 20


def test_skip_and_read_count_exactly() -> None:
    stream = Stream(io.BytesIO(gzip.compress(bytes(range(200)) * 5000)).read)
    assert stream.skip(199) == 199
    assert stream.read(2) == b"\xc7\x00"
    assert stream.skip(10**9) == 10**6 - 201
    assert stream.read(5) == b""


@settings(deadline=None)
@given(
    st.sampled_from(MAGICS),
    st.binary(max_size=300),
)
def test_random_bytes_behind_a_magic_never_crash(magic: bytes, rest: bytes) -> None:
    try:
        drain(Stream(io.BytesIO(magic + rest).read))
    except BadArchive:
        pass
