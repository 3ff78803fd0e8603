"""Docker's client in front of a real dockerd and of our engine, each with registries of its own: one answer."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.integration.conftest import EngineUnderTest
from tests.support.dockerd import available as has_dockerd
from tests.support.dockerd import private_dockerd
from tests.support.images import busybox_archive
from tests.support.registry import available, free_port, running_registry

pytestmark = [
    pytest.mark.root,
    pytest.mark.docker_words,
    pytest.mark.skipif(not (available() and has_dockerd()), reason="needs docker-registry, dockerd and docker"),
]

# In order: each stands on what those before it have done.
LINES = """
tag busybox {open}/bb:1
tag busybox {open}/bb:2
tag busybox {open}/oo:1
tag busybox {guarded}/bb:1
push {open}/bb:nope
push {open}/nope:1
push -a {open}/nope
push {open}/bb:1
push {open}/bb:1
push -a {open}/bb
push {open}/oo:1
push {guarded}/bb:1
pull {guarded}/bb:1
pull {guarded}/bb@sha256:0000000000000000000000000000000000000000000000000000000000000000
pull -a {guarded}/bb
run --rm --network none {guarded}/none:1 true
pull {open}/bb@DIGEST
pull {open}/bb:1
pull -a {open}/bb
pull --platform foo {open}/bb:1
rmi {open}/bb:1
pull {open}/bb:1
rmi {open}/oo:1
pull {open}/oo:1
pull {open}/nope
pull {open}/bb:nope
pull {open}/bb@sha256:0000000000000000000000000000000000000000000000000000000000000000
rmi -f busybox {open}/bb:1 {open}/bb:2 {open}/oo:1 {guarded}/bb:1
""".strip().splitlines()


class Side:
    """One daemon, with what it said of digests: manifests differ, and are named by what they are."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = {**environment, "DOCKER_CONFIG": "/nonexistent"}
        self._digest = "sha256:" + "0" * 64
        with busybox_archive() as archive:
            self.ask("load", stdin=archive.read())

    def ask(self, *argv: str, stdin: bytes = b"") -> tuple[int, str, str]:
        words = [word.replace("DIGEST", self._digest) for word in argv]
        done = subprocess.run(
            ["docker", *words], input=stdin, capture_output=True, env=self._environment, timeout=60, check=False
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        if found := re.search(r"digest: (sha256:\w+) size: \d+", out):
            self._digest = found[1]
        return done.returncode, self._plain(out), self._plain(err)

    def _plain(self, text: str) -> str:
        return re.sub(r"size: \d+", "size: N", text.replace(self._digest, "DIGEST"))


@pytest.fixture(scope="module")
def sides(engine: EngineUnderTest) -> Iterator[tuple[Side, Side, str, str]]:
    ports = free_port(), free_port()
    with ExitStack() as stack:
        dockerd = stack.enter_context(private_dockerd())
        for netns in ("", engine.netns):
            for port, closed in zip(ports, (False, True), strict=True):
                stack.enter_context(running_registry(netns=netns, port=port, htpasswd=closed))
        theirs = Side({**os.environ, "DOCKER_HOST": dockerd.host})
        yield theirs, Side(engine.environment), f"127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}"


def test_the_same_words(sides: tuple[Side, Side, str, str]) -> None:
    theirs, ours, plain, guarded = sides
    differences = []
    for line in LINES:
        words = line.format(open=plain, guarded=guarded).split()
        wanted, got = theirs.ask(*words), ours.ask(*words)
        if got != wanted:
            differences.append((line, wanted, got))
    assert differences == []
