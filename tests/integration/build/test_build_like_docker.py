"""The same Dockerfile by a real dockerd's own builder and by ours: the images are held against each other.

What differs on purpose: Docker writes its version, host names and a copy of the config beside the config, calls a
copied file by a checksum of its own making, and forgets a blank behind `--chown`.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest
from tests.support.dockerd import Dockerd, available, private_dockerd

pytestmark = [
    pytest.mark.root,
    pytest.mark.docker,
    pytest.mark.skipif(not available(), reason="dockerd is not installed"),
]

DOCKERFILES = {
    "every instruction": """FROM busybox:latest
MAINTAINER me <me@x>
LABEL purpose="practice" "c d"="e f"
ARG V=1
ARG W
ENV test /home
ENV A=1 B="two words"
ENV C=$A$V
RUN echo hi > /hi; rm -rf /var; mkdir -p /x/y; chmod 700 /x/y
RUN ["sh", "-c", "echo $A > /exec"]
WORKDIR /home
WORKDIR rel
WORKDIR /tmp
EXPOSE 80 53/udp
VOLUME ["/v1", "/v2"]
VOLUME /v3
USER 1000:1000
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --timeout=1m30s --retries=2 CMD true
ONBUILD RUN echo later
SHELL ["/bin/sh", "-ec"]
ENTRYPOINT echo entry
CMD ["a", "b c"]
""",
    "copies": """FROM busybox:latest
COPY a /copied
COPY sub /newdir/
COPY sub/ /tmp
COPY --chown=1:2 a sub/b /many/
ADD t.tgz /added/
ADD a /added/
COPY [ "a", "/with space/" ]
COPY sub/* /stars/
COPY a relative
WORKDIR /w
COPY a .
COPY sub/l /one
COPY odd /odd
""",
    "stages": """ARG BASE=busybox:latest
FROM $BASE AS one
ENV X=1
RUN echo built > /out && ln -s out /link
FROM busybox:latest
COPY --from=one /out /link /got/
COPY --from=0 /out /by-number
ENTRYPOINT ["/bin/true"]
CMD ["x"]
FROM one
ENTRYPOINT ["e"]
""",
    "from a stage": """FROM busybox:latest AS one
RUN mkdir -p /d/e && echo built > /d/e/out && ln -s e/out /d/link && ln -s /no/x /d/no
RUN chmod 750 /d/e && chown 54321:54322 /d/e/out
FROM busybox:latest
COPY --from=one /d /got/
COPY --from=one --chown=7 /d/e/out /by-name
COPY --from=one /d/link /d/e/out /many/
""",
    "slips": """FROM busybox:latest
CMD ["a", b]
RUN ["sh", "-c", "exit 0"]
ENV A=1 A=2
ENV B=$A"q"'$A'
LABEL l=$A
""",
}  # fmt: skip


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Dockerd]:
    with private_dockerd() as daemon:
        yield daemon


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "sub/d").mkdir(parents=True)
    for name, mode in (("a", 0o755), ("sub/b", 0o644), ("sub/d/c", 0o600)):
        (folder / name).write_text(name)
        (folder / name).chmod(mode)
    (folder / "sub/d").chmod(0o700)
    (folder / "sub/l").symlink_to("b")
    (folder / "odd").mkdir()
    (folder / "odd/nowhere").symlink_to("/not/there")
    (folder / "odd/folder").symlink_to("../sub/d")
    (folder / "odd/ü").write_text("ü")
    (folder / "odd/empty").write_text("")
    with tarfile.open(folder / "t.tgz", "w:gz") as archive:
        archive.add(folder / "sub", "sub")
    return folder


def read_image(data: bytes) -> tuple[dict[str, Any], list[list[tuple[Any, ...]]]]:
    """The config of a saved image, and of each layer its entries."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:

        def file(name: str) -> Any:
            found = archive.extractfile(name)
            assert found is not None
            return found

        manifest = json.load(file("manifest.json"))[0]
        layers = []
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=file(name)) as layer:
                layers.append([
                    (entry.name, entry.type, entry.mode & 0o7777, entry.uid, entry.gid, entry.linkname)
                    for entry in layer
                ])  # fmt: skip
        return json.load(file(manifest["Config"])), layers


def essence(config: dict[str, Any]) -> dict[str, Any]:
    """What both must say alike."""
    own = {"Hostname", "Domainname", "Image", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin"}
    execution = {key: value for key, value in config["config"].items() if value and key not in own | {"StdinOnce"}}
    steps = []
    for step in config["history"]:
        text = re.sub(r"(file|dir|multi):[0-9a-f]{64}", r"\1:HASH", step.get("created_by", ""))
        text = re.sub(r"(--chown=\S+?) ?(multi|file|dir):", r"\1 \2:", text)
        steps.append((text, step.get("author", ""), step.get("empty_layer", False)))
    return {
        "config": execution, "history": steps, "author": config.get("author", ""), "os": config["os"],
        "architecture": config["architecture"],
    }  # fmt: skip


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_is_as_dockers_builder_makes_it(
    name: str, dockerd: Dockerd, engine: EngineUnderTest, cli: Cli, context: Path, tmp_path: Path
) -> None:
    (context / "Dockerfile").write_text(DOCKERFILES[name])
    base = tmp_path / "base.tar"
    cli.ok("save", "-o", str(base), "busybox:latest")
    dockerd.run("load", "-i", str(base))
    asked = ("-t", "compared:1", "--build-arg", "W=w", "--label", "zz=1", str(context))
    os.environ["DOCKER_BUILDKIT"] = "0"
    try:
        dockerd.run("build", "--network", "none", *asked)
    finally:
        del os.environ["DOCKER_BUILDKIT"]
    cli.ok("build", *asked)
    ours = tmp_path / "ours.tar"
    cli.ok("save", "-o", str(ours), "compared:1")
    theirs_config, theirs_layers = read_image(dockerd.read("save", "compared:1"))
    our_config, our_layers = read_image(ours.read_bytes())
    assert essence(our_config) == essence(theirs_config)
    assert our_layers == theirs_layers
    taken(dockerd, engine, cli, tmp_path, asked)


def taken(dockerd: Dockerd, engine: EngineUnderTest, cli: Cli, folder: Path, asked: tuple[str, ...]) -> None:
    """The image that Docker has made is a cache for who names it, with Docker's client and with ours."""
    theirs = folder / "theirs.tar"
    dockerd.run("tag", "compared:1", "theirs:1")
    theirs.write_bytes(dockerd.read("save", "theirs:1"))
    cli.ok("rmi", "-f", "compared:1")
    cli.ok("load", "-i", str(theirs))
    cli.ok("builder", "prune", "-af")
    environment = {
        **os.environ,
        "DOCKER_HOST": engine.host,
        "DOCKER_CONFIG": "/nonexistent",
        "DOCKER_BUILDKIT": "0",
    }
    command = ["docker", "build", "--network", "none", "--cache-from", "theirs:1", *asked]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert said.returncode == 0, said
    tops = {
        name: cli.ok("image", "inspect", "-f", "{{json .RootFS.Layers}}", name)
        for name in ("theirs:1", "compared:1")
    }
    assert tops["compared:1"] == tops["theirs:1"], said.stdout
    steps = {int(step.split("/")[0]): step for step in re.split(r"(?m)^Step ", said.stdout)[1:]}
    last = max(number for number, step in steps.items() if " : FROM" in step)  # what is below is not in the image
    assert all("Using cache" in step for number, step in steps.items() if number > last), said.stdout
