"""A recipe as it is written and read again, and what it makes of a directory."""

from __future__ import annotations

import io
import os
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CorruptStore
from core.storage.assembly import Assembly
from core.storage.recipe import LITERAL, FilePart, RecipeReader, RecipeWriter, TooLarge, tar_size

Parts = Sequence[bytes | FilePart]
BODIES = {b"a": b"A" * 700, b"d/b": bytes(range(256)) * 2000, b"d/c": b"c"}


def written(place: Path, parts: Parts, *, size: int, limit: int = 1 << 30) -> Path:
    path = place / "recipe"
    with path.open("wb", buffering=0) as file:
        writer = RecipeWriter(file.fileno(), size, limit=limit)
        for part in parts:
            writer.literal(part) if isinstance(part, bytes) else writer.file(part)
        writer.close()
    return path


def assembled(path: Path, folder: Path, step: int) -> bytes:
    with path.open("rb") as file:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            assembly = Assembly(file.fileno(), fd)
            pieces = io.BytesIO()
            while piece := assembly.read_some(step):
                assert len(piece) <= step
                pieces.write(piece)
            assembly.close()
            return pieces.getvalue()
        finally:
            os.close(fd)


@given(
    st.lists(st.binary(max_size=300) | st.sampled_from(sorted(BODIES)).map(lambda name: (name,)), max_size=10),
    st.sampled_from([7, 1000, 1 << 18]),
)
def test_what_is_written_is_given_back(chosen: list[bytes | tuple[bytes]], step: int) -> None:
    whole, parts = b"", []
    for item in chosen:
        whole += item if isinstance(item, bytes) else BODIES[item[0]]
        parts.append(
            item if isinstance(item, bytes) else FilePart(item[0], len(BODIES[item[0]]), zlib.crc32(whole))
        )
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "d").mkdir()
        for path, body in BODIES.items():
            (place / os.fsdecode(path)).write_bytes(body)
        recipe = written(place, parts, size=len(whole))
        if step > 7 or len(whole) < 5000:
            assert assembled(recipe, place, step) == whole
        with recipe.open("rb") as file:
            assert tar_size(file.fileno()) == len(whole)
            assert [part for part in RecipeReader(file.fileno()) if part] == [part for part in parts if part]


def test_a_long_literal_is_cut(tmp_path: Path) -> None:
    data = os.urandom(LITERAL * 2 + 5)
    with written(tmp_path, [data], size=len(data)).open("rb") as file:
        assert [len(part) for part in RecipeReader(file.fileno()) if isinstance(part, bytes)] == [
            LITERAL,
            LITERAL,
            5,
        ]


def test_a_recipe_has_an_end_to_its_size(tmp_path: Path) -> None:
    with pytest.raises(TooLarge):
        written(tmp_path, [os.urandom(1 << 20)] * 3, size=3 << 20, limit=1 << 20)
    assert (tmp_path / "recipe").stat().st_size <= 1 << 20


@pytest.mark.parametrize("size", [99, 101])
def test_a_tar_of_another_size_is_told(tmp_path: Path, size: int) -> None:
    recipe = written(tmp_path, [b"x" * 100], size=size)
    with pytest.raises(CorruptStore, match="recipe of a layer is damaged"):
        assembled(recipe, tmp_path, 1000)


@pytest.mark.parametrize("data", [b"", b"onggi", b"something else that is long enough"])
def test_what_is_no_recipe(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "recipe").write_bytes(data)
    with pytest.raises(CorruptStore):
        assembled(tmp_path / "recipe", tmp_path, 10)


def test_nothing_outside_is_read(tmp_path: Path) -> None:
    """Links lead about inside the directory, whatever they say."""
    (tmp_path / "secret").write_bytes(b"s" * 600)
    folder = tmp_path / "fs"
    folder.mkdir()
    (folder / "up").symlink_to("..")
    (folder / "direct").symlink_to("../secret")
    for path in (b"up/secret", b"../secret", b"direct", b"/../secret"):
        part = FilePart(path, 600, zlib.crc32(b"s" * 600))
        with pytest.raises(CorruptStore, match="cannot be read"):
            assembled(written(tmp_path, [part], size=600), folder, 1000)
