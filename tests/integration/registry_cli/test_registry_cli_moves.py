"""Images through real registries, with our command line and with Docker's, in front of our engine."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import COMMAND, Cli, Done
from tests.integration.conftest import EngineUnderTest, running_engine, wait_until
from tests.support.registry import PASSWORD, USER, Registry, available, running_registry

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not available(), reason="needs docker-registry"),
]

OPEN, GUARDED = 5000, 5001


@pytest.fixture(scope="module")
def plain(engine: EngineUnderTest) -> Iterator[Registry]:
    with running_registry(netns=engine.netns, port=OPEN) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(engine: EngineUnderTest) -> Iterator[Registry]:
    with running_registry(netns=engine.netns, port=GUARDED, htpasswd=True, tls=True) as found:
        yield found


class Clients:
    """Both command lines, with one configuration folder."""

    def __init__(self, engine: EngineUnderTest, folder: Path) -> None:
        self.environment = {**engine.environment, "DOCKER_CONFIG": str(folder)}
        self.folder = folder
        self.onggi = Cli(self.environment)

    def docker(self, *argv: str, stdin: str = "") -> Done:
        done = subprocess.run(
            ["docker", *argv], input=stdin, capture_output=True, text=True, env=self.environment, timeout=60,
            check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    def ask(self, client: str, *argv: str) -> Done:
        return self.docker(*argv) if client == "docker" else self.onggi(*argv)


@pytest.fixture
def clients(engine: EngineUnderTest, tmp_path: Path) -> Clients:
    return Clients(engine, tmp_path / "config")


BOTH = pytest.mark.parametrize("client", ["onggi", pytest.param("docker", marks=pytest.mark.docker)])


def digest_in(text: str) -> str:
    """The digest that a push or pull ends with."""
    return next(word for word in text.split() if word.startswith("sha256:"))


@BOTH
def test_push_and_pull(clients: Clients, plain: Registry, client: str) -> None:
    name = f"{plain.address}/{client}/bb:1"
    clients.onggi.ok("tag", "busybox", name)
    first = clients.ask(client, "push", name)
    assert (first.code, first.err) == (0, "")
    assert first.lines[0] == f"The push refers to repository [{plain.address}/{client}/bb]"
    assert first.lines[-1].startswith("1: digest: sha256:") and " size: " in first.lines[-1]
    assert [line.partition(": ")[2] for line in first.lines[1:-1]][-1] in ("Pushed", "Mounted from onggi/bb")
    second = clients.ask(client, "push", name)
    assert second.lines[-1] == first.lines[-1]
    assert second.lines[-2].endswith(": Layer already exists")

    here = clients.ask(client, "pull", name)
    digest = digest_in(first.lines[-1])
    assert here.lines == [
        f"1: Pulling from {client}/bb",
        f"Digest: {digest}",
        f"Status: Image is up to date for {name}",
        name,
    ]
    clients.onggi.ok("rmi", name)
    again = clients.ask(client, "pull", name)
    assert (again.code, again.err) == (0, "")
    assert again.lines[0] == f"1: Pulling from {client}/bb"
    assert again.lines[-3:] == [f"Digest: {digest}", f"Status: Downloaded newer image for {name}", name]
    assert clients.onggi.ok("run", "--rm", "--network", "none", name, "echo", "hi") == "hi"
    digests = json.loads(clients.onggi.ok("inspect", "-f", "{{json .RepoDigests}}", name))
    assert f"{plain.address}/{client}/bb@{digest}" in digests
    listed = clients.onggi.ok("images", "--digests", f"{plain.address}/{client}/bb").splitlines()
    assert [line.split()[1:3] for line in listed[1:]] == [["1", digest]]


@BOTH
def test_all_tags(clients: Clients, plain: Registry, client: str) -> None:
    repository = f"{plain.address}/{client}/tags"
    names = [f"{repository}:{tag}" for tag in ("1", "2")]
    for name in names:
        clients.onggi.ok("tag", "busybox", name)
    pushed = clients.ask(client, "push", "-a", repository)
    assert pushed.code == 0
    assert [line[:10] for line in pushed.lines if ": digest: " in line] == ["1: digest:", "2: digest:"]
    clients.onggi.ok("rmi", *names)
    pulled = clients.ask(client, "pull", "-a", repository)
    assert (pulled.code, pulled.lines[-1]) == (0, repository)
    assert pulled.lines[-2] == f"Status: Downloaded newer image for {repository}"
    assert sorted(clients.onggi.ok("images", "--format", "{{.Tag}}", repository).split()) == ["1", "2"]


@BOTH
def test_by_digest(clients: Clients, plain: Registry, client: str) -> None:
    name = f"{plain.address}/{client}/exact"
    clients.onggi.ok("tag", "busybox", f"{name}:1")
    exact = f"{name}@{digest_in(clients.onggi.ok('push', f'{name}:1'))}"
    clients.onggi.ok("rmi", f"{name}:1")
    assert clients.ask(client, "pull", "-q", exact).lines == [exact]
    assert clients.onggi.ok("run", "--rm", "--network", "none", exact, "echo", "hi") == "hi"
    nothing = f"{name}@sha256:{'0' * 64}"
    missing = clients.ask(client, "pull", nothing)
    assert missing.err.startswith(f"Error response from daemon: manifest for {nothing} not found: manifest unknown")


DAEMON = "Error response from daemon: "
WRONG = [
    (
        "pull {open}/bb:none",
        "",
        DAEMON + "manifest for {open}/bb:none not found: manifest unknown: manifest unknown",
    ),
    (
        "push {open}/nope:1",
        "The push refers to repository [{open}/nope]\n",
        "An image does not exist locally with the tag: {open}/nope",
    ),
    (
        "pull 127.0.0.1:1/x:1",
        "",
        DAEMON + 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
    ),
    ("run --rm {open}/bb:none true", "", "Unable to find image '{open}/bb:none' locally"),
    ("run --pull never --rm {open}/zz true", "", "{client}: " + DAEMON + "No such image: {open}/zz:latest"),
]


@BOTH
@pytest.mark.parametrize(("words", "out", "err"), WRONG)
def test_what_goes_wrong(clients: Clients, plain: Registry, client: str, words: str, out: str, err: str) -> None:
    done = clients.ask(client, *words.format(open=plain.address).split())
    assert done.code == (125 if words.startswith("run") else 1)
    assert done.out == out.format(open=plain.address)
    assert done.first_error == err.format(open=plain.address, client=client)


@BOTH
def test_login_push_logout(clients: Clients, guarded: Registry, client: str) -> None:
    name = f"{guarded.address}/{client}/bb:1"
    clients.onggi.ok("tag", "busybox", name)
    refused = clients.ask(client, "push", name)
    assert refused.code == 1 and "no basic auth credentials" in refused.err
    wrong = clients.ask(client, "login", "-u", USER, "-p", "wrong", guarded.address)
    assert wrong.code == 1 and "401 Unauthorized" in wrong.err
    assert not (clients.folder / "config.json").exists()
    done = clients.ask(client, "login", "-u", USER, "-p", PASSWORD, guarded.address)
    assert (done.code, done.out) == (0, "Login Succeeded\n")
    assert clients.ask(client, "push", name).code == 0
    clients.onggi.ok("rmi", name)
    assert clients.ask(client, "pull", name).code == 0
    clients.onggi.ok("rmi", name)
    assert clients.onggi.ok("run", "-q", "--rm", "--network", "none", name, "echo", "hi") == "hi"
    assert clients.ask(client, "logout", guarded.address).code == 0
    again = clients.ask(client, "pull", name)
    assert again.code == 1 and "no basic auth credentials" in again.err


def test_the_engine_keeps_no_credentials(clients: Clients, engine: EngineUnderTest, guarded: Registry) -> None:
    name = f"{guarded.address}/secret/bb:1"
    clients.onggi.ok("tag", "busybox", name)
    clients.onggi.ok("login", "-u", USER, "--password-stdin", guarded.address, stdin=PASSWORD.encode())
    clients.onggi.ok("push", name)
    assert clients.onggi("login", "-u", USER, "--password-stdin", guarded.address, stdin=b"other").code == 1
    secrets = (PASSWORD.encode(), base64.b64encode(f"{USER}:{PASSWORD}".encode()).rstrip(b"="))
    for root in (engine.paths.root, engine.paths.run):
        found = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
        assert found
        for path in found:
            assert not any(secret in path.read_bytes() for secret in secrets), path
    stranger = Cli({**clients.environment, "DOCKER_CONFIG": "/nonexistent"})
    assert "no basic auth credentials" in stranger("pull", name).err


@BOTH
def test_looking_at_a_manifest(clients: Clients, plain: Registry, client: str) -> None:
    name = f"{plain.address}/seen/bb:1"
    clients.onggi.ok("tag", "busybox", name)
    digest = digest_in(clients.onggi.ok("push", name))
    if client == "onggi":
        manifest = json.loads(clients.onggi.ok("manifest", "inspect", name))
        assert manifest["schemaVersion"] == 2 and len(manifest["layers"]) == 1
        verbose = json.loads(clients.onggi.ok("manifest", "inspect", "-v", name))
        assert verbose["Ref"] == name and verbose["Descriptor"]["digest"] == digest
        assert verbose["Descriptor"]["platform"] == {"architecture": "amd64", "os": "linux"}
        missing = clients.onggi("manifest", "inspect", f"{plain.address}/seen/bb:2")
        assert (missing.code, missing.err) == (1, f"no such manifest: {plain.address}/seen/bb:2\n")
    found = clients.ask(client, "search", f"{plain.address}/seen")  # in its catalog: this registry has no search
    assert found.lines[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
    assert [line.split() for line in found.lines[1:]] == [[f"{plain.address}/seen/bb", "0"]]


def test_events(clients: Clients, plain: Registry) -> None:
    name = f"{plain.address}/events/bb:1"
    clients.onggi.ok("tag", "busybox", name)
    clients.onggi.ok("push", "-q", name)
    clients.onggi.ok("pull", "-q", name)
    told = clients.onggi.ok("events", "--since", "1h", "--until", "0s", "-f", f"image={name}", "--format", "json")
    events = [json.loads(line) for line in told.splitlines()]
    moved = [event for event in events if event["Action"] in ("push", "pull")]
    assert [event["Action"] for event in moved] == ["push", "pull"]
    assert moved[0]["Actor"] == {"ID": name, "Attributes": {"name": name.removesuffix(":1")}}


def test_bars_on_a_terminal(clients: Clients, plain: Registry) -> None:
    name = f"{plain.address}/bars/bb:1"
    clients.onggi.ok("tag", "busybox", name)
    with clients.onggi.terminal("push", name) as terminal:
        terminal.see("Pushed|Mounted from|Layer already exists")
        terminal.see(r"1: digest: sha256:[0-9a-f]{64} size: \d+")
        assert terminal.end() == 0
    with clients.onggi.terminal("pull", name) as terminal:
        terminal.see("Image is up to date for")
        assert terminal.end() == 0


def test_a_policy_says_when_the_registry_is_asked(clients: Clients, plain: Registry) -> None:
    name = f"{plain.address}/policy/bb:1"
    clients.onggi.ok("tag", "busybox", name)
    clients.onggi.ok("push", "-q", name)

    def asked() -> int:
        return plain.count("GET", "policy/bb/manifests") + plain.count("HEAD", "policy/bb/manifests")

    before = asked()
    for policy in ("missing", "never"):
        found = clients.onggi("pull", "--policy", policy, name)
        assert (found.code, found.lines) == (0, [f"Status: Image is here already: {name}", name])
    assert asked() == before
    assert clients.onggi.ok("pull", "-q", "--policy", "newer", name) == name
    assert asked() > before
    clients.onggi.ok("rmi", name)
    never = clients.onggi("pull", "--policy", "never", name)
    assert (never.code, never.err) == (1, f"No such image: {name}\n")
    assert clients.onggi.ok("pull", "-q", "--policy", "missing", name) == name
    wrong = clients.onggi("pull", "--policy", "sometimes", name)
    assert (wrong.code, wrong.err) == (
        125, "invalid pull policy 'sometimes': must be one of always, missing, never, newer\n"
    )  # fmt: skip
    assert (
        "asks for one image" in clients.onggi("pull", "-a", "--policy", "never", f"{plain.address}/policy/bb").err
    )


def test_a_second_engine_pulls_what_the_first_pushed(
    clients: Clients, engine: EngineUnderTest, plain: Registry
) -> None:
    name = f"{plain.address}/second/bb:1"
    clients.onggi.ok("tag", "busybox", name)
    digest = digest_in(clients.onggi.ok("push", name))
    with running_engine() as other:
        # in the network of the first, where the registry is
        other.stop()
        joined = EngineUnderTest(other.paths, engine.netns)
        joined.start()
        second = Cli(joined.environment)
        for image in second.ok("images", "-q").split():
            second.ok("rmi", "-f", image)
        pulled = second.ok("pull", name)
        assert digest_in(pulled) == digest and f"Status: Downloaded newer image for {name}" in pulled
        mine, theirs = (cli.ok("inspect", "-f", "{{.Id}}", name) for cli in (clients.onggi, second))
        assert mine == theirs
        assert second.ok("run", "--rm", "--network", "none", name, "echo", "hi") == "hi"


def test_a_pull_that_is_interrupted_ends_with_the_client(clients: Clients, engine: EngineUnderTest) -> None:
    """A registry that takes the call and never answers."""
    listener = subprocess.Popen(
        ["nsenter", f"--net={engine.netns}", "python3", "-c",
         "import socket; s = socket.create_server(('127.0.0.1', 5009)); print(flush=True); c = s.accept(); "
         "print(flush=True); "
         "s.settimeout(60); [c[0].recv(65536) for _ in iter(lambda: 0, 1) if print(flush=True)]"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert listener.stdout
        listener.stdout.readline()
        pull = subprocess.Popen(
            [*COMMAND, "pull", "127.0.0.1:5009/x:1"], env=clients.environment, stderr=subprocess.PIPE
        )
        listener.stdout.readline()
        pull.send_signal(signal.SIGINT)
        assert pull.wait(10) == 130
        assert pull.stderr
        pull.stderr.close()
        wait_until(engine.answers, "the engine goes on")
    finally:
        listener.kill()
        listener.wait()
        if listener.stdout:
            listener.stdout.close()
    assert os.path.exists(engine.paths.socket)  # noqa: PTH110
