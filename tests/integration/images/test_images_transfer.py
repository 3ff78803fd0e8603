"""Images from one store to another: only what is missing, nothing believed, and what was cut goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from store_kit import Store, docker_archive, make_tar, oci_archive, sha256

from core.errors import BadArchive, CorruptStore, EngineError, NoSuchImage
from core.images.offer import PREFACE
from core.images.receive import Receiver
from core.images.send import Sender
from core.oci.digest import Digest

pytestmark = pytest.mark.root

BASE = make_tar({"base": b"0" * 5000})
ONE, TWO = make_tar({"one": b"1" * 300_000}), make_tar({"two": b"2" * 70_000})
OFFERED = len(PREFACE)


class Wire:
    """What has been sent, as a receiver reads it; it ends where the bytes do."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def line(self, limit: int) -> bytes:
        found, newline, rest = self._data.partition(b"\n")
        if not newline:
            raise ConnectionAbortedError("cut")
        if len(found) > limit:
            raise BadArchive("a line without end")
        self._data = rest
        return found

    async def some(self, limit: int) -> bytes:
        if not self._data:
            raise ConnectionAbortedError("cut")
        found, self._data = self._data[:limit], self._data[limit:]
        return found


class End:
    """One store that sends and receives."""

    def __init__(self, folder: Path) -> None:
        self.store = Store.open(folder)
        self.sender = Sender(self.store.room)
        self.receiver = Receiver(self.store.room)
        self.said: list[dict[str, Any]] = []

    async def sent(self, *references: str, want: Callable[[bytes], Awaitable[bytes]] | None = None) -> bytes:
        """All that it sends for `references`; `want` answers its offer."""
        pieces: list[bytes] = []

        async def write(data: bytes) -> None:
            pieces.append(data)

        async def answer() -> bytes:
            assert want is not None
            return await want(b"".join(pieces))

        await self.sender.send(references, write, answer if want else None)
        return b"".join(pieces)

    async def take(self, data: bytes) -> None:
        async def say(line: bytes) -> None:
            self.said.append(json.loads(line))

        await self.receiver.receive(Wire(data), say)

    async def wanted(self, offer: bytes) -> bytes:
        """What it answers to an offer and no more."""
        self.said.clear()
        with pytest.raises(ConnectionError):
            await self.take(offer)
        (found,) = [line for line in self.said if "want" in line]
        return json.dumps(found).encode()

    async def names(self) -> dict[str, str]:
        return {name: str(image.id) for image in await self.store.images.list() for name in image.references}


@pytest.fixture
def here(tmp_path: Path) -> End:
    (tmp_path / "here").mkdir()
    return End(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> End:
    (tmp_path / "there").mkdir()
    return End(tmp_path / "there")


async def test_an_image_arrives_as_it_was(here: End, there: End) -> None:
    await here.store.load(docker_archive([BASE, ONE, TWO], ["t:1", "t:2"], packed=True))
    await there.take(await here.sent("t"))
    assert await there.names() == await here.names()
    assert await there.store.save("t") == await here.store.save("t")
    assert {line["stream"] for line in there.said if "stream" in line} == {
        "Loaded image: t:1\n", "Loaded image: t:2\n",
    }  # fmt: skip
    mine, theirs = await here.store.images.resolve("t:1"), await there.store.images.resolve("t:1")
    assert mine.manifest == theirs.manifest
    rootfs = there.store.snapshots.rootfs(str(theirs.snapshot))
    assert (Path(rootfs["lower"][0]) / "two").read_bytes() == b"2" * 70_000


async def test_only_what_is_missing_goes_over(here: End, there: End) -> None:
    await here.store.load(docker_archive([BASE, ONE, TWO], ["t:1"]))
    await there.store.load(docker_archive([BASE, ONE], ["base:1"], packed=True))  # in another form
    data = await here.sent("t:1", want=there.wanted)
    assert len(TWO) < len(data) < len(TWO) + 5000
    await there.take(data)
    assert (await there.names())["docker.io/library/t:1"] == (await here.names())["docker.io/library/t:1"]
    again = await here.sent("t:1", want=there.wanted)
    assert len(again) < 3000
    await there.take(again)


async def test_a_way_without_a_way_back_passes_over_what_is_there(here: End, there: End) -> None:
    await here.store.load(docker_archive([BASE, ONE], ["t:1"]))
    data = await here.sent("t:1")
    for _ in range(2):
        await there.take(data)
    assert await there.names() == await here.names()


async def test_images_of_one_stream_share_their_layers(here: End, there: End) -> None:
    await here.store.load(docker_archive([BASE, ONE], ["a:1"]))
    await here.store.load(docker_archive([BASE, TWO], ["b:1"]))
    data = await here.sent("a:1", "b:1")
    assert data.count(BASE) == 1
    await there.take(data)
    assert await there.names() == await here.names()


async def test_an_id_goes_without_a_name_and_a_manifest_of_a_registry_is_kept(here: End, there: End) -> None:
    await here.store.load(oci_archive([("x:1", [BASE, ONE], None)]))
    image = (await here.store.images.list())[0]
    await there.take(await here.sent(str(image.id)))
    (arrived,) = await there.store.images.list()
    assert (arrived.id, arrived.references, arrived.manifest.digest) == (image.id, (), image.manifest.digest)


async def test_what_was_cut_anywhere_leaves_no_image_and_goes_on(here: End, there: End) -> None:
    await here.store.load(docker_archive([BASE, ONE, TWO], ["t:1"]))
    data = await here.sent("t:1")
    for end in (0, 5, len(PREFACE), len(PREFACE) + 40, len(data) // 2, len(data) - 5):
        with pytest.raises(ConnectionError):
            await there.take(data[:end])
        assert await there.store.images.list() == ()
        assert not any((there.store.paths.content / "ingest").iterdir())
    rest = await here.sent("t:1", want=there.wanted)
    assert len(rest) < 3000, "everything but the end was there already"
    await there.take(rest)
    assert await there.names() == await here.names()


async def test_a_lost_blob_is_told_to_both_sides(here: End, there: End) -> None:
    await here.store.load(docker_archive([BASE, ONE], ["t:1"]))
    here.store.content.delete(Digest(f"sha256:{sha256(ONE)}"))
    pieces: list[bytes] = []

    async def write(data: bytes) -> None:
        pieces.append(data)

    with pytest.raises(CorruptStore):
        await here.sender.send(["t:1"], write)
    with pytest.raises(EngineError, match=r"the sender says: blob .* is missing"):
        await there.take(b"".join(pieces))


async def test_what_is_not_there_is_not_begun(here: End) -> None:
    with pytest.raises(NoSuchImage):
        await here.sent("nope")


Lines = list[dict[str, Any] | bytes]


def script(lines: Sequence[dict[str, Any] | bytes]) -> bytes:
    """A sender's stream: dicts as lines, bytes as they are."""
    return PREFACE + b"".join(
        item if isinstance(item, bytes) else json.dumps(item).encode() + b"\n" for item in lines
    )


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data)}"


def offered(document: bytes, parts: Sequence[bytes], **members: Any) -> dict[str, Any]:
    manifest = b"{}"
    return {
        "config": {"mediaType": "x", "digest": digest(document), "size": len(document)},
        "manifest": {"mediaType": "x", "digest": digest(manifest), "size": len(manifest)},
        "layers": [{"diff_id": digest(layer), "blob": digest(layer), "size": len(layer)} for layer in parts],
        "references": ["docker.io/library/t:1"],
        **members,
    }


def config(*layers: bytes) -> bytes:
    return json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in layers]}}).encode()


def whole(document: bytes, layers: Sequence[bytes], image: dict[str, Any] | None = None) -> Lines:
    """A whole stream of one image."""
    lines: Lines = [{"images": [image or offered(document, layers)]}]
    for blob in (document, b"{}", *layers):
        lines += [{"blob": digest(blob), "size": len(blob)}, blob]
    return [*lines, {"end": True}]


def changed(lines: Lines, at: int, item: dict[str, Any] | bytes) -> Lines:
    return [*lines[:at], item, *lines[at + 1 :]]


GOOD = whole(config(BASE), [BASE])
HOSTILE: dict[str, tuple[Lines, str]] = {
    "not the digest": (changed(GOOD, 6, b"x" * len(BASE)), "arrived damaged"),
    "another size": (changed(GOOD, 5, {"blob": digest(BASE), "size": len(BASE) - 1}), "another size"),
    "size below zero": (changed(GOOD, 5, {"blob": digest(BASE), "size": -1}), "another size"),
    "not offered": (changed(GOOD, 5, {"blob": digest(b"?"), "size": 1}), "not due"),
    "twice": ([*GOOD[:3], *GOOD[1:3]], "not due"),
    "left out": ([*GOOD[:5], {"end": True}], "left out 1"),
    "no blob": (changed(GOOD, 5, {"size": 3}), "not due"),
    "a path for a digest": (changed(GOOD, 5, {"blob": "../../etc/passwd", "size": 3}), "head of a blob"),
    "no JSON": (changed(GOOD, 1, b"[[[[\n"), "head of a blob"),
    "nothing offered": ([{"images": []}], "0 images"),
    "too much offered": ([{"images": [offered(b"{}", [])] * 1001}], "1001 images"),
    "too many layers": ([{"images": [offered(b"{}", [BASE] * 501)]}], "too many layers"),
    "a bad name": ([{"images": [offered(b"{}", [], references=["../x"])]}], "bad name"),
    "a name without a tag": ([{"images": [offered(b"{}", [], references=["x"])]}], "without a tag"),
    "a digest for a name": ([{"images": [offered(b"{}", [], references=[f"x@{digest(BASE)}"])]}], "without a tag"),
    "two sizes": ([{"images": [offered(b"{}", [BASE]), offered(b"{} ", [], layers=[
        {"diff_id": digest(BASE), "blob": digest(BASE), "size": 1}])]}], "two sizes"),
    "a large document": ([{"images": [offered(b"{}", [], config={"digest": digest(b"{}"), "size": 5 << 20})]}],
                         "document of"),
    "a layer of nothing": ([{"images": [offered(b"{}", [], layers=[
        {"diff_id": digest(BASE), "blob": digest(BASE), "size": 0}])]}], "without a size"),
    "more than the disk": ([{"images": [offered(b"{}", [], layers=[
        {"diff_id": digest(BASE), "blob": digest(BASE), "size": 1 << 60}])]}], "the disk has room"),
    "a config of other layers": (whole(config(ONE), [BASE]), "other layers"),
    "a config that is none": (whole(b"[]", [BASE]), "config of"),
    "a layer that is no tar": (whole(config(b"x" * 2048), [b"x" * 2048]), "layer 1 of"),
    "a diffID that is a lie": ([
        *whole(config(ONE), [], offered(config(ONE), [], layers=[
            {"diff_id": digest(ONE), "blob": digest(BASE), "size": len(BASE)}]))[:-1],
        {"blob": digest(BASE), "size": len(BASE)}, BASE, {"end": True}], "does not match its digest"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
async def test_a_hostile_sender_gets_nowhere(there: End, case: str) -> None:
    lines, message = HOSTILE[case]
    with pytest.raises(EngineError, match=message):
        await there.take(script(lines))
    assert await there.store.images.list() == ()
    assert there.store.leftovers() == []


async def test_the_same_stream_unharmed_is_taken(there: End) -> None:
    await there.take(script(GOOD))
    assert list(await there.names()) == ["docker.io/library/t:1"]


@pytest.mark.parametrize(
    "data", [b"", b"onggi images 2\n{}\n", make_tar({"a": b"x" * 5000}), b"\n" * 100, b"{}\n{}\n"]
)
async def test_what_is_no_stream_of_ours_is_said(there: End, data: bytes) -> None:
    with pytest.raises((BadArchive, ConnectionError)):
        await there.take(data)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b'{"error": "no disk"}', "the receiver says: no disk"),
        (b'{"want": ["sha256:' + b"0" * 64 + b'"]}', "not offered"),
        (b'{"want": ["../etc"]}', "receiver's answer"),
        (b"nonsense", "receiver's answer"),
    ],
)
async def test_a_hostile_receiver_gets_nothing_else(here: End, answer: bytes, message: str) -> None:
    await here.store.load(docker_archive([BASE], ["t:1"]))

    async def want(_: bytes) -> bytes:
        await asyncio.sleep(0)
        return answer

    with pytest.raises(EngineError, match=message):
        await here.sent("t:1", want=want)


async def test_a_manifest_that_names_what_is_not_the_images_is_not_kept(there: End) -> None:
    """Nor one that is no manifest: the image gets one of its own, and nothing else is held by it."""
    await there.store.load(docker_archive([ONE], ["other:1"]))
    blob = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(ONE), "size": len(ONE)}
    head = {"mediaType": "x", "digest": digest(config(BASE)), "size": len(config(BASE))}
    manifest = json.dumps({"schemaVersion": 2, "config": head, "layers": [blob]}).encode()
    kind = "application/vnd.oci.image.manifest.v1+json"
    image = offered(
        config(BASE), [BASE], manifest={"mediaType": kind, "digest": digest(manifest), "size": len(manifest)}
    )
    lines: Lines = [{"images": [image]}]
    for data in (config(BASE), manifest, BASE):
        lines += [{"blob": digest(data), "size": len(data)}, data]
    await there.take(script([*lines, {"end": True}]))
    arrived = await there.store.images.resolve("t:1")
    assert arrived.manifest.digest != digest(manifest)
    await there.store.images.remove("other:1", force=True, in_use=lambda _: ())
