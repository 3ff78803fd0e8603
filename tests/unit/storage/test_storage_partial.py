"""Blobs that come in parts outlive an engine, and are believed by their hash alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import DigestMismatch
from core.oci.digest import Digest
from core.paths import Paths
from core.storage.content import ContentStore

DATA = b"0123456789" * 1000
DIGEST = Digest.of(DATA)


def parts(root: Path) -> list[Path]:
    return sorted((root / "root/content/ingest").iterdir())


def begin(root: Path, data: bytes) -> None:
    content = ContentStore(Paths(root / "root", root / "run"))
    blob = content.partial(DIGEST)
    blob.write(data)
    content.left(blob)


def test_goes_on_where_it_was(tmp_path: Path) -> None:
    begin(tmp_path, DATA[:4000])
    content = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    content.sweep()
    blob = content.partial(DIGEST)
    assert blob.size == 4000
    blob.write(DATA[4000:])
    content.arrived(blob, DIGEST)
    content.left(blob)
    assert content.read(DIGEST) == DATA
    content.settle(content.unsettled())
    assert content.read(DIGEST) == DATA
    assert not parts(tmp_path)


def test_what_came_whole_is_not_lost_with_its_engine(tmp_path: Path) -> None:
    content = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    blob = content.partial(DIGEST)
    blob.write(DATA)
    content.arrived(blob, DIGEST)
    content.left(blob)
    content.drop_partials(0.0)  # it waits to be settled: it is no part that nobody wants
    assert content.read(DIGEST) == DATA
    later = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    later.sweep()
    assert not later.has(DIGEST)  # nobody has looked at it since
    again = later.partial(DIGEST)
    assert again.size == len(DATA)
    later.arrived(again, DIGEST)
    later.left(again)
    later.settle(later.unsettled())
    assert later.read(DIGEST) == DATA
    assert later.path(DIGEST).stat().st_mode & 0o777 == 0o444
    assert not parts(tmp_path)


def test_what_came_whole_and_nobody_wants_is_a_part_again(tmp_path: Path) -> None:
    content = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    blob = content.partial(DIGEST)
    blob.write(DATA)
    content.arrived(blob, DIGEST)
    content.left(blob)
    content.set_aside(DIGEST)
    assert not content.has(DIGEST)
    assert [path.stat().st_size for path in parts(tmp_path)] == [len(DATA)]
    content.drop_partials(0.0)
    assert not parts(tmp_path)
    content.put(DATA)
    content.set_aside(DIGEST)  # a blob that was settled goes
    assert not content.has(DIGEST)


def test_wrong_bytes_are_thrown_away(tmp_path: Path) -> None:
    begin(tmp_path, bytes(4000))
    content = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    blob = content.partial(DIGEST)
    blob.write(DATA[4000:])
    with pytest.raises(DigestMismatch):
        content.arrived(blob, DIGEST)
    assert blob.size == 0
    content.left(blob)
    assert not parts(tmp_path)
    assert not content.has(DIGEST)


def test_old_parts_go_and_busy_ones_stay(tmp_path: Path) -> None:
    begin(tmp_path, DATA[:10])
    (part,) = parts(tmp_path)
    content = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    content.drop_partials()
    assert parts(tmp_path) == [part]
    blob = content.partial(DIGEST)
    content.drop_partials(0.0)
    assert parts(tmp_path) == [part]
    content.left(blob)
    os.utime(part, (0, 0))
    content.drop_partials()
    assert not parts(tmp_path)
