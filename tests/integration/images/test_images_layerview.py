"""Looking into real layers: what each changes, what is stored for nothing, and a file that cannot lead out."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest
from store_kit import Store, config_of, docker_archive, make_tar, special

from core.errors import InvalidArgument, NoSuchImage, NoSuchPath, NotFound
from core.images.layerview import FILE_LIMIT, LayerViews
from core.storage import layertree

pytestmark = pytest.mark.root

BASE = make_tar(
    {
        "etc/": special("etc", tarfile.DIRTYPE),
        "etc/a": b"1" * 1000,
        "etc/b": b"2" * 500,
        "gone/": special("gone", tarfile.DIRTYPE),
        "gone/deep": b"x" * 300,
        "anew/": special("anew", tarfile.DIRTYPE),
        "anew/old": b"yyy",
        "anew/kept": b"zz",
        "tool": b"t",
        "twin": special("twin", tarfile.LNKTYPE, linkname="tool"),
        "here": special("here", tarfile.SYMTYPE, linkname="etc/b"),
    }
)
TOP = make_tar({"etc/a": b"3" * 10, ".wh.gone": b"", "anew/.wh..wh..opq": b"", "anew/kept": b"new", "etc/c": b"4"})


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path)
    history = [
        {"created_by": "add base"},
        {"created_by": "env", "empty_layer": True},
        {"created_by": "change it"},
    ]
    await store.load(docker_archive([BASE, TOP], ["t:1"], config=config_of([BASE, TOP], history=history)))
    return store


def views(store: Store) -> LayerViews:
    return LayerViews(store.images._room)


async def test_the_steps_come_bottom_first_and_some_make_no_layer(store: Store) -> None:
    rows = views(store).layers("t:1")
    assert [(row.created_by, row.size, row.empty) for row in rows] == [
        ("add base", 1000 + 500 + 300 + 3 + 2 + 1, False),
        ("env", 0, True),
        ("change it", 10 + 3 + 1, False),
    ]
    image = await store.images.resolve("t:1")
    assert [row.chain_id for row in rows if not row.empty] == list(image.config.chain)


async def test_a_layers_changes_are_seen_against_the_layers_below(store: Store) -> None:
    lowest = await views(store).files("t:1", 0)
    assert {item.change for item in lowest} == {"added"}
    kinds = {item.found.path: (item.found.kind, item.found.link) for item in lowest}
    assert kinds["/here"] == ("link", "etc/b")
    assert sorted((kinds["/tool"], kinds["/twin"])) == [("file", ""), ("hardlink", "/tool")]
    top = await views(store).files("t:1", 1)
    assert {(item.found.path, item.change, item.found.kind, item.found.size) for item in top} == {
        ("/etc", "changed", "dir", 0),
        ("/etc/a", "changed", "file", 10),
        ("/etc/c", "added", "file", 1),
        ("/gone", "removed", "dir", 300),
        ("/anew", "changed", "dir", 0),
        ("/anew/old", "removed", "file", 3),
        ("/anew/kept", "changed", "file", 3),
    }
    with pytest.raises(NotFound):
        await views(store).files("t:1", 2)
    with pytest.raises(NoSuchImage):
        await views(store).files("nope", 0)


async def test_bytes_that_no_container_can_see_are_waste(store: Store) -> None:
    found = await views(store).waste("t:1")
    assert found.files == (("/etc/a", 1000, 2), ("/gone/deep", 300, 1), ("/anew/old", 3, 1), ("/anew/kept", 2, 2))
    assert found.wasted == 1305
    assert found.total == 1806 + 14
    assert found.efficiency == pytest.approx(1 - 1305 / 1820)


async def test_an_image_of_too_many_files_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layertree, "ENTRY_LIMIT", 5)
    with pytest.raises(InvalidArgument, match="more than 5 entries"):
        await views(store).files("t:1", 0)


async def test_a_file_is_shown_as_the_layers_up_to_it_have_it(store: Store) -> None:
    look = views(store)
    assert await look.file("t:1", "/anew/kept") == (b"new", 3)
    assert await look.file("t:1", "anew/kept", layer=0) == (b"zz", 2)
    assert await look.file("t:1", "/here") == (b"2" * 500, 500)
    for gone in ("/anew/old", "/gone/deep", "/nope", "/tool/under"):
        with pytest.raises(NoSuchPath):
            await look.file("t:1", gone)
    with pytest.raises(InvalidArgument, match="not a regular file"):
        await look.file("t:1", "/etc")
    with pytest.raises(NotFound):
        await look.file("t:1", "/here", layer=7)


async def test_no_path_of_an_image_leads_to_the_host_or_hangs(store: Store, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the host's")
    nasty = make_tar(
        {
            "out": special("out", tarfile.SYMTYPE, linkname=str(secret)),
            "up": special("up", tarfile.SYMTYPE, linkname="../../../../../../.." + str(secret)),
            "self": special("self", tarfile.SYMTYPE, linkname="/proc/self/environ"),
            "pipe": special("pipe", tarfile.FIFOTYPE),
            "null": special("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
        }
    )
    await store.load(docker_archive([nasty], ["n:1"]))
    for path in ("/out", "/up", "/self", "/../../.." + str(secret), str(secret)):
        with pytest.raises(NoSuchPath):
            await views(store).file("n:1", path)
    for path in ("/pipe", "/null"):
        with pytest.raises(InvalidArgument, match="not a regular file"):
            await views(store).file("n:1", path)


async def test_only_the_beginning_of_a_large_file_is_read(store: Store) -> None:
    data = os.urandom(FILE_LIMIT + 1000)
    await store.load(docker_archive([make_tar({"large": data})], ["big:1"]))
    shown, size = await views(store).file("big:1", "/large")
    assert (shown, size) == (data[:FILE_LIMIT], len(data))
