"""Bases of builds that only a registry has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest
from tests.support.registry import PASSWORD, USER, available, running_registry

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="docker-registry is not installed")]


@pytest.mark.parametrize("private", [False, True])
def test_a_base_is_pulled_with_the_users_credentials(
    cli: Cli, engine: EngineUnderTest, tmp_path: Path, private: bool
) -> None:
    with running_registry(htpasswd=private, netns=engine.netns) as registry:
        name = f"{registry.address}/bases/box:1"
        cli.environment["DOCKER_CONFIG"] = str(tmp_path)
        if private:
            word = PASSWORD.encode()
            cli.ok("login", "-u", USER, "--password-stdin", registry.address, stdin=word)
        cli.ok("tag", "busybox:latest", name)
        cli.ok("push", name)
        cli.ok("rmi", name)
        text = f"FROM {name} AS base\nFROM base\nRUN echo from a registry\n".encode()
        done = cli("build", "--no-cache", "-", stdin=text)
        assert done.code == 0, done
        assert "from a registry" in done.err
        cli.ok("rmi", name)
        if private:
            cli.ok("logout", registry.address)
            refused = cli("build", "--no-cache", "-", stdin=text)
            assert refused.code == 1
            assert "no basic auth credentials" in refused.err
