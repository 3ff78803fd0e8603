"""Dockerfiles back from images and containers, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest

pytestmark = pytest.mark.root

TEXT = """FROM busybox
ARG V=1
ENV A="one two" B=$V
LABEL x="y z"
WORKDIR /w
RUN echo "$A" > f && echo done
RUN <<EOF
echo here
echo there
EOF
USER 1000
EXPOSE 80
VOLUME /data
HEALTHCHECK --interval=5s --retries=2 CMD true || false
STOPSIGNAL SIGINT
ENTRYPOINT ["cat"]
CMD ["f", "a \\"quoted\\" word"]
"""
SCRIPT = """mkdir -p /opt/app/sub; echo x > /opt/app/sub/f; echo y > /etc/conf; rm -r /usr; mkdir -p /root
echo 'apk add thing' > /root/.ash_history; touch /tmp/noise"""


def config(cli: Cli, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cli.ok("image", "inspect", name))[0]["Config"]
    return found


def test_a_dockerfile_made_of_an_image_makes_it_again(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    (tmp_path / "Dockerfile").write_text(TEXT)
    cli.ok("build", "-q", "-t", "one:1", str(tmp_path))
    made = cli.ok("history", "--as", "dockerfile", "one:1")
    assert made.startswith("FROM busybox:latest\nARG V=1\nENV ")
    (tmp_path / "Dockerfile").write_text(made)
    cli.ok("build", "-q", "-t", "two:1", str(tmp_path))
    assert config(cli, "one:1") == config(cli, "two:1")
    assert cli("history", "--as", "yaml", "one:1").err.startswith("invalid form: yaml")


def test_a_containers_changes_become_a_draft(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    asked = ("--name", "drafted", "--network", "none", "-e", "A=b c", "-w", "/opt")
    cli.ok("run", *asked, "busybox", "sh", "-c", SCRIPT)
    draft = cli.ok("diff", "--as", "dockerfile", "drafted")
    lines = draft.splitlines()
    assert lines[1] == "FROM busybox"
    assert "#   mkdir -p rootfs/etc && onggi cp -a drafted:/etc/conf rootfs/etc/" in lines
    assert 'ENV A="b c"' in lines and "WORKDIR /opt" in lines and "#   apk add thing" in lines
    assert "rootfs/tmp" not in draft
    for line in lines:
        if line.startswith("#   mkdir"):
            _, _, folder, _, _, verb, flag, source, target = line.removeprefix("#   ").split()
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            cli.ok(verb, flag, source, str(tmp_path / target))
    (tmp_path / "Dockerfile").write_text(draft)
    cli.ok("build", "-q", "-t", "drafted:1", str(tmp_path))
    script = "cat /opt/app/sub/f /etc/conf; echo $A; pwd"
    said = cli.ok("run", "--rm", "--network", "none", "drafted:1", "sh", "-c", script)
    assert said.splitlines() == ["x", "y", "b c", "/opt"]
