"""Caches elsewhere: what one engine has done another takes, by a folder, by a registry, inside an image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest, running_engine
from tests.support.netjoin import forwarded
from tests.support.registry import available, running_registry

pytestmark = pytest.mark.root

TEXT = """FROM busybox AS made
COPY src /src
RUN head -c 200000 /dev/urandom > /big && cat /src/a > /out
FROM busybox
ENV A=1
WORKDIR /w
COPY --from=made /out /out
RUN date +%N > /when
CMD ["cat", "/when"]
"""


@pytest.fixture(scope="module")
def other() -> Iterator[EngineUnderTest]:
    """A second engine, with the same base image."""
    with running_engine() as found:
        yield found


@pytest.fixture
def elsewhere(engine: EngineUnderTest, other: EngineUnderTest, tmp_path: Path) -> Cli:
    """The other engine's command line: nothing is cached there, and the base is the very same image."""
    two = Cli(other.environment)
    two("rmi", "-f", *two.ok("images", "-aq").split())
    two.ok("undo", "--forget")
    two.ok("builder", "prune", "-af")
    Cli(engine.environment).ok("save", "-o", str(tmp_path / "base.tar"), "busybox")
    two.ok("load", "-i", str(tmp_path / "base.tar"))
    return two


def context(folder: Path, text: str = TEXT) -> str:
    (folder / "src").mkdir(parents=True, exist_ok=True)
    (folder / "src/a").write_text("a")
    (folder / "Dockerfile").write_text(text)
    return str(folder)


def steps(cli: Cli, *asked: str) -> tuple[list[bool], str, str]:
    """Of every step but FROM whether it was cached; the image; what was said."""
    done = cli("build", "--progress", "json", *asked)
    assert done.code == 0, done
    events = [json.loads(line) for line in done.lines]
    froms = {step["Id"] for event in events if event.get("Event") == "planned" for step in event["Steps"]
             if step["Number"] == 1}  # fmt: skip
    ends = {event["Id"]: event["Cached"] for event in events if event.get("Event") == "finished"}
    found = [cached for ident, cached in sorted(ends.items()) if ident not in froms]
    image = next(event["Image"] for event in events if event.get("Event") == "built")
    notes = "\n".join(event["Text"] for event in events if event.get("Event") == "noted")
    return found, image, notes


def test_a_folder_carries_every_step_to_another_engine(
    cli: Cli, elsewhere: Cli, tmp_path: Path, engine: EngineUnderTest, other: EngineUnderTest
) -> None:
    place, cache = context(tmp_path / "c"), tmp_path / "cache"
    _, image, notes = steps(cli, "--cache-to", f"type=local,dest={cache},mode=max", "-t", "made:1", place)
    assert "exported" in notes and (cache / "oci-layout").exists()
    found, same, notes = steps(elsewhere, "--cache-from", f"type=local,src={cache}", "-t", "made:1", place)
    assert found == [True] * 7 and same == image
    when = cli.ok("run", "--rm", "--network", "none", "made:1")
    assert elsewhere.ok("run", "--rm", "--network", "none", "made:1") == when
    big = [blob for blob in (cache / "blobs/sha256").iterdir() if blob.stat().st_size > 100_000]
    assert len(big) == 1  # nothing of the other stage was needed, so it was not fetched
    assert not (other.paths.content / "blobs/sha256" / big[0].name).exists()
    assert elsewhere("verify").code == 0
    # What came from elsewhere is used by the builds that name it, and by no others (CVE-2024-24557).
    elsewhere.ok("builder", "prune", "-af")
    assert steps(elsewhere, context(tmp_path / "c"))[0].count(True) == 0
    # Written again: what is there is not written twice.
    before = {blob.name: blob.stat().st_ino for blob in (cache / "blobs/sha256").iterdir()}
    cli.ok("build", "-q", "--cache-to", f"type=local,dest={cache},mode=max", place)
    after = {blob.name: blob.stat().st_ino for blob in (cache / "blobs/sha256").iterdir()}
    assert all(after[big_one.name] == before[big_one.name] for big_one in big)


def test_files_of_another_stage_come_when_a_step_wants_them(
    cli: Cli, elsewhere: Cli, tmp_path: Path, engine: EngineUnderTest
) -> None:
    cache = f"{tmp_path}/cache"
    cli.ok("build", "-q", "--cache-to", f"type=local,dest={cache},mode=max", context(tmp_path / "c"))
    changed = TEXT.replace("COPY --from=made /out /out", "COPY --from=made /out /elsewhere")
    found, _, _ = steps(elsewhere, "--cache-from", f"type=local,src={cache}", context(tmp_path / "c", changed))
    assert found.count(False) == 3  # the copy and what follows it
    least = cli("build", "-q", "--cache-to", f"type=local,dest={tmp_path}/least", context(tmp_path / "c"))
    assert least.code == 0
    sizes = [blob.stat().st_size for blob in Path(f"{tmp_path}/least/blobs/sha256").iterdir()]
    assert max(sizes) < 100_000  # mode=min leaves out what the image does not stand on


@pytest.mark.skipif(not available(), reason="docker-registry is not installed")
def test_a_registry_carries_steps_and_images_do(
    cli: Cli, elsewhere: Cli, tmp_path: Path, engine: EngineUnderTest, other: EngineUnderTest
) -> None:
    place = context(tmp_path / "c")
    with ExitStack() as undo:
        registry = undo.enter_context(running_registry(netns=engine.netns))
        address = registry.address
        port = int(address.rpartition(":")[2])
        undo.enter_context(forwarded(port, into=other.netns, out_of=engine.netns))
        cache, name = f"{address}/cache:1", f"{address}/images/made:1"
        _, image, _ = steps(cli, "--cache-to", f"type=registry,ref={cache},mode=max", "-t", "made:1", place)
        pulls = registry.count("GET", "/blobs/")
        found, same, _ = steps(elsewhere, "--cache-from", f"type=registry,ref={cache}", place)
        assert found == [True] * 7 and same == image
        assert registry.count("GET", "/blobs/") - pulls == 4  # the document, and the layers of three steps
        assert steps(elsewhere, "--cache-from", cache, place)[0] == [True] * 7  # a name is enough
        _, inline, _ = steps(cli, "--cache-to", "type=inline", "-t", name, place)
        assert inline != image
        cli.ok("push", name)
        elsewhere.ok("rmi", "-f", same)
        elsewhere.ok("undo", "--forget")
        found, _, _ = steps(elsewhere, "--cache-from", name, place)
        assert found == [False, False, True, True, True, True, True]  # the last stage's steps are in it
        meta = tmp_path / "meta"
        cli.ok("build", "-q", "--push", "-t", name, "--metadata-file", str(meta), place)
        assert json.loads(meta.read_text())["containerimage.digest"] in cli.ok("images", "--digests", "-a")
        cli.ok("tag", "busybox", f"{address}/images/plain:1")
        cli.ok("push", f"{address}/images/plain:1")
        found, _, notes = steps(elsewhere, "--cache-from", f"{address}/images/plain:1", place)
        assert not any(found[2:]) and "not used" not in notes
        notes = steps(elsewhere, "--cache-from", f"{address}/no/such:1", place)[2]
        assert f"cache {address}/no/such:1 is not used: " in notes


@pytest.mark.skipif(not available(), reason="docker-registry is not installed")
def test_an_image_is_a_cache_by_its_own_history(
    cli: Cli, elsewhere: Cli, tmp_path: Path, engine: EngineUnderTest, other: EngineUnderTest
) -> None:
    place = context(tmp_path / "c")
    with ExitStack() as undo:
        registry = undo.enter_context(running_registry(netns=engine.netns))
        name = f"{registry.address}/images/plain:1"
        port = int(registry.address.rpartition(":")[2])
        undo.enter_context(forwarded(port, into=other.netns, out_of=engine.netns))
        _, image, _ = steps(cli, "-t", name, place)
        cli.ok("push", name)
        found, _, _ = steps(elsewhere, "--cache-from", name, place)
        assert found == [False, False, *[True] * 5]  # the other stage is not in it, but makes the same file
        one = TEXT.replace("COPY --from=made /out /out", "COPY src/a /out")
        _, image, _ = steps(cli, "-t", name, context(tmp_path / "c", one))
        cli.ok("push", name)
        elsewhere.ok("builder", "prune", "-af")
        found, same, _ = steps(elsewhere, "--cache-from", name, "-t", "made:2", place)
        assert found == [True] * 5 and same == image  # not from a cache of ours: to the nanosecond
        assert steps(elsewhere, place)[0] == [False] * 5  # believed only where it is named
        # A step that its line of history does not tell whole is done again.
        mounted = one.replace("RUN date", "RUN --mount=type=tmpfs,target=/t date")
        assert steps(elsewhere, "--cache-from", name, context(tmp_path / "c", mounted))[0] == [True] * 3 + [
            False,
            False,
        ]
        epoch = ("--build-arg", "SOURCE_DATE_EPOCH=1")
        assert not any(steps(elsewhere, *epoch, "--cache-from", name, context(tmp_path / "c", one))[0])
        assert elsewhere("verify").code == 0


@pytest.mark.parametrize("index", [False, True])
def test_a_cache_of_another_builder_is_told_and_not_used(cli: Cli, tmp_path: Path, index: bool) -> None:
    """BuildKit's, in a folder: as an image manifest, and as the index that it was before."""
    cache = tmp_path / "cache/blobs/sha256"
    cache.mkdir(parents=True)

    def put(data: bytes, kind: str) -> dict[str, Any]:
        name = hashlib.sha256(data).hexdigest()
        (cache / name).write_bytes(data)
        return {"mediaType": kind, "digest": f"sha256:{name}", "size": len(data)}

    layer = put(b"layer", "application/vnd.oci.image.layer.v1.tar+gzip")
    config = put(b'{"layers":[],"records":[]}', "application/vnd.buildkit.cacheconfig.v0")
    kind = f"application/vnd.oci.image.{'index' if index else 'manifest'}.v1+json"
    found: dict[str, Any] = {"manifests": [layer, config]} if index else {"config": config, "layers": [layer]}
    top = put(json.dumps({"schemaVersion": 2, "mediaType": kind, **found}).encode(), kind)
    (tmp_path / "cache/index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [top]}))
    (tmp_path / "cache/oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    _, _, notes = steps(cli, "--cache-from", f"type=local,src={tmp_path}/cache", context(tmp_path / "c"))
    assert "it is a cache of BuildKit's, which no other builder can read" in notes, notes
