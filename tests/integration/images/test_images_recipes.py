"""Plain layers lie in a store once, as files; what is saved, sent and verified is what came, byte for byte."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from store_kit import Store, docker_archive, ignore, make_tar, oci_archive, sha256

from core.errors import BadArchive, CorruptStore, SyscallFailed
from core.images.capture import Capture
from core.images.packing import compress
from core.images.receive import Receiver
from core.images.send import Sender
from core.images.verify import Finding, Verifier
from core.oci.digest import Digest
from core.oci.image import OCI_LAYER_GZIP
from core.storage.content import ContentStore

pytestmark = pytest.mark.root

NOISE = random.Random(3).randbytes(3 << 20)
SHARED = make_tar({f"lib/{number}": NOISE[number * 30_000 :][:30_000] for number in range(100)})
OWN = make_tar({"own": NOISE[: 1 << 20]})
OTHER = make_tar({"other": NOISE[1 << 20 : 3 << 20]})
DAMAGED = b"damaged, but as long as it was"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path)


def disk_bytes(store: Store) -> int:
    os.sync()  # blocks are given out when they are written
    return sum(
        path.lstat().st_blocks * 512 for path in store.paths.root.rglob("*") if path.name != "onggi.db-reserve"
    )


def forms(store: Store) -> dict[str, list[str]]:
    """Which blobs lie there in which form: the first letters of their digests."""
    places = {"recipes": store.paths.content / "recipes", "blobs": store.paths.content / "blobs/sha256"}
    return {name: sorted(path.name[:8] for path in place.iterdir()) for name, place in places.items()}


def layer_of(saved: bytes, layer: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:
        found = archive.extractfile(f"blobs/sha256/{sha256(layer)}")
        assert found is not None
        return found.read()


def digest(layer: bytes) -> Digest:
    return Digest(f"sha256:{sha256(layer)}")


def folder(store: Store, layer: bytes) -> Path:
    found = store.snapshots.folder_of(digest(layer))
    assert found is not None
    return found


async def verified(store: Store, *, repair: bool = False) -> list[Finding]:
    verifier = Verifier(store.room, in_use=lambda layer: False)
    return list((await verifier.verify((), repair=repair, report=ignore)).findings)


async def received(data: bytes, there: Store) -> None:
    class Wire:
        def __init__(self) -> None:
            self.file = io.BytesIO(data)

        async def line(self, limit: int) -> bytes:
            return self.file.readline(limit + 1).removesuffix(b"\n")

        async def some(self, limit: int) -> bytes:
            return self.file.read(limit)

    async def say(line: bytes) -> None:
        assert "error" not in json.loads(line)

    await Receiver(there.room).receive(Wire(), say)


async def sent(store: Store, *names: str) -> bytes:
    pieces: list[bytes] = []

    async def write(data: bytes) -> None:
        pieces.append(data)

    await Sender(store.room).send(names, write)
    return b"".join(pieces)


async def test_an_image_costs_its_bytes_once_and_a_second_one_its_own(store: Store) -> None:
    before = disk_bytes(store)
    await store.load(docker_archive([SHARED, OWN], ["a:1"]))
    first = disk_bytes(store) - before
    assert len(SHARED) + len(OWN) < first * 1.1 and first < (len(SHARED) + len(OWN)) * 1.1
    await store.load(docker_archive([SHARED, OTHER], ["b:1"]))
    second = disk_bytes(store) - before - first
    assert second < len(OTHER) * 1.1
    saved = await store.save("a:1", "b:1")
    for layer in (SHARED, OWN, OTHER):
        assert layer_of(saved, layer) == layer
    assert await verified(store) == []
    assert (await store.save("a:1")) == (await store.save("a:1"))


async def test_it_is_the_same_archive_as_of_a_store_of_blobs(store: Store, tmp_path: Path) -> None:
    """Whose layers came compressed, so that their blobs are there."""
    blobs = Store.open(tmp_path / "blobs")
    await blobs.load(docker_archive([SHARED, OWN], ["a:1"], packed=True))
    await store.load(docker_archive([SHARED, OWN], ["a:1"]))
    assert forms(blobs)["recipes"] == [] and len(forms(store)["recipes"]) == 2
    assert await store.save("a:1") == await blobs.save("a:1")
    again = Store.open(tmp_path / "again")
    await again.load(await store.save("a:1"))
    assert await again.save("a:1") == await store.save("a:1")


async def test_whatever_way_a_plain_layer_comes(store: Store, tmp_path: Path) -> None:
    here = Store.open(tmp_path / "here")
    await here.load(oci_archive([("o:1", [SHARED, OWN], None)], packed=False))
    await store.import_(OTHER, "i:1")
    await store.import_(OTHER, "i:2")  # the same once more
    await received(await sent(here, "o:1"), store)
    found = forms(store)
    assert found["recipes"] == sorted(sha256(layer)[:8] for layer in (SHARED, OWN, OTHER))
    assert not set(found["recipes"]) & set(found["blobs"])
    assert await store.save("o:1") == await here.save("o:1")
    assert layer_of(await store.save("i:1"), OTHER) == OTHER
    assert (await store.images.resolve("o:1")).manifest == (await here.images.resolve("o:1")).manifest
    assert await verified(store) == []
    await store.images.remove("i:1", force=False, in_use=lambda ident: ())
    await store.images.remove("i:2", force=False, in_use=lambda ident: ())
    await store.images.remove("o:1", force=False, in_use=lambda ident: ())
    assert store.leftovers() == []


async def test_a_layer_on_two_others_outlives_either(store: Store) -> None:
    await store.load(docker_archive([SHARED, OWN], ["a:1"]))
    await store.load(docker_archive([OTHER, OWN], ["b:1"]))
    for gone, left, layers in (("a:1", "b:1", [OTHER, OWN]), ("b:1", "a:1", [SHARED, OWN])):
        await store.images.remove(gone, force=False, in_use=lambda ident: ())
        saved = await store.save(left)
        assert [layer_of(saved, layer) for layer in layers] == layers
        await store.load(docker_archive([SHARED, OWN], ["a:1"]))


async def test_layers_at_once_and_twice_in_one_image(store: Store) -> None:
    await asyncio.gather(
        store.load(docker_archive([OWN, OWN, SHARED], ["a:1"])), store.load(docker_archive([OWN, SHARED], ["b:1"]))
    )
    saved = await store.save("a:1", "b:1")
    assert layer_of(saved, OWN) == OWN and layer_of(saved, SHARED) == SHARED
    assert not list((store.paths.content / "ingest").iterdir())
    assert await verified(store) == []


async def test_a_layer_that_is_not_what_its_digest_says_leaves_nothing(store: Store) -> None:
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest(OWN)]}}
    ).encode()
    with pytest.raises(BadArchive, match="layer 1 of a:1 does not match its digest"):
        await store.load(docker_archive([OTHER], ["a:1"], config=config))
    assert store.leftovers() == []


async def test_a_tar_of_which_nothing_can_be_found_again_is_kept(store: Store) -> None:
    """Replaced to the last byte: there is a blob then, as for a layer that is small."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for body in (NOISE[:300_000], b"small"):
            info = tarfile.TarInfo("f")
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    layer = buffer.getvalue()
    await store.load(docker_archive([layer], ["a:1"]))
    assert forms(store)["recipes"] == [] and sha256(layer)[:8] in forms(store)["blobs"]
    assert layer_of(await store.save("a:1"), layer) == layer


async def test_an_engine_that_comes_later_reads_it_and_one_that_died_left_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.load(docker_archive([SHARED], ["a:1"]))

    def die(*_: object) -> None:
        raise OSError(5, "the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(ContentStore, "settle", die)
        with pytest.raises(SyscallFailed, match="input/output error"):
            await store.room.unpacker.take_in(io.BytesIO(OTHER).read, None, lambda _: None)
            await store.load(docker_archive([SHARED, OWN], ["b:1"]))
    later = Store.open(tmp_path)
    await later.snapshots.sweep()
    await later.images.start()
    assert [image.references for image in await later.images.list()] == [("docker.io/library/a:1",)]
    assert layer_of(await later.save("a:1"), SHARED) == SHARED
    assert forms(later)["recipes"] == [sha256(SHARED)[:8]] and not list((later.paths.content / "ingest").iterdir())
    await later.load(docker_archive([SHARED, OWN], ["b:1"]))
    assert layer_of(await later.save("b:1"), OWN) == OWN


@pytest.mark.parametrize("how", ["file", "recipe", "no recipe"])
async def test_damage_is_named_and_what_was_loaded_again_repairs_it(store: Store, how: str) -> None:
    await store.load(docker_archive([SHARED, OWN], ["a:1"]))
    path, recipe = folder(store, SHARED) / "lib/7", store.content.recipes.path(digest(SHARED))
    if how == "file":
        path.write_bytes(DAMAGED + path.read_bytes()[len(DAMAGED) :])
    elif how == "recipe":
        data = recipe.read_bytes()
        recipe.chmod(0o600)
        recipe.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    else:
        recipe.unlink()
    with pytest.raises(CorruptStore):
        await store.save("a:1")
    findings = await verified(store, repair=True)
    expected = {
        "file": ["file /lib/7 of a layer has other contents"] * 2,
        "recipe": ["recipe of a layer is"],
        "no recipe": [f"the blob of layer {digest(SHARED)} is missing"],
    }[how]
    assert [(one.what, one.images) for one in findings] == [("blob", ("a:1",)), ("files", ("a:1",))][
        : len(expected)
    ]
    assert all(one.detail.startswith(text) for one, text in zip(findings, expected, strict=True))
    assert not any(one.repaired for one in findings)
    await store.load(docker_archive([SHARED, OWN], ["a:1"]))  # brings the tar, not the files
    assert layer_of(await store.save("a:1"), SHARED) == SHARED
    left = await verified(store, repair=True)
    assert [one.repaired for one in left] == (["unpacked again from its blob"] if how == "file" else [])
    assert await verified(store) == []
    assert forms(store)["recipes"] == sorted(sha256(layer)[:8] for layer in (SHARED, OWN))
    assert layer_of(await store.save("a:1"), SHARED) == SHARED


async def test_files_that_only_look_otherwise_are_made_anew_from_themselves(store: Store) -> None:
    await store.load(docker_archive([SHARED], ["a:1"]))
    (folder(store, SHARED) / "lib/3").chmod(0o777)
    (folder(store, SHARED) / "stranger").write_bytes(b"")
    (finding,) = await verified(store, repair=True)
    assert "/lib/3 has another mode" in finding.detail and "/stranger does not belong" in finding.detail
    assert finding.repaired == "unpacked again from its blob"
    assert await verified(store) == [] and layer_of(await store.save("a:1"), SHARED) == SHARED


async def keep_twice(store: Store, layers: Sequence[bytes]) -> None:
    """As an earlier version has left it: the tars as blobs, and no recipes."""
    for layer in layers:
        with store.content.writer() as writer:
            writer.write(layer)
            writer.commit()
        store.content.recipes.delete(digest(layer))


async def test_a_store_of_an_earlier_version_is_read_and_made_smaller(store: Store) -> None:
    await store.load(docker_archive([SHARED, OWN], ["a:1"]))
    await keep_twice(store, [SHARED, OWN])
    twice = disk_bytes(store)
    assert layer_of(await store.save("a:1"), SHARED) == SHARED
    (folder(store, OWN) / "own").write_bytes(DAMAGED)
    assert [one.repaired for one in await verified(store, repair=True)] == ["unpacked again from its blob"]
    assert forms(store)["recipes"] == sorted(sha256(layer)[:8] for layer in (SHARED, OWN))
    assert disk_bytes(store) < twice * 0.6
    await keep_twice(store, [OWN])
    await store.load(docker_archive([OTHER, OWN], ["b:1"]))  # unpacked once more, on another layer
    assert len(forms(store)["recipes"]) == 3 and sha256(OWN)[:8] not in forms(store)["blobs"]
    saved = await store.save("a:1")
    assert layer_of(saved, SHARED) == SHARED and layer_of(saved, OWN) == OWN


async def test_a_tar_that_stands_goes_only_for_a_recipe_that_is_right(store: Store) -> None:
    await store.load(docker_archive([OWN], ["a:1"]))
    with store.content.writer() as writer:
        writer.write(OWN)
        writer.commit()
    path = folder(store, OWN) / "own"
    path.write_bytes(DAMAGED + path.read_bytes()[len(DAMAGED) :])
    assert not store.content.exchange(digest(OWN))
    assert forms(store)["recipes"] == [] and layer_of(await store.save("a:1"), OWN) == OWN


async def test_it_compresses_to_the_same_and_is_read_at_random(store: Store) -> None:
    await store.load(docker_archive([OWN], ["a:1"]))
    layer = store.room.layers.get(digest(OWN))
    assert layer is not None
    packed, _ = await compress(store.room, layer)
    fd = store.content.open(digest(OWN))
    assert os.pread(fd, len(OWN) + 1, 0) == OWN
    os.close(fd)
    await store.room.unpacker.settle()
    store.room.layers.add(replace(layer, blob=packed, media_type=OCI_LAYER_GZIP))
    assert layer_of(await store.save("a:1"), OWN) == OWN


async def test_what_was_damaged_is_not_opened(store: Store) -> None:
    await store.load(docker_archive([OWN], ["a:1"]))
    os.truncate(folder(store, OWN) / "own", 5)
    with pytest.raises(CorruptStore, match="file /own of a layer has another size"):
        store.content.open(digest(OWN))
    layer = store.room.layers.get(digest(OWN))
    assert layer is not None
    with pytest.raises(CorruptStore, match="file /own"):
        await compress(store.room, layer)
    assert not list((store.paths.content / "ingest").iterdir())


async def test_what_a_step_of_a_build_has_written_where_it_lies(store: Store) -> None:
    """Its folder becomes the layer; nothing is unpacked that could have told which file is what."""
    await store.load(docker_archive([SHARED], ["a:1"]))
    base = await store.images.resolve("a:1")
    await store.snapshots.prepare("step", base.snapshot)
    upper = store.snapshots.upper("step")
    (upper / "made").write_bytes(NOISE[:300_000])
    os.link(upper / "made", upper / "linked")
    (upper / "empty").touch()

    async def released(_: str) -> None:
        pass

    layer = await Capture(store.room).adopt("step", base.config.rootfs.diff_ids, released)
    assert layer is not None and store.content.path(layer).is_file()
    tar = store.content.path(layer).read_bytes()
    await store.room.unpacker.settle()
    assert layer.hex[:8] in forms(store)["recipes"] and not store.content.path(layer).exists()
    fd = store.content.open(layer)
    assert os.pread(fd, len(tar) + 1, 0) == tar
    os.close(fd)
    assert store.content.size(layer) == len(tar)
