"""A registry of one's own, as a container of the engine that uses it: push, remove, pull, run; and it survives."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.registry import available, registry_root

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="needs docker-registry")]

HERE = "127.0.0.1:5000"


@pytest.fixture
def cli(engine: EngineUnderTest) -> Iterator[Cli]:
    yield Cli(engine.environment)
    engine.remove_all()


def test_a_private_registry(cli: Cli, engine: EngineUnderTest) -> None:
    with registry_root() as archive:
        cli.ok(
            "import", "-c", 'ENTRYPOINT ["/usr/bin/docker-registry"]', "-c", 'CMD ["serve", "/etc/registry.yml"]',
            "-c", "EXPOSE 5000", "-c", "VOLUME /var/lib/registry", str(archive), "registry",
        )  # fmt: skip
    cli.ok("run", "-d", "--name", "myregistry", "-p", "5000:5000", "--restart=always", "registry")
    name = f"{HERE}/me/app:0.0"
    cli.ok("tag", "busybox", name)
    wait_until(lambda: cli("push", name).code == 0, "the registry answers")
    pushed = cli.ok("push", name).splitlines()[-1]
    assert pushed.startswith("0.0: digest: sha256:")
    digest = pushed.split()[2]
    ident = cli.ok("inspect", "-f", "{{.Id}}", name)

    cli.ok("rmi", "-f", ident)
    assert cli("inspect", name).code == 1
    pulled = cli.ok("pull", name)
    assert f"Digest: {digest}\n" in pulled and f"Status: Downloaded newer image for {name}" in pulled
    assert cli.ok("inspect", "-f", "{{.Id}}", name) == ident
    assert cli.ok("run", "--rm", name, "echo", "hi") == "hi"
    assert cli.ok("push", name).splitlines()[-1] == pushed

    # kill -9 from outside: the policy brings it back, with all it holds
    before = int(cli.ok("inspect", "-f", "{{.State.Pid}}", "myregistry"))
    killed = time.monotonic()
    os.kill(before, signal.SIGKILL)
    wait_until(
        lambda: int(cli.ok("inspect", "-f", "{{.State.Pid}}", "myregistry")) not in (0, before), "it is back"
    )
    assert time.monotonic() - killed < 5
    cli.ok("rmi", name)
    wait_until(lambda: cli("pull", name).code == 0, "the registry answers again")
    assert cli.ok("inspect", "-f", "{{.Id}}", name) == ident

    # and over a restart of the engine
    engine.stop()
    engine.start()
    wait_until(lambda: cli("pull", name).code == 0, "the registry answers the next engine")
    assert cli.ok("inspect", "-f", "{{.State.Status}}", "myregistry") == "running"
