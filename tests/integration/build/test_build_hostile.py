"""Contexts, images and caches that mean harm: what they name is not there, and the host stays as it was."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.errors import EngineError
from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest, running_engine
from tests.support.images import archive, busybox_layer

pytestmark = pytest.mark.root


def packed(*members: tuple[str, bytes, bytes, str]) -> bytes:
    """A tar of `(name, kind, body, link)`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name, kind, body, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mode = kind, link, len(body), 0o644
            if kind == tarfile.DIRTYPE:
                info.mode = 0o755
            out.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def file(name: str, text: str) -> tuple[str, bytes, bytes, str]:
    return name, tarfile.REGTYPE, text.encode(), ""


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[str, bytes, bytes, str]:
    return name, kind, b"", target


def build(engine: EngineUnderTest, context: bytes, **query: str) -> str:
    """What the engine says of a build, its refusal included."""
    try:
        body = engine.client.open("POST", "/build", {"nocache": "1", **query}, io.BytesIO(context)).read()
    except EngineError as error:
        return error.message
    return body.decode()


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder of the host with a secret in it."""
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "key").write_text("host secret")
    (folder / "Dockerfile").write_text("FROM busybox\nRUN echo host secret\n")
    (folder / "ignore").write_text("kept\n")
    return folder


def test_a_dockerfile_and_its_list_that_are_links_lead_nowhere_outside(engine: EngineUnderTest, host: Path) -> None:
    for target in (f"{host}/Dockerfile", f"../../../../../../../..{host}/Dockerfile"):
        assert "host secret" not in build(engine, packed(link("Dockerfile", target)))
    inside = packed(link("Dockerfile", "real"), file("real", "FROM busybox\nRUN echo linked\n"))
    assert "linked" in build(engine, inside)
    assert "host secret" not in build(engine, inside, dockerfile=f"../..{host}/Dockerfile")
    text = "FROM busybox\nCOPY . /all\nRUN ls /all\n"
    found = build(
        engine, packed(file("Dockerfile", text), link(".dockerignore", f"{host}/ignore"), file("kept", ""))
    )
    assert "kept" in found.partition("RUN ls")[2]


def test_a_list_that_came_in_an_archive_counts(engine: EngineUnderTest, host: Path) -> None:
    text = "FROM busybox\nCOPY . /all\nRUN cd /all && find . | sort\n"
    members = [
        file("Dockerfile", text), file(".dockerignore", "*\n!keep\n!deep/in\nkeep/not\nDockerfile\n"),
        *(file(name, "") for name in ("gone", "keep/a", "keep/not", "deep/in/b", "deep/out/c")),
        link("deep/out/link", str(host)), link("linked", str(host)),
    ]  # fmt: skip
    found = build(engine, packed(*members)).partition("find")[2]
    assert all(name in found for name in ("./keep/a", "./deep/in/b"))
    assert not any(name in found for name in ("gone", "not", "out", "linked"))
    assert (host / "key").exists()
    assert "illegal exclusion pattern" in build(engine, packed(members[0], file(".dockerignore", "!\n")))


@pytest.mark.parametrize(
    "members",
    [
        [file("../escaped", "x")],
        [file("/escaped", "x")],
        [link("out", "HOST"), file("out/escaped", "x")],
        [link("up", "../../../../../../../../../..HOST"), file("up/escaped", "x")],
        [link("hard", "HOST/key", tarfile.LNKTYPE)],
        [link("out", "HOST"), link("hard", "out/key", tarfile.LNKTYPE)],
        [link("key", "HOST/key"), file("key", "overwritten")],
    ],
)
def test_an_archive_of_a_context_stays_in_its_folder(
    engine: EngineUnderTest, host: Path, members: list[tuple[str, bytes, bytes, str]]
) -> None:
    before = {path.name: path.read_text() for path in host.iterdir()}
    moved = [(name, kind, body, target.replace("HOST", str(host))) for name, kind, body, target in members]
    said = build(engine, packed(file("Dockerfile", "FROM busybox\nCOPY . /all\nRUN cat /all/*; true\n"), *moved))
    assert "host secret" not in said
    assert {path.name: path.read_text() for path in host.iterdir()} == before
    assert not Path("/escaped").exists() and not list(engine.paths.root.glob("build/**/escaped"))


def test_places_for_mounts_are_taken_away_in_the_root_only(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest, host: Path
) -> None:
    """CVE-2024-23652: the program puts a link to the host in the way of what is removed behind it."""
    (host / "m").mkdir()
    (host / "empty").touch()
    text = f"""FROM busybox
RUN --mount=type=tmpfs,target=/d/m mv /d /moved; ln -s {host} /d; true
RUN --mount=type=secret,id=s,target=/e/empty mv /e /moved2; ln -s {host} /e; true
"""
    (tmp_path / "secret").write_text("s")
    done = cli("build", "--no-cache", "--secret", f"id=s,src={tmp_path}/secret", "-", stdin=text.encode())
    assert done.code == 0, done
    assert (host / "m").is_dir() and (host / "empty").exists()


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ("type=cache,target=/c,source=../../..", "from and source are not supported"),
        ("type=cache,target=/c,from=busybox", "from and source are not supported"),
        ("type=cache,target=/c,id=../../../../etc", ""),
        ("type=secret,id=../../etc/shadow,required", "not found"),
        ("type=ssh,id=../../x,required", "not found"),
        ("type=bind,from=busybox,source=../../../etc/shadow,target=/c/x", "could not find the file"),
    ],
)
def test_no_mount_is_told_a_way_out(cli: Cli, engine: EngineUnderTest, mount: str, message: str) -> None:
    done = cli("build", "--no-cache", "-", stdin=f"FROM busybox\nRUN --mount={mount} ls -a /c\n".encode())
    assert (done.code != 0) is bool(message), done
    assert message.lower() in done.err.lower()
    assert "root:" not in done.err and "passwd" not in done.err


def test_an_image_whose_history_fits_is_no_cache(cli: Cli, engine: EngineUnderTest, tmp_path: Path) -> None:
    """CVE-2024-24557: a loaded image that claims to be what the next step would make.

    Who names an image as a cache believes its history, as with Docker; nobody else does, before and afterwards.
    """
    base, poison = busybox_layer(), packed(file("poison", "x"))
    told = ["base", "/bin/sh -c echo fine > /fine"]
    for layers, name in (([base], "poison/base:1"), ([base, poison], "poison/made:1")):
        data = archive(layers, name, {"Env": ["PATH=/bin"]}, told[: len(layers)])
        engine.client.open("POST", "/images/load", None, io.BytesIO(data)).read()
    text = b"FROM poison/base:1\nRUN echo fine > /fine\nRUN ls /\n"
    named = ("--cache-from", "poison/made:1")
    for asked, believed in (((), False), (named, True), ((), False), (("--no-cache", *named), False)):
        done = cli("build", *asked, "-", stdin=text)
        said = done.err.partition("RUN ls /")[2].replace("poison/", "")
        assert done.code == 0 and ("poison" in said) is believed, (asked, done.err)
        cli.ok("builder", "prune", "-af")


def test_no_foreign_frontend_is_run(cli: Cli, engine: EngineUnderTest) -> None:
    text = b"# syntax=evil.example/frontend:1\nFROM busybox\nRUN echo ours\n"
    done = cli("build", "--no-cache", "-", stdin=text)
    assert done.code == 0 and "ours" in done.err and "evil" not in done.err


def _rewrite(cache: Path, change: Any) -> None:
    """Change the document of a cache in a folder, and everything above it that names it."""
    index = json.loads((cache / "index.json").read_text())
    manifest = json.loads(_blob(cache, index["manifests"][0]["digest"]).read_bytes())
    document = json.loads(_blob(cache, manifest["config"]["digest"]).read_bytes())
    change(document, manifest)
    manifest["config"] |= _put(cache, json.dumps(document).encode())
    index["manifests"][0] |= _put(cache, json.dumps(manifest).encode())
    (cache / "index.json").write_text(json.dumps(index))


def _blob(cache: Path, digest: str) -> Path:
    return cache / "blobs/sha256" / digest.removeprefix("sha256:")


def _put(cache: Path, data: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    _blob(cache, digest).write_bytes(data)
    return {"digest": digest, "size": len(data)}


def _damage(cache: Path) -> None:
    for path in (cache / "blobs/sha256").iterdir():
        if path.read_bytes()[:2] == b"\x1f\x8b":
            path.write_bytes(path.read_bytes()[:-9] + b"damaged!!")


def _exchange(document: dict[str, Any], manifest: dict[str, Any]) -> None:
    names = list(document["blobs"])
    document["blobs"] = dict(zip(names, reversed([document["blobs"][name] for name in names]), strict=True))


HARM = {
    "a damaged layer": _damage,
    "a layer under the name of another": lambda cache: _rewrite(cache, _exchange),
    "a missing layer": lambda cache: [
        path.unlink() for path in (cache / "blobs/sha256").iterdir() if path.read_bytes()[:2] == b"\x1f\x8b"
    ],
    "a step of no key": lambda cache: _rewrite(cache, lambda doc, _: doc["steps"][0].update(key="../../x")),
    "a layer that is not listed": lambda cache: _rewrite(cache, lambda doc, _: doc["steps"][0].update(layers=[99])),
    "a time after the end": lambda cache: _rewrite(cache, lambda doc, _: doc["steps"][0].update(createdAt=1e300)),
    "no document": lambda cache: _rewrite(cache, lambda doc, _: doc.clear()),
    "no index": lambda cache: (cache / "index.json").write_text("[]"),
    "a digest that is a path": lambda cache: (cache / "index.json").write_text(
        json.dumps({"manifests": [{"mediaType": "", "digest": "sha256:../../../../etc/passwd", "size": 9}]})
    ),
    "nothing at all": lambda cache: (cache / "index.json").unlink(),
}


@pytest.fixture(scope="module")
def other() -> Iterator[EngineUnderTest]:
    """Another engine with the same base, for which all is new."""
    with running_engine() as found:
        yield found


@pytest.mark.parametrize("harm", HARM)
def test_a_cache_that_is_not_what_it_says_is_done_without(
    cli: Cli, engine: EngineUnderTest, other: EngineUnderTest, tmp_path: Path, harm: str
) -> None:
    cache, two = tmp_path / "cache", Cli(other.environment)
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\nCOPY f /\nCOPY f /{harm.replace(' ', '-')}\n")
    (tmp_path / "f").write_text(harm)
    cli.ok("build", "-q", "--cache-to", f"type=local,dest={cache}", str(tmp_path))
    HARM[harm](cache)
    done = two("build", "--progress", "plain", "--cache-from", f"type=local,src={cache}", str(tmp_path))
    assert done.code == 0, done
    assert "CACHED" not in done.err.rpartition("WARN: cache")[2]
    if harm != "no document":  # that one is empty, which is no harm
        assert "WARN: cache the client's folder is not used: " in done.err
    assert "Traceback" not in other.paths.engine_log.read_text()
