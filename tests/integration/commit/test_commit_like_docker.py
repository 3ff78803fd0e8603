"""The same deeds in a container of ours and in one of a real dockerd: the same list, layer and image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from commit_kit import members, onggi, save, saved

from tests.integration.conftest import EngineUnderTest
from tests.support.dockerd import Dockerd

pytestmark = [pytest.mark.root, pytest.mark.docker]

NONE = ("--network", "none")
DEEDS = {
    "nothing": "true",
    "add": "mkdir -p /new/sub; echo hi > /new/f; ln /new/f /new/g; ln -s f /new/l; ln -s /nope /l",
    "remove": "rm -r /data /etc/group",
    "renew a folder": "rm -r /home; mkdir /home; echo 1 > /home/own",
    "renew as it was": "rm -r /home; mkdir -p /home/app",
    "file for folder": "rm -r /data; echo 1 > /data",
    "folder for file": "rm /data/seed; mkdir /data/seed; touch /data/seed/in",
    "touch": "touch -d '2001-02-03 04:05:06' /data/seed /data",
    "same again": "chmod 644 /data/seed",
    "mode and owner": "chmod 4711 /data/seed; chown 12:34 /etc/passwd",
    "a folder's own": "chmod 700 /data; chown 5:6 /tmp",
    "nodes": "mkfifo -m 600 /data/p; mknod /dev0 c 1 3; mknod /data/b b 7 200",
    "there and gone": "touch /data/x; rm /data/x; mkdir /y; rmdir /y",
    "write": "echo more >> /data/seed; cp /data/seed /tmp/seed",
    "rename": "mv /data/seed /data/moved; mv /home/app /home/app2",
    "long names": "n=$(printf '%0200d' 1); mkdir -p /$n/$n; echo 1 > /$n/$n/f; ln -s /$n/$n /$n/l",
    "sparse": "dd if=/dev/zero of=/hole bs=1 count=1 seek=3000000",
    "what is mounted": "echo 127.0.0.1 x >> /etc/hosts; echo x > /dev/x; touch /dev/shm/y",
}


@pytest.fixture(scope="module")
def pair(engine: EngineUnderTest, dockerd: Dockerd) -> tuple[EngineUnderTest, Dockerd]:
    return engine, dockerd


@contextmanager
def twins(pair: tuple[EngineUnderTest, Dockerd], script: str, *options: str) -> Iterator[None]:
    """Containers `twin` of both engines in which `script` has run, and which run on."""
    engine, dockerd = pair
    words = ("run", "-d", "--name", "twin", *NONE, *options, "busybox", "sleep", "1000")
    onggi(engine, *words)
    dockerd.run(*words)
    try:
        onggi(engine, "exec", "twin", "sh", "-c", f"umask 022; {script}")
        dockerd.run("exec", "twin", "sh", "-c", f"umask 022; {script}")
        yield
    finally:
        onggi(engine, "rm", "-f", "twin")
        dockerd.run("rm", "-f", "twin")


@pytest.mark.parametrize("deed", DEEDS)
def test_the_list_and_the_layer_are_dockers(pair: tuple[EngineUnderTest, Dockerd], deed: str) -> None:
    engine, dockerd = pair
    with twins(pair, DEEDS[deed]):
        theirs = sorted(dockerd.run("diff", "twin").splitlines())
        assert sorted(onggi(engine, "diff", "twin").splitlines()) == theirs
        onggi(engine, "commit", "twin", "twin:1")
        dockerd.run("commit", "twin", "twin:1")
    mine, other = saved(save(engine, "twin:1")), saved(dockerd.read("save", "twin:1"))
    assert len(mine.layers) == len(other.layers)
    timed = ("data/seed", "data") if deed == "touch" else ()
    assert members(mine.layers[-1], timed=timed) == members(other.layers[-1], timed=timed)


CHANGES = {
    "none": (),
    "entrypoint takes the command": ('ENTRYPOINT ["/bin/echo"]',),
    "entrypoint after a command": ("CMD a b", 'ENTRYPOINT ["/bin/echo"]'),
    "command": ('CMD ["sleep","7"]',),
    "all the rest": (
        'ENV A=b C="d e"',
        "EXPOSE 80 53/udp",
        'LABEL one=1 two="2 3"',
        "USER app",
        "VOLUME /data",
        "WORKDIR /srv",
        "ONBUILD RUN true",
        "HEALTHCHECK --interval=5s CMD true",
    ),
}
IGNORED = {"Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce",
           "Image"}  # fmt: skip


def portable(config: dict[str, Any]) -> dict[str, Any]:
    """The members that say something, of those that an image is for."""
    found = {key: value for key, value in config.items() if value and key not in IGNORED}
    return {**found, "Env": sorted(found["Env"])}


@pytest.mark.parametrize("changes", CHANGES)
def test_the_config_is_dockers(pair: tuple[EngineUnderTest, Dockerd], changes: str) -> None:
    engine, dockerd = pair
    flags = [word for change in CHANGES[changes] for word in ("-c", change)]
    with twins(
        pair, "touch /x", "-e", "OWN=1", "-l", "mine=yes", "-w", "/data", "-u", "0:0", "--stop-signal", "15"
    ):
        for run in (lambda *words: onggi(engine, *words), dockerd.run):
            run("commit", "-m", "a comment", "-a", "me <a@b>", *flags, "twin", "twin:2")
    mine = saved(save(engine, "twin:2")).config
    theirs = saved(dockerd.read("save", "twin:2")).config
    assert portable(mine["config"]) == portable(theirs["config"])
    for member in ("architecture", "os", "author"):
        assert mine[member] == theirs[member]
    assert [{**step, "created": ""} for step in mine["history"]] == [
        {**step, "created": ""} for step in theirs["history"]
    ]
    assert mine["history"][-1]["created"] == mine["created"]


@pytest.mark.docker_words
@pytest.mark.parametrize(
    "words",
    [
        ("commit", "twin", "Bad"),
        ("commit", "twin", "a:b:c"),
        ("commit", "nope"),
        ("commit", "-c", "RUN x", "twin"),
        ("commit", "-c", "ENV", "twin"),
        ("commit",),
        ("diff", "nope"),
        ("diff",),
    ],
)
def test_what_is_refused_is_refused_in_dockers_words(
    pair: tuple[EngineUnderTest, Dockerd], words: tuple[str]
) -> None:
    engine, dockerd = pair
    with twins(pair, "true"):
        theirs = dockerd.run(*words, check=False).replace("docker", "onggi").replace("Error: No", "No")
        assert onggi(engine, *words, code=1).splitlines()[0] == theirs.splitlines()[0]
