"""COPY, ADD and WORKDIR into real layers, from real folders, with the zygote's real jobs."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from core.build.cache import Cache
from core.build.files import BuildFiles
from core.build.finish import register
from core.build.hands import Hands, Options
from core.build.layering import StoreLayering
from core.build.plan import Asked, make_plan
from core.build.scope import Scope
from core.build.solver import Solver
from core.dockerfile.errors import DockerfileError
from core.dockerfile.parser import parse
from core.errors import EngineError
from core.model.build import Finished
from core.model.image import Image
from core.oci.image import Platform
from tests.store_kit import ForkingZygote, Store

pytestmark = pytest.mark.root


class NoPrograms:
    async def run(self, work: Any, output: Any) -> int:
        raise AssertionError("nothing is to be run")


class Bases:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def image(self, name: str, platform: Platform, progress: Any) -> Image:
        return await self._store.images.resolve(name)


class NoDownloads:
    async def fetch(self, url: str, folder: Path, checksum: str) -> str:
        raise AssertionError(f"nothing is to be fetched: {url}")


async def caught_up() -> None:
    pass


async def never_mounted(key: str) -> None:
    pass


class Bench:
    """A store and a context folder."""

    def __init__(self, root: Path) -> None:
        self.store = Store.open(root)
        self.cache = Cache(self.store.db)
        self.context = root / "context"
        self.scratch = root / "scratch"
        for folder in (self.context, self.scratch):
            folder.mkdir()
        self.told: list[Any] = []

    def file(self, name: str, text: str = "", mode: int = 0o644) -> Path:
        path = self.context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    async def build(self, text: str, **asked: Any) -> Image:
        file, wanted = parse(text.encode()), Asked(**asked)
        plan = make_plan(file, wanted)
        room = self.store.room
        self.told.clear()
        files = BuildFiles(
            ForkingZygote(), room.snapshots, context=self.context, scratch=self.scratch, downloads=NoDownloads()
        )
        hands = Hands(
            files=files, programs=NoPrograms(), bases=Bases(self.store),
            layering=StoreLayering(room, never_mounted),
            cache=self.cache, report=self.told.append, caught_up=caught_up,
        )  # fmt: skip
        async with room.collector.holding():
            solver = Solver(file, plan, Scope(wanted, plan.args, file.escape), hands, Options(place="x"))
            return await register(room, await solver.solve(), ())

    def cached(self) -> list[bool]:
        return [told.cached for told in self.told if isinstance(told, Finished)][1:]

    async def files(self, image: Image) -> dict[str, tarfile.TarInfo]:
        """What the layers hold, the top one's names winning."""
        found = {}
        for diff_id in image.config.rootfs.diff_ids:
            layer = self.store.room.layers.get(diff_id)
            assert layer is not None
            with tarfile.open(self.store.content.path(layer.blob)) as archive:
                found |= {member.name: member for member in archive}
        return found

    async def text(self, image: Image, name: str) -> str:
        for diff_id in reversed(image.config.rootfs.diff_ids):
            layer = self.store.room.layers.get(diff_id)
            assert layer is not None
            with tarfile.open(self.store.content.path(layer.blob)) as archive:
                if name in archive.getnames() and (member := archive.extractfile(name)):
                    return member.read().decode()
        raise AssertionError(f"{name} is not there")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def tar(members: Sequence[tuple[str, str, bytes]], mode: str = "w:gz") -> bytes:
    """An archive of `(name, kind or link target, body)`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, link, body in members:
            info = tarfile.TarInfo(name)
            info.uid = info.gid = 7
            info.size = len(body)
            if link:
                info.type, info.linkname = tarfile.SYMTYPE, link
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


async def test_a_file_a_folder_and_a_pattern(bench: Bench) -> None:
    bench.file("a.txt", "a")
    bench.file("b.txt", "b", 0o755)
    bench.file("dir/sub/c", "c")
    image = await bench.build(
        "FROM scratch\nCOPY a.txt /one\nCOPY *.txt /many/\nCOPY dir /dir\nCOPY dir/sub /new/deep\n"
    )
    found = await bench.files(image)
    assert {"one", "many/a.txt", "many/b.txt", "dir/sub/c", "new/deep/c"} <= found.keys()
    assert found["many/b.txt"].mode == 0o755
    assert {(member.uid, member.gid) for member in found.values()} == {(0, 0)}
    assert await bench.text(image, "new/deep/c") == "c"


async def test_owner_and_mode_of_what_is_copied_and_of_the_folders_made_for_it(bench: Bench) -> None:
    bench.file("passwd", "me:x:5:6::/:/bin/sh\n")
    bench.file("group", "us:x:9:\nme:x:6:\n")
    bench.file("a", "a")
    text = "FROM scratch\nCOPY passwd group /etc/\nCOPY --chown=1:2 --chmod=600 a /x/y/a\n"
    text += "COPY --chown=me:us a /z\nCOPY --chown=me a /q\n"
    found = await bench.files(await bench.build(text))
    assert (found["x/y/a"].uid, found["x/y/a"].gid, found["x/y/a"].mode) == (1, 2, 0o600)
    assert (found["x/y"].uid, found["x/y"].gid, found["x/y"].mode) == (1, 2, 0o755)
    assert (found["z"].uid, found["z"].gid) == (5, 9)
    assert (found["q"].uid, found["q"].gid) == (5, 6)


async def test_exclude_leaves_files_out(bench: Bench) -> None:
    for name in ("d/a.go", "d/a.md", "d/sub/b.md", "d/keep/c.md"):
        bench.file(name)
    image = await bench.build("FROM scratch\nCOPY --exclude=**/*.md --exclude=!keep/c.md d /d/\n")
    assert {name for name in await bench.files(image) if "." in name} == {"d/a.go", "d/keep/c.md"}


async def test_parents_are_kept_from_a_point_on(bench: Bench) -> None:
    """docs.docker.com/reference/dockerfile, "COPY --parents"."""
    for name in ("x/a.txt", "y/a.txt", "y/deep/b.txt", "y/deep/c.md"):
        bench.file(name, name)
    (bench.context / "y").chmod(0o700)
    text = "FROM scratch\nCOPY --parents ./x/a.txt ./y/a.txt /parents/\nCOPY --parents y/./deep/*.txt /point/\n"
    text += "COPY --parents --chown=1 y/deep /whole\nCOPY --parents x/./a.txt /odd\n"
    text += "COPY --parents --exclude=*.md y/./deep /some/\nCOPY --parents . /all\n"
    text += "COPY --parents **/*.txt /any/\nCOPY --parents y/./**/*.md /below/\n"
    (bench.context / "y/deep/circle").symlink_to("..")
    image = await bench.build(text)
    found = await bench.files(image)
    names = {name for name, member in found.items() if member.isfile() and not name.startswith("all/")}
    assert names == {
        "parents/x/a.txt", "parents/y/a.txt", "point/deep/b.txt", "whole/y/deep/b.txt", "whole/y/deep/c.md",
        "odd/a.txt", "some/deep/b.txt", "any/x/a.txt", "any/y/a.txt", "any/y/deep/b.txt", "below/deep/c.md",
    }  # fmt: skip
    everything = {name for name, member in found.items() if member.isfile() and name.startswith("all/")}
    assert everything == {"all/x/a.txt", "all/y/a.txt", "all/y/deep/b.txt", "all/y/deep/c.md"}
    assert found["parents/y"].mode == found["whole/y"].mode == 0o700 and found["parents/x"].mode == 0o755
    assert (found["whole/y"].uid, found["whole/y/deep/b.txt"].uid, found["parents/y"].uid) == (1, 1, 0)
    assert await bench.text(image, "parents/y/a.txt") == "y/a.txt"
    await bench.build(text)
    assert all(bench.cached())
    (bench.context / "y").chmod(0o755)
    await bench.build(text)
    assert bench.cached()[0] is False  # the directory above goes along, so it counts


async def test_parents_lead_nowhere_outside(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    bench.file("d/in/f", "mine")
    (bench.context / "link").symlink_to(outside)
    (bench.context / "up").symlink_to("../..")
    bench.file("base/keep", "")
    (bench.context / "base/d").symlink_to(outside)
    text = "FROM scratch\nCOPY base /t\nCOPY --parents d/in/f /t/\n"
    try:
        found = await bench.files(await bench.build(text))
        assert not any(name.startswith(str(outside)) for name in found)
    except EngineError as error:
        assert "\n" not in error.message
    assert not list(outside.iterdir())
    for source in ("link/x", "up/x", "d/../../x"):
        with pytest.raises(EngineError):
            await bench.build(f"FROM scratch\nCOPY --parents {source} /t/\n")
    assert not list(outside.iterdir())


async def test_heredocs_are_files(bench: Bench) -> None:
    text = "FROM scratch\nENV WHO=me\nCOPY <<one <<'two' /etc/\nhello $WHO \"q\" \\$\none\nraw $WHO\ntwo\n"
    image = await bench.build(text)
    assert await bench.text(image, "etc/one") == 'hello me "q" $\n'
    assert await bench.text(image, "etc/two") == "raw $WHO\n"
    assert (await bench.files(image))["etc/one"].mode == 0o644


async def test_add_unpacks_archives_and_copy_does_not(bench: Bench) -> None:
    (bench.context / "a.tgz").write_bytes(tar([("in/side", "", b"x")]))
    found = await bench.files(await bench.build("FROM scratch\nADD a.tgz /out/\nCOPY a.tgz /plain/\n"))
    assert "out/in/side" in found and "plain/a.tgz" in found and "out/a.tgz" not in found
    assert found["out/in/side"].uid == 7


async def test_workdir_is_made_once_and_stacks(bench: Bench) -> None:
    bench.file("a")
    image = await bench.build("FROM scratch\nWORKDIR /w\nWORKDIR rel\nWORKDIR /w\nCOPY a .\n")
    found = await bench.files(image)
    assert found["w/rel"].isdir() and "w/a" in found
    assert [step.empty_layer for step in image.config.history] == [False, False, True, False]
    assert image.config.config.working_dir == "/w"


async def test_from_another_stage_with_its_links(bench: Bench) -> None:
    bench.file("real", "r")
    (bench.context / "link").symlink_to("real")
    text = (
        "FROM scratch AS one\nCOPY . /src/\nFROM scratch\nCOPY --from=one /src/link /x\nCOPY --from=one /src /y/\n"
    )
    image = await bench.build(text)
    found = await bench.files(image)
    assert found["x"].isreg() and await bench.text(image, "x") == "r"
    assert found["y/link"].issym()


async def test_nothing_is_done_twice_until_a_file_changes(bench: Bench) -> None:
    bench.file("a", "1")
    bench.file("b", "1")
    text = "FROM scratch\nCOPY a /a\nCOPY b /b\n"
    first = await bench.build(text)
    os.utime(bench.context / "a", (1, 1))
    assert (await bench.build(text)).id == first.id
    assert bench.cached() == [True, True]
    bench.file("b", "2")
    assert (await bench.build(text)).id != first.id
    assert bench.cached() == [True, False]
    bench.file("a", "1", 0o600)
    await bench.build(text)
    assert bench.cached() == [False, False]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "COPY nofile /x",
            "COPY failed: file not found in build context or excluded by .dockerignore: "
            "stat nofile: file does not exist",
        ),
        ("COPY ../etc/passwd /x", "forbidden path outside the build context: ../etc/passwd ()"),
        ("COPY a b /x", "When using COPY with more than one source file, the destination must be a directory"),
        ("COPY no* /x/", "no* matches nothing"),
        ("COPY a /file/", "cannot copy to non-directory"),
        ("COPY --chown=nobody a /x", "unable to find user nobody"),
        ("WORKDIR /file", "is not a directory"),
    ],
)
async def test_what_cannot_be_copied_says_why(bench: Bench, line: str, message: str) -> None:
    bench.file("a")
    bench.file("b")
    with pytest.raises(EngineError) as caught:
        await bench.build(f"FROM scratch\nCOPY a /file\n{line}\n")
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert isinstance(caught.value, DockerfileError) or "file" in line


async def test_links_of_the_context_lead_nowhere_outside(bench: Bench) -> None:
    """CVE class: COPY through a symbolic link of the context, by itself and on the way."""
    secret = bench.context.parent / "secret"
    secret.mkdir()
    (secret / "key").write_text("host secret")
    (bench.context / "out").symlink_to(secret)
    (bench.context / "abs").symlink_to(secret / "key")
    (bench.context / "up").symlink_to("../secret/key")
    for line in ("COPY out/key /x", "COPY out/* /x/"):
        with pytest.raises(EngineError):
            await bench.build(f"FROM scratch\n{line}\n")
    image = await bench.build("FROM scratch\nCOPY out abs up /x/\n")
    found = await bench.files(image)
    assert all(found[f"x/{name}"].issym() for name in ("out", "abs", "up"))


async def test_links_of_the_base_lead_nowhere_outside(bench: Bench, tmp_path: Path) -> None:
    """CVE class: the target of COPY or WORKDIR is a link in the base image to a folder of the host."""
    host = tmp_path / "host"
    host.mkdir()
    base = tar([("evil", str(host), b""), ("up", "../../../../../../tmp", b""), ("usr/x", "", b"")], "w")
    await bench.store.import_(base, "base:1")
    bench.file("a", "a")
    image = await bench.build(
        "FROM base:1\nCOPY a /evil/a\nWORKDIR /evil/w\nCOPY a /up/onggi-escape\nADD a /evil/b/\n"
    )
    found = await bench.files(image)
    assert not list(host.iterdir())
    assert not Path("/tmp/onggi-escape").exists()
    inside = str(host).lstrip("/")
    assert f"{inside}/a" in found and f"{inside}/w" in found
    assert stat.S_ISLNK(os.lstat(bench.store.snapshots.upper(image.config.chain[0]) / "evil").st_mode)


async def test_an_archive_that_is_added_stays_in_its_folder(bench: Bench, tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    members = [("out", str(host), b""), ("out/owned", "", b"x"), ("../../escape", "", b"x")]
    (bench.context / "evil.tar").write_bytes(tar(members, "w"))
    try:
        await bench.build("FROM scratch\nADD evil.tar /in/\n")
    except EngineError as error:
        assert "\n" not in error.message
    assert not list(host.iterdir())
