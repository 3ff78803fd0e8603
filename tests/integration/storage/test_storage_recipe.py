"""What a recipe and an unpacked layer give is the tar that came, byte for byte, whatever the tar has in it."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_kit import file_of, make_tar, run_forked, sha256, special

from core.errors import BadArchive, CorruptStore
from core.storage import recording
from core.storage.apply import _ARCHIVES_FAULT, Part, apply
from core.storage.assembly import Assembly, DamagedFile
from core.storage.recipe import MAGIC

pytestmark = pytest.mark.root

BULK = random.Random(1).randbytes(200_000)


@dataclass
class Layer:
    """A tar that was unpacked: its directory, and its recipe where there is one."""

    folder: Path
    recipe: Path
    has_recipe: bool

    def assembled(self, step: int = 1 << 18) -> bytes:
        with self.recipe.open("rb") as file:
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                assembly = Assembly(file.fileno(), folder)
                try:
                    return b"".join(iter(lambda: assembly.read_some(step), b""))
                finally:
                    assembly.close()
            finally:
                os.close(folder)


def unpack(data: bytes, place: Path) -> Layer:
    """In this process: without the root changed, which a tar of a test does not need."""
    folder, recipe = place / "fs", place / "recipe"
    folder.mkdir()
    source, target = file_of(data), os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with recipe.open("wb", buffering=0) as out:
            umask = os.umask(0)
            try:
                answer = apply(Part(source, 0, None), target, sync=False, recipe=out.fileno())
            finally:
                os.umask(umask)
    finally:
        os.close(source)
        os.close(target)
    return Layer(folder, recipe, answer["recipe"])


@pytest.fixture
def anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe is made of anything, worth it or not."""
    monkeypatch.setattr(recording, "SMALLEST", 0)
    monkeypatch.setattr(recording, "SHARE", 100)


_PLAIN = ["a", "b", "a/b", "a/c", "./a", "a/b/c", "l", "l/x", "a/../b", "é", "."]
_LONG = ["d" * 120, f"{'d' * 120}/{'e' * 200}"]
_WHITEOUTS = ["a/.wh.b", ".wh.a", "a/.wh..wh..opq", ".wh..wh.plnk/1"]
NAMES = st.sampled_from([*_PLAIN, *_LONG, *_WHITEOUTS])
SIZES = st.sampled_from([0, 1, 511, 512, 513, 1024, 1500, 70_000])
KINDS = st.sampled_from(
    [tarfile.REGTYPE] * 6
    + [tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
)


@st.composite
def members(draw: st.DrawFn) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(draw(NAMES))
    info.type = draw(KINDS)
    info.mode = draw(st.sampled_from([0o644, 0o4755, 0o700]))
    info.mtime = draw(st.sampled_from([0, 1, 1_700_000_000]))
    body = b""
    if info.isreg():
        start = draw(st.integers(0, 1000))
        body = BULK[start : start + draw(SIZES)]
        info.size = len(body)
    elif info.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info.linkname = draw(NAMES)
    return info, body


@st.composite
def tars(draw: st.DrawFn) -> bytes:
    """Any tar that Python can write, and a few ends that it would not."""
    buffer = io.BytesIO()
    format = draw(st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]))
    headers = draw(st.sampled_from([{}, {"comment": "global"}])) if format == tarfile.PAX_FORMAT else {}
    with tarfile.open(fileobj=buffer, mode="w", format=format, pax_headers=headers) as archive:
        for info, body in draw(st.lists(members(), min_size=1, max_size=12)):
            archive.addfile(info, io.BytesIO(body))
    data = buffer.getvalue()
    end = draw(st.sampled_from(["as it is", "no end", "one block", "bytes behind", "zeros behind"]))
    if end in ("no end", "one block"):
        data = data.rstrip(b"\0")
        data += bytes(-len(data) % 512) + (bytes(512) if end == "one block" else b"")
    return data + {"bytes behind": BULK[:5000], "zeros behind": bytes(100_000)}.get(end, b"")


@pytest.mark.usefixtures("anything")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=tars(), step=st.sampled_from([1, 700, 1 << 18]))
def test_the_tar_comes_back(data: bytes, step: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        try:
            layer = unpack(data, Path(place))
        except BadArchive:
            return
        except OSError as error:
            assert error.errno in _ARCHIVES_FAULT
            return
        assert layer.has_recipe
        if step > 1 or len(data) < 20_000:
            assert layer.assembled(step) == data


def test_every_file_that_can_be_found_again_stays_out(tmp_path: Path) -> None:
    files = {f"d{number % 7}/f{number}": BULK[number : number + 2000 + number] for number in range(200)}
    data = make_tar(files)
    layer = unpack(data, tmp_path)
    assert layer.has_recipe and layer.assembled() == data
    assert layer.recipe.stat().st_size < len(data) // 30


def test_what_is_replaced_stands_in_the_recipe(tmp_path: Path) -> None:
    """By a file that gets its inode, by a folder, by a link, with the folder it is in, and by a whiteout."""
    one, two, three = BULK[:70_000], BULK[70_000:140_000], BULK[140_000:]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, body in (
            ("a", one),
            ("a", two),
            ("b", three),
            ("d/x", one),
            ("h", three),
            ("keep", BULK[:100_000]),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        tar.addfile(special("b", tarfile.DIRTYPE))
        tar.addfile(special("d", tarfile.SYMTYPE, linkname="b"))
        tar.addfile(special("h", tarfile.LNKTYPE, linkname="keep"))
        tar.addfile(special(".wh.keep", tarfile.REGTYPE))
    data = buffer.getvalue()
    layer = unpack(data, tmp_path)
    assert not layer.has_recipe  # it would hold more than half of the tar
    again = tmp_path / "again"
    again.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "SHARE", 1.0)
        layer = unpack(data, again)
    assert layer.has_recipe and layer.assembled() == data
    assert 250_000 < layer.recipe.stat().st_size < 300_000  # one, three, one and three; not two and what is kept


def test_a_small_or_compressed_tar_has_none(tmp_path: Path) -> None:
    for name, data in (("small", make_tar({"f": BULK[:50_000]})), ("packed", gzip.compress(make_tar({"f": BULK})))):
        (tmp_path / name).mkdir()
        assert not unpack(data, tmp_path / name).has_recipe


def test_a_part_of_a_file_is_unpacked(tmp_path: Path) -> None:
    """As a layer lies in an archive, in the zygote's job."""
    data = make_tar({"f": BULK})
    (tmp_path / "fs").mkdir()
    source, target = file_of(b"before" + data + b"behind"), os.open(tmp_path / "fs", os.O_RDONLY | os.O_DIRECTORY)
    with (tmp_path / "recipe").open("wb") as out:
        args = {"offset": 6, "size": len(data), "recipe": True}
        answer = run_forked("apply-layer", args, [source, target, out.fileno()])
    os.close(source)
    os.close(target)
    assert (answer["diff_id"], answer["size"]) == (f"sha256:{sha256(data)}", len(data)) and answer["recipe"]
    assert Layer(tmp_path / "fs", tmp_path / "recipe", True).assembled() == data


def test_a_tar_that_changes_meanwhile_gets_none(tmp_path: Path) -> None:
    data = make_tar({f"{number}": BULK[number:][:5000] for number in range(30)})

    class Changing(Part):
        def read_at(self, count: int, position: int) -> bytes:
            piece = super().read_at(count, position)
            return piece.replace(b"ustar", b"USTAR") if position and count < 2000 else piece

    (tmp_path / "fs").mkdir()
    source, target = file_of(data), os.open(tmp_path / "fs", os.O_RDONLY | os.O_DIRECTORY)
    with (tmp_path / "recipe").open("wb") as out:
        answer = apply(Changing(source, 0, None), target, sync=False, recipe=out.fileno())
    os.close(source)
    os.close(target)
    assert not answer["recipe"]


def damage_by(layer: Layer, how: str) -> None:
    path = layer.folder / "d/file"
    if how == "contents":
        data = path.read_bytes()
        path.write_bytes(b"x" + data[1:])
    elif how == "shorter":
        os.truncate(path, 10)
    elif how == "longer":
        path.write_bytes(path.read_bytes() + b"x")
    else:
        path.unlink()
        if how == "a pipe":
            os.mkfifo(path)
        elif how == "a link out":
            path.symlink_to("/etc/passwd")
        elif how == "a folder":
            path.mkdir()


@pytest.mark.parametrize("how", ["contents", "shorter", "longer", "missing", "a pipe", "a link out", "a folder"])
def test_a_file_that_is_another_is_named(tmp_path: Path, how: str) -> None:
    layer = unpack(make_tar({"before": BULK[:40_000], "d/file": BULK[:60_000]}), tmp_path)
    damage_by(layer, how)
    with pytest.raises(DamagedFile, match="file /d/file of a layer"):
        layer.assembled()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layer, bytes]:
    data = make_tar({f"d/{number}": BULK[number:][:3000] for number in range(40)})
    return unpack(data, tmp_path_factory.mktemp("sound")), data


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.integers(0, 1 << 20), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_recipe_is_told(sound: tuple[Layer, bytes], where: int, bit: int, cut: bool) -> None:
    layer, data = sound
    recipe = bytearray(layer.recipe.read_bytes())
    where %= len(recipe)
    if cut:
        del recipe[where:]
    else:
        recipe[where] ^= 1 << bit
    with tempfile.TemporaryDirectory() as place:
        damaged = Path(place) / "recipe"
        damaged.write_bytes(recipe)
        try:
            assert Layer(layer.folder, damaged, True).assembled() == data  # the gzip head has bits without meaning
        except CorruptStore:
            return


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(st.binary(max_size=40) | st.sampled_from([b"L\xff\xff\xff\xff", b"E", b"F" + b"\xff" * 14]))
)
def test_any_records_end(sound: tuple[Layer, bytes], records: list[bytes]) -> None:
    packed = gzip.compress(b"".join(records), mtime=0)
    with tempfile.TemporaryDirectory() as place:
        recipe = Path(place) / "recipe"
        recipe.write_bytes(MAGIC + (100).to_bytes(8, "big") + packed)
        with pytest.raises(CorruptStore):
            Layer(sound[0].folder, recipe, True).assembled()
