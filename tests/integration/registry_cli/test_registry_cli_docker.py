"""Docker's client and ours in front of one real dockerd and one real registry: the same words, codes and files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import COMMAND
from tests.support.dockerd import Dockerd, private_dockerd
from tests.support.dockerd import available as has_dockerd
from tests.support.images import busybox_archive
from tests.support.registry import PASSWORD, USER, available, running_registry

pytestmark = [
    pytest.mark.root,
    pytest.mark.docker_words,
    pytest.mark.skipif(not (available() and has_dockerd()), reason="needs docker-registry, dockerd and docker"),
]

NOBODY = "127.0.0.1:1"  # where nothing listens


@dataclass(frozen=True)
class Stage:
    """One daemon, one open registry, one that asks for a login."""

    daemon: Dockerd
    open: str
    guarded: str
    folder: Path

    def ask(self, client: str, *argv: str, before: str = "") -> tuple[int, str, str]:
        """Exit code, stdout and stderr of `docker` or `onggi`, after the command `before` of Docker's."""
        if before:
            self.daemon.run(*before.split(), check=False)
        program = ["docker"] if client == "docker" else list(COMMAND)
        config = self.folder / client
        environment = {
            **os.environ, "DOCKER_HOST": self.daemon.host, "ONGGI_HOST": self.daemon.host,
            "DOCKER_CONFIG": str(config),
        }  # fmt: skip
        done = subprocess.run(
            [*program, *argv], input="", capture_output=True, text=True, env=environment, timeout=60, check=False
        )

        def worded(text: str) -> str:
            return text.replace("onggi", "docker").replace(str(config).replace("onggi", "docker"), "CONFIG")

        return done.returncode, worded(done.stdout), worded(done.stderr)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        daemon = stack.enter_context(private_dockerd())
        plain = stack.enter_context(running_registry())
        guarded = stack.enter_context(running_registry(htpasswd=True))
        with busybox_archive() as archive:
            daemon.run("load", stdin=archive.read())
        for name in (f"{plain.address}/bb:1", f"{plain.address}/bb:2", f"{guarded.address}/bb:1"):
            daemon.run("tag", "busybox", name)
        daemon.run("push", "-a", f"{plain.address}/bb")
        yield Stage(daemon, plain.address, guarded.address, tmp_path_factory.mktemp("clients"))


RUN = ("--rm", "--network", "none")
ASKED = [
    ("push {open}/bb:1", ""),
    ("push -q {open}/bb:1", ""),
    ("push {open}/bb", ""),
    ("push -a {open}/bb", ""),
    ("push -a {open}/bb:1", ""),
    ("push {open}/nope:1", ""),
    ("push nope", ""),
    ("push BAD", ""),
    ("push {open}/bb@sha256:" + "0" * 64, ""),
    ("push {guarded}/bb:1", ""),
    ("pull {open}/bb:1", ""),
    ("pull {open}/bb:1", "rmi {open}/bb:1"),
    ("pull -q {open}/bb:1", ""),
    ("pull -a {open}/bb", ""),
    ("pull -a -q {open}/bb", ""),
    ("pull -a {open}/bb:1", ""),
    ("pull {open}/bb", ""),
    ("pull {open}/bb:none", ""),
    ("pull {open}/bb@sha256:" + "0" * 64, ""),
    ("pull --platform linux/arm64 {open}/bb:1", ""),
    ("pull --platform not/a/plat/form {open}/bb:1", ""),
    ("pull --disable-content-trust=true {open}/bb:1", ""),
    ("pull BAD", ""),
    ("pull", ""),
    ("pull a b", ""),
    ("pull {nobody}/x", ""),
    ("pull {guarded}/bb:1", ""),
    ("run --rm {open}/bb:none true", ""),
    ("run --pull never --rm {open}/zz true", ""),
    ("run --rm --network none {open}/bb:1 echo hi", "rmi {open}/bb:1"),
    ("run -q --rm --network none {open}/bb:1 echo hi", "rmi {open}/bb:1"),
    ("run --pull always --rm --network none {open}/bb:1 echo hi", ""),
    ("run --pull always -q --rm --network none {open}/bb:1 echo hi", ""),
    ("create {open}/bb:none", ""),
    ("search {open}/x", ""),
    ("search --limit 200 x", ""),
    ("search --filter foo=bar x", ""),
    ("search --filter foo x", ""),
    ("search --filter is-official=maybe x", ""),
    ("search", ""),
    ("login -u sam {guarded}", ""),
    ("login --password-stdin {guarded}", ""),
    ("login -u sam -p x --password-stdin {guarded}", ""),
    ("login -p x {guarded}", ""),
    ("login -u sam -p wrong {guarded}", ""),
    ("login -u sam -p x {nobody}", ""),
    ("images --digests {open}/bb", ""),  # of one repository: Docker has no order for several
]


@pytest.mark.parametrize(("line", "before"), ASKED)
def test_the_same_answer(stage: Stage, line: str, before: str) -> None:
    def filled(text: str) -> str:
        return text.format(open=stage.open, guarded=stage.guarded, nobody=NOBODY)

    theirs = stage.ask("docker", *filled(line).split(), before=filled(before))
    ours = stage.ask("onggi", *filled(line).split(), before=filled(before))
    assert ours == theirs


def test_one_logs_in_and_the_other_uses_it(stage: Stage) -> None:
    name = f"{stage.guarded}/bb:1"
    for client, other in (("docker", "onggi"), ("onggi", "docker")):
        file = stage.folder / client / "config.json"
        assert stage.ask(client, "login", "-u", USER, "-p", PASSWORD, stage.guarded)[:2] == (0, "Login Succeeded\n")
        again = stage.ask(client, "login", stage.guarded)
        assert again[0] == 0 and f"[Username: {USER}]" in again[2]
        assert stage.ask(client, "push", name)[0] == 0
        (stage.folder / other).mkdir(exist_ok=True)
        (stage.folder / other / "config.json").write_bytes(file.read_bytes())
        assert stage.ask(other, "pull", name)[0] == 0
        before = file.read_bytes()
        assert stage.ask(other, "logout", stage.guarded) == (
            0, f"Removing login credentials for {stage.guarded}\n", "",
        )  # fmt: skip
        assert stage.ask(other, "pull", name)[0] == 1
        assert file.read_bytes() == before
        file.unlink()


def test_both_write_the_same_file(stage: Stage) -> None:
    written = []
    for client in ("docker", "onggi"):
        file = stage.folder / client / "config.json"
        file.unlink(missing_ok=True)
        answer = stage.ask(client, "login", "-u", USER, "-p", PASSWORD, stage.guarded)
        kept, mode = file.read_bytes(), file.stat().st_mode
        stage.ask(client, "logout", stage.guarded)
        written.append((answer, kept, mode, file.read_bytes(), file.stat().st_mode))
    assert written[0] == written[1]
