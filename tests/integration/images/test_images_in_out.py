"""Images in and out of a real store: load, import, save, rmi, the starter; and lies that leave nothing behind."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import resource
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from store_kit import (
    ForkingZygote,
    Store,
    config_of,
    docker_archive,
    file_of,
    ignore,
    make_tar,
    oci_archive,
    sha256,
    special,
)

from core.errors import (
    BadArchive,
    BadReference,
    DiskFull,
    EngineError,
    InvalidArgument,
    NoSuchImage,
    SyscallFailed,
    ZygoteGone,
)
from core.images.room import ImageRoom
from core.images.service import Images
from core.model.events import Progress
from core.oci.digest import Digest
from core.storage.content import ContentStore
from core.storage.zstd import module

pytestmark = pytest.mark.root
zstd = module()

ONE = make_tar({"etc/": special("etc", tarfile.DIRTYPE), "etc/one": b"1", "gone": b"x"})
TWO = make_tar({"etc/two": b"22", ".wh.gone": b""})
ARCHIVES: dict[str, Callable[[], bytes]] = {
    "docker": lambda: docker_archive([ONE, TWO], ["t:1"]),
    "docker, gzipped layers": lambda: docker_archive([ONE, TWO], ["t:1"], packed=True),
    "docker, gzipped whole": lambda: gzip.compress(docker_archive([ONE, TWO], ["t:1"])),
    "oci": lambda: oci_archive([("t:1", [ONE, TWO], None)]),
    "docker, zstd whole": lambda: zstd.compress(docker_archive([ONE, TWO], ["t:1"])),
    "oci, zstd layers": lambda: oci_archive([("t:1", [ONE, TWO], None)], pack=zstd.compress),
    "oci, plain layers": lambda: oci_archive([("t:1", [ONE, TWO], None)], packed=False),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path)


def listing(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def nobody(ident: Digest) -> tuple[str, ...]:
    return ()


@pytest.mark.parametrize("archive", ARCHIVES.values(), ids=ARCHIVES)
async def test_every_kind_of_archive_is_the_same_image(store: Store, archive: Callable[[], bytes]) -> None:
    assert await store.load(archive()) == ("Loaded image: t:1",)
    image = await store.images.resolve("t:1")
    assert image.id.hex == sha256(config_of([ONE, TWO]))
    assert image.size == 1 + 1 + 2
    assert [line["Size"] for line in await store.images.history("t:1")] == [2, 2]
    await store.images.prepare("c", image)
    top, bottom = store.snapshots.rootfs("c")["lower"]
    assert listing(bottom) == ["etc", "gone"]
    assert listing(f"{top}/etc") == ["two"]
    assert (Path(top) / "gone").stat().st_rdev == 0


async def test_what_is_saved_loads_again_as_the_same_image(store: Store, tmp_path: Path) -> None:
    await store.load(docker_archive([ONE, TWO], ["t:1", "t:2", "other:1"], packed=True))
    image = await store.images.resolve("t:1")
    data = await store.save("t", "other:1")
    second = Store.open(tmp_path / "second")
    assert await second.load(data) == tuple(f"Loaded image: {name}" for name in ("t:1", "t:2", "other:1"))
    assert (await second.images.resolve("t:2")).id == image.id
    assert await second.save("t", "other:1") == data
    by_id = await store.save(image.id)
    sizes = [await store.images.saved_size(names) for names in (("t", "other:1"), (image.id,))]
    assert sizes == [len(data), len(by_id)]
    third = Store.open(tmp_path / "third")
    assert await third.load(by_id) == (f"Loaded image ID: {image.id}",)


async def test_images_share_their_layers(store: Store) -> None:
    await store.load(docker_archive([ONE], ["a:1"]))
    await store.load(docker_archive([ONE, TWO], ["b:1"]))
    assert len([item for item in store.snapshots.all() if item.committed]) == 2
    done = await store.images.remove("a:1", force=False, in_use=nobody)
    assert [list(line) for line in done] == [["Untagged"], ["Deleted"]]
    done = await store.images.remove("b:1", force=False, in_use=nobody)
    assert [next(iter(line)) for line in done] == ["Untagged", "Deleted", "Deleted", "Deleted"]
    assert store.leftovers() == []


async def test_a_container_keeps_the_layers_it_stands_on(store: Store) -> None:
    await store.load(docker_archive([ONE], ["a:1"]))
    await store.images.prepare("c", await store.images.resolve("a:1"))
    done = await store.images.remove("a:1", force=True, in_use=nobody)
    assert [next(iter(line)) for line in done] == ["Untagged", "Deleted"]
    assert (Path(store.snapshots.rootfs("c")["lower"][0]) / "etc/one").read_bytes() == b"1"
    await store.snapshots.remove("c")
    await store.images.start()
    assert store.leftovers() == []


async def test_a_tag_that_moves_is_told(store: Store) -> None:
    await store.load(docker_archive([ONE], ["a:1"]))
    old = await store.images.resolve("a:1")
    assert await store.load(docker_archive([ONE, TWO], ["a:1"])) == (
        f"The image a:1 already exists, renaming the old one with ID {old.id} to empty string",
        "Loaded image: a:1",
    )
    assert (await store.images.resolve(old.id)).references == ()


async def test_an_image_without_layers_works(store: Store) -> None:
    await store.load(docker_archive([], ["none:1"]))
    image = await store.images.resolve("none:1")
    assert image.snapshot is None
    await store.images.prepare("c", image)
    assert await store.load(await store.save("none:1")) == ("Loaded image: none:1",)


def lying(change: Callable[[dict[str, object]], None]) -> bytes:
    config = json.loads(config_of([ONE, TWO]))
    change(config)
    return docker_archive([ONE, TWO], config=json.dumps(config).encode())


def wrong_diff_ids(config: dict[str, object]) -> None:
    config["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{sha256(ONE)}", f"sha256:{sha256(ONE + TWO)}"]}


def oci_with_another_layer() -> bytes:
    data = oci_archive([("t:1", [ONE], None)], packed=False)
    return data.replace(b"etc/one", b"etc/0ne", 1)


LIES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a layer of another digest": (lambda: lying(wrong_diff_ids), "layer 2 of t:1 does not match its digest"),
    "a blob of another digest": (oci_with_another_layer, "does not match its digest"),
    "a cut archive": (lambda: docker_archive([ONE, TWO])[:-9000], "truncated"),
    "a cut layer": (lambda: docker_archive([ONE, TWO[:513]]), "layer 2 of t:1.*truncated"),
    "a layer that escapes": (
        lambda: docker_archive([ONE, make_tar({"../../x": b"evil"})]),
        "layer 2 of t:1: archive entry leaves the archive: ../../x",
    ),
    "a layer that is none": (lambda: docker_archive([b"junk" * 1000]), "layer 1 of t:1: not a tar archive"),
    "a second image that lies": (
        lambda: oci_archive([("a:1", [ONE], None), ("b:1", [b"junk" * 1000], None)]),
        "layer 1 of b:1: not a tar archive",
    ),
    "an export": (lambda: make_tar({"bin/sh": b"", "etc/passwd": b""}), "use onggi import$"),
}


@pytest.mark.parametrize(("data", "words"), LIES.values(), ids=LIES)
async def test_a_lie_is_refused_in_one_line_and_leaves_nothing(
    store: Store, data: Callable[[], bytes], words: str
) -> None:
    with pytest.raises(BadArchive, match=words) as caught:
        await store.load(data())
    assert "\n" not in str(caught.value)
    assert await store.images.list() == ()
    assert store.leftovers() == []
    assert store.db.query("SELECT * FROM layer") == []


async def test_a_lie_about_a_known_layer_changes_nothing(store: Store) -> None:
    await store.load(docker_archive([ONE], ["good:1"]))
    before = sorted(store.leftovers())
    with pytest.raises(BadArchive):
        await store.load(lying(wrong_diff_ids))
    assert sorted(store.leftovers()) == before
    assert (await store.images.resolve("good:1")).references == ("docker.io/library/good:1",)


async def test_a_child_that_dies_leaves_nothing(store: Store) -> None:
    class Dying(ForkingZygote):
        async def run(self, job, args=None, fds=()):  # type: ignore[no-untyped-def]
            raise ZygoteGone("the process for apply-layer died")

    images = Images(ImageRoom.open(store.db, store.content, store.snapshots, Dying()))
    fd = os.memfd_create("archive")
    os.write(fd, docker_archive([ONE]))
    with pytest.raises(ZygoteGone):
        await images.load(fd, progress=ignore)
    os.close(fd)
    assert store.leftovers() == []


async def test_a_crash_midway_is_cleaned_at_the_next_start(store: Store, tmp_path: Path) -> None:
    await store.load(docker_archive([ONE], ["a:1"]))
    kept = sorted(store.leftovers())
    store.content.put(b"blob of nobody")
    (store.paths.content / "ingest" / "half").write_bytes(b"x")
    await store.snapshots.prepare("unpack-half", None)
    store.db.close()
    again = Store.open(tmp_path)
    await again.snapshots.sweep([])
    await again.images.start()
    assert sorted(again.leftovers()) == kept
    assert (await again.images.resolve("a:1")).size == 2


async def test_import_makes_one_layer_with_its_changes(store: Store) -> None:
    changes = ['CMD ["/bin/sh"]', "ENV A=1", "EXPOSE 80", "LABEL who=me"]
    image = await store.import_(gzip.compress(ONE), "me/root:2", changes)
    assert image.references == ("docker.io/me/root:2",)
    assert image.config.config.cmd == ("/bin/sh",)
    assert (image.config.config.env, image.config.config.labels) == (("A=1",), {"who": "me"})
    assert image.config.rootfs.diff_ids == (f"sha256:{sha256(ONE)}",)
    (line,) = await store.images.history("me/root:2")
    assert (line["Comment"], line["Size"]) == ("Imported from -", 2)


async def test_import_takes_a_pipe(store: Store) -> None:
    read_end, write_end = os.pipe()

    def feed() -> None:
        with open(write_end, "wb") as file:
            file.write(ONE)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        image = await store.images.import_(read_end, reference=None, message="by hand", changes=(), progress=ignore)
    finally:
        os.close(read_end)
        feeder.join()
    assert image.references == ()
    assert image.config.history[0].comment == "by hand"


@pytest.mark.parametrize(
    ("data", "reference", "changes", "error"),
    [
        (b"", "m:1", (), BadArchive),
        (b"no tar" * 1000, "m:1", (), BadArchive),
        (ONE[:700], "m:1", (), BadArchive),
        (make_tar({"../x": b""}), "m:1", (), BadArchive),
        (ONE, "Bad:1", (), BadReference),
        (ONE, "m@sha256:" + "0" * 64, (), InvalidArgument),
        (ONE, "m:1", ("RUN x",), InvalidArgument),
    ],
)
async def test_a_bad_import_leaves_nothing(
    store: Store, data: bytes, reference: str, changes: tuple[str, ...], error: type[EngineError]
) -> None:
    with pytest.raises(error):
        await store.import_(data, reference, changes)
    assert store.leftovers() == []


async def test_tags_are_given_and_taken(store: Store) -> None:
    image = await store.import_(ONE, "m:1")
    assert (await store.images.tag("m:1", "reg.io:5000/x")).references[-1] == "reg.io:5000/x:latest"
    assert (await store.images.resolve("reg.io:5000/x")).id == image.id
    for source, target, error in (("nope", "x:1", NoSuchImage), ("m:1", "Bad", BadReference)):
        with pytest.raises(error):
            await store.images.tag(source, target)


async def test_progress_counts_the_bytes_of_layers(store: Store) -> None:
    seen: list[Progress] = []
    fd = os.memfd_create("archive")
    os.write(fd, docker_archive([ONE]))
    await store.images.load(fd, progress=seen.append)
    os.close(fd)
    name = sha256(ONE)[:12]
    assert seen[0] == Progress(name, "Loading layer", 0, len(ONE))
    assert Progress(name, "Loading layer", len(ONE), len(ONE)) in seen
    assert seen[-1] == Progress(name, "Unpacking layer", len(ONE), len(ONE))


async def test_a_plain_layer_is_told_of_as_far_as_it_was_read(store: Store) -> None:
    tar = make_tar({f"{number}": os.urandom(2 << 20) for number in range(4)})
    seen: list[Progress] = []
    fd = file_of(docker_archive([tar], packed=False))
    try:
        await store.images.load(fd, progress=seen.append)
    finally:
        os.close(fd)
    assert {(step.id, step.status, step.total) for step in seen} == {(sha256(tar)[:12], "Loading layer", len(tar))}
    counted = [step.current for step in seen]
    assert counted == sorted(counted) and counted[0] == 0 and counted[-1] == len(tar)


async def test_saving_what_is_not_there_says_so_before_a_byte(store: Store) -> None:
    await store.import_(ONE, "m:1")
    for name, words in (("nope", "No such image: nope"), ("m:2", "reference does not exist")):
        with pytest.raises(NoSuchImage, match=words):
            await store.save("m:1", name)


async def test_loads_and_removals_at_once_end_well(store: Store) -> None:
    await store.load(docker_archive([ONE], ["old:1"]))
    archives = [docker_archive([ONE, TWO], [f"n:{number}"], packed=number % 2 == 0) for number in range(6)]
    removal = store.images.remove("old:1", force=False, in_use=nobody)
    lines = await asyncio.gather(*(store.load(data) for data in archives), removal)
    assert lines[:6] == [(f"Loaded image: n:{number}",) for number in range(6)]
    (image,) = await store.images.list()
    assert len(image.references) == 6
    assert len(store.snapshots.all()) == 2
    assert await store.load(await store.save("n:3")) == ("Loaded image: n:3",)
    await store.images.remove(image.id, force=True, in_use=nobody)
    assert store.leftovers() == []


async def test_a_load_that_is_given_up_leaves_nothing(store: Store) -> None:
    big = make_tar({f"f{number}": os.urandom(1 << 20) for number in range(4)})
    begun = asyncio.Event()
    fd = os.memfd_create("archive")
    os.write(fd, docker_archive([big]))
    loading = asyncio.create_task(store.images.load(fd, progress=lambda _: begun.set()))
    await begun.wait()
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    os.close(fd)
    assert store.leftovers() == []


async def test_a_full_disk_is_told_and_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ContentStore, "room", lambda self: 0)
    with pytest.raises(
        DiskFull, match=r"no space left to load .*: it needs at least .*kB, and the disk of /.*67.1MB"
    ):
        await store.load(docker_archive([ONE]))
    bomb = gzip.compress(docker_archive([make_tar({"big": bytes(9 << 20)})], packed=False))
    monkeypatch.setattr(ContentStore, "room", lambda self: 1 << 20)
    with pytest.raises(DiskFull, match=r"to unpack the archive: it needs more than 1\.0MB, and the disk of /"):
        await store.load(bomb)
    packed = docker_archive([make_tar({"big": bytes(9 << 20)})], ["big:1"], packed=True)
    with pytest.raises(DiskFull, match=r"to unpack layer 1 of big:1: it needs more than 1\.0MB, and the disk of /"):
        await store.load(packed)
    monkeypatch.undo()
    fd = file_of(docker_archive([make_tar({"big": bytes(9 << 20)})]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, hard))
    try:
        with pytest.raises(SyscallFailed, match="big: file too large"):
            await store.images.load(fd, progress=ignore)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        os.close(fd)
    assert store.leftovers() == []
