"""A shell in the file system of a step: the one that failed as it fell, and those before it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest

pytestmark = pytest.mark.root

FILE = """FROM busybox
ARG WHAT=this
ENV A=b
WORKDIR /work
RUN echo one > one
USER 1000
RUN cat one > /tmp/half; exit 3
"""


def test_a_failed_step_can_be_entered_as_it_fell(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    (tmp_path / "Dockerfile").write_text(FILE)
    failed = cli("build", str(tmp_path))
    assert failed.code == 1
    (said,) = [line for line in failed.err.splitlines() if "builder shell" in line]
    ident = said.split()[-1]
    shown = cli.ok("builder", "shell", ident, "sh", "-c", "pwd; id -u; echo $A $WHAT; cat /tmp/half")
    assert shown.split("\n") == ["/work", "1000", "b this", "one"]
    before = cli("builder", "shell", "--step", "4", ident, "sh", "-c", "ls /work; ls /tmp")
    assert (before.code, before.out) == (0, "")
    again = json.loads(cli.ok("builder", "inspect", ident))
    assert again["Steps"][6]["State"] == "failed"
    images = cli.ok("images", "-q", "--filter", "label=io.onggi.build.step").splitlines()
    tops = {cli.ok("history", "--format", "{{.CreatedBy}}", image).splitlines()[0] for image in images}
    assert len(images) == 2 and "a step that failed" in tops
    missing = cli("builder", "shell", "--step", "9", ident, "true")
    assert missing.code == 1 and "the file system of step 9 of build" in missing.err


def test_of_a_build_that_went_well_the_last_step_is_entered(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo one > /one\nRUN echo two > /two\n")
    cli.ok("build", str(tmp_path))
    ident = cli.ok("builder", "history", "-q").splitlines()[0]
    assert cli.ok("builder", "shell", ident, "cat", "/one", "/two") == "one\ntwo"
    assert cli("builder", "shell", "--step", "2", ident, "cat", "/two").code == 1


def test_nothing_of_it_outlives_the_engine(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo x > /half; false\n")
    assert cli("build", str(tmp_path)).code == 1
    ident = cli.ok("builder", "history", "-q").splitlines()[0]
    cli.ok("builder", "shell", ident, "true")
    (image,) = cli.ok("images", "-q", "--filter", "label=io.onggi.build.step").splitlines()[:1]
    engine.stop()
    engine.start()
    assert image not in cli.ok("images", "-q", "-a").splitlines()
    assert "is not here any more" in cli("builder", "shell", ident, "true").err
