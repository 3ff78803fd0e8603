"""`verify` on a store that was damaged on purpose: what is wrong is found, named and, where it can be, repaired."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from store_kit import Store, docker_archive, ignore, make_tar, oci_archive, special

from core.images.room import ImageRoom
from core.images.verify import Finding, Puller, Verdict, Verifier
from core.oci.digest import Digest

pytestmark = pytest.mark.root

ONE = make_tar(
    {
        "etc/": special("etc", tarfile.DIRTYPE),
        "etc/one": b"1",
        "gone": b"x",
        "hard": special("hard", tarfile.LNKTYPE, linkname="gone"),
        "soft": special("soft", tarfile.SYMTYPE, linkname="/etc/one"),
        "null": special("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        "a/": special("a", tarfile.DIRTYPE),
        "a/below": b"replaced",
        "a": b"a file by now",
        "in": special("in", tarfile.SYMTYPE, linkname="etc"),
        "in/led": b"through a link of the layer itself",
    }
)
TWO = make_tar({"etc/two": b"22", ".wh.gone": b"", "etc/.wh..wh..opq": b"", "implied/deep/file": b"f"})


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path)
    await store.load(docker_archive([ONE, TWO], ["t:1"], packed=True))
    return store


def room_of(store: Store) -> ImageRoom:
    return store.images._room


async def verify(
    store: Store, *names: str, repair: bool = False, in_use: bool = False, puller: Puller | None = None
) -> Verdict:
    verifier = Verifier(room_of(store), in_use=lambda layer: in_use, puller=puller)
    return await verifier.verify(names, repair=repair, report=ignore)


async def only(store: Store, *names: str, repair: bool = False, in_use: bool = False) -> Finding:
    (finding,) = (await verify(store, *names, repair=repair, in_use=in_use)).findings
    return finding


async def layer(store: Store, number: int) -> tuple[Digest, Path, Path]:
    """chainID, directory and blob of one layer."""
    image = await store.images.resolve("t:1")
    name, diff_id = image.config.chain[number], image.config.rootfs.diff_ids[number]
    known = room_of(store).layers.get(diff_id)
    assert known is not None
    return name, store.snapshots.upper(name), store.content.path(known.blob)


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)


async def test_what_is_whole_is_well(store: Store) -> None:
    await store.load(oci_archive([("o:1", [ONE], None)]))
    verdict = await verify(store)
    assert verdict.findings == ()
    assert verdict.checked == 2 * 2 + 2 * 2  # two images' documents, two layers as blob and as files
    assert verdict.bytes > 0


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "contents": (lambda fs: (fs / "etc/one").write_bytes(b"2"), "/etc/one has other contents"),
    "longer": (lambda fs: (fs / "etc/one").write_bytes(b"11"), "/etc/one has other contents"),
    "mode": (lambda fs: (fs / "etc/one").chmod(0o777), "/etc/one has another mode"),
    "owner": (lambda fs: os.chown(fs / "etc", 5, 5), "/etc has another owner"),
    "missing": (lambda fs: (fs / "soft").unlink(), "/soft is missing"),
    "link": (lambda fs: ((fs / "soft").unlink(), (fs / "soft").symlink_to("/")), "/soft leads elsewhere"),
    "kind": (lambda fs: ((fs / "soft").unlink(), (fs / "soft").mkdir()), "/soft is of another kind"),
    "device": (
        lambda fs: ((fs / "null").unlink(), os.mknod(fs / "null", 0o20755, os.makedev(1, 5))),
        "/null is another device",
    ),
    "stranger": (lambda fs: (fs / "etc/new").write_bytes(b"n"), "/etc/new does not belong to the layer"),
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_a_changed_layer_is_named_and_unpacked_again(store: Store, name: str) -> None:
    damage, words = DAMAGE[name]
    chain_id, folder, _ = await layer(store, 0)
    damage(folder)
    found = await only(store)
    assert (found.what, found.digest, found.state, found.detail) == ("files", chain_id, "damaged", words)
    assert found.images == ("t:1",)
    busy = await only(store, repair=True, in_use=True)
    assert (busy.repaired, "running container" in busy.detail) == ("", True)
    assert (await only(store, "t:1", repair=True)).repaired == "unpacked again from its blob"
    assert (await verify(store)).findings == ()
    again = Store.open(store.paths.root.parent)
    await again.images.start()
    assert (await verify(again)).findings == ()
    assert [row.parent for row in again.snapshots.all() if row.parent] == [chain_id]


async def test_a_whiteout_that_went_is_missed(store: Store) -> None:
    _, folder, _ = await layer(store, 1)
    (folder / "gone").unlink()
    assert (await only(store)).detail == "/gone is missing"


async def test_a_lost_directory_is_made_again(store: Store) -> None:
    _, folder, _ = await layer(store, 0)
    folder.rename(folder.with_name("away"))
    found = await only(store, repair=True)
    assert (found.what, found.state, found.repaired) == ("files", "lost", "unpacked again from its blob")
    assert await store.save("t:1")


@pytest.mark.parametrize("lost", [True, False])
async def test_a_blob_only_a_registry_can_give_back(store: Store, lost: bool) -> None:
    _, _, blob = await layer(store, 0)
    if lost:
        blob.unlink()
    else:
        overwrite(blob, blob.read_bytes()[:-20] + b"x" * 20)
    found = await only(store, repair=True)
    assert (found.what, found.state) == ("blob", "lost" if lost else "damaged")
    assert found.digest == f"sha256:{blob.name}"
    assert found.repaired == ""
    assert "no registry is known to have it" in found.detail
    await store.load(docker_archive([ONE, TWO], ["t:1"], packed=True))  # the bytes were not taken for whole ones
    assert (await verify(store)).findings == ()


async def test_a_registry_gives_a_blob_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, blob = await layer(store, 0)
    whole = blob.read_bytes()
    overwrite(blob, b"evil")
    image = await store.images.resolve("t:1")
    digest = f"docker.io/library/t@{image.manifest.digest}"
    monkeypatch.setattr("core.images.verify._sources", lambda image: (digest,))
    asked = []

    class Registry:
        async def pull(self, reference: str) -> None:
            asked.append(reference)
            store.content.put(whole)

    (found,) = (await verify(store, repair=True, puller=Registry())).findings
    assert asked == [digest]
    assert found.repaired == f"fetched again from t@{image.manifest.digest}"
    assert (await verify(store)).findings == ()


async def test_a_manifest_of_ours_is_written_again(store: Store) -> None:
    image = await store.images.resolve("t:1")
    overwrite(store.content.path(image.manifest.digest), b"{}")
    found = await only(store, repair=True)
    assert (found.what, found.state, found.repaired) == ("manifest", "damaged", "written again from its layers")
    assert (await verify(store)).findings == ()


async def test_an_image_without_its_config_keeps_its_layers_until_it_is_given_up(store: Store) -> None:
    image = await store.images.resolve("t:1")
    overwrite(store.content.path(image.id), b"not a config")
    assert (await only(store)).what == "config"
    again = Store.open(store.paths.root.parent)
    await again.images.start()
    found = await only(again)
    assert (found.what, found.digest, found.images) == ("image", image.id, ("t:1",))
    assert again.snapshots.exists(image.config.chain[0])
    assert (await only(again, repair=True)).repaired.startswith("forgotten")
    assert (await verify(again)).checked == 0
    assert again.leftovers() == []


@pytest.mark.parametrize("manifest", ["whole", "damaged"])
async def test_garbage_goes_while_an_image_is_unreadable_as_far_as_it_is_known(store: Store, manifest: str) -> None:
    image = await store.images.resolve("t:1")
    await store.load(docker_archive([ONE, make_tar({"other": b"o"})], ["other:1"], packed=True))
    other = await store.images.resolve("other:1")
    overwrite(store.content.path(image.id), b"not a config")
    if manifest == "damaged":
        overwrite(store.content.path(image.manifest.digest), b"nor a manifest")
    again = Store.open(store.paths.root.parent)
    await again.images.start()
    kept = set(again.content.walk())
    await again.images.remove("other:1", force=False, in_use=lambda ident: ())
    gone = manifest == "whole"
    assert again.content.has(other.id) is not gone
    assert again.snapshots.exists(other.config.chain[1]) is not gone
    assert all(again.snapshots.exists(name) for name in image.config.chain)
    if gone:
        assert len(kept - set(again.content.walk())) == 3  # config, manifest, and the layer that only it had


async def test_a_record_that_lies_about_what_is_below_is_found(store: Store) -> None:
    store.db.execute("UPDATE snapshot SET parent = NULL")
    again = Store.open(store.paths.root.parent)
    (found,) = (await verify(again)).findings
    assert (found.what, found.detail) == ("files", "its record puts it on another layer")
