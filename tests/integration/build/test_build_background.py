"""Builds in the background, and the history of builds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest, wait_until

pytestmark = pytest.mark.root


def test_a_build_goes_on_alone_and_is_looked_at_afterwards(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo said; sleep 0.5\nRUN false\n")
    ident = cli.ok("build", "--no-cache", "-d", "-t", "back:1", str(tmp_path))
    followed = cli("builder", "logs", "-f", ident[:8])
    assert followed.code == 1
    assert "said" in followed.out and "returned a non-zero code: 1" in followed.out
    assert "   3 | >>> RUN false" in followed.out
    row = cli.ok("builder", "history").splitlines()[1]
    assert row.startswith(ident[:12]) and "back:1" in row and "failed" in row and "2/3" in row
    assert cli.ok("builder", "history", "-q").splitlines()[0] == ident[:12]
    build = json.loads(cli.ok("builder", "inspect", ident))
    assert [step["State"] for step in build["Steps"]] == ["done", "done", "failed"]
    assert build["Steps"][2]["ExitCode"] == 1 and build["Place"] == str(tmp_path)
    assert cli.ok("builder", "inspect", "--format", "{{.Outcome}}") == "failed"
    assert cli.ok("builder", "rm", ident[:12]) == ident[:12]
    assert cli("builder", "inspect", ident).err.strip().endswith(f"No such build: {ident}")


def test_a_build_in_the_background_can_be_cancelled(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 1000\n")
    ident = cli.ok("build", "--no-cache", "-d", str(tmp_path))
    wait_until(lambda: "begun" in cli.ok("builder", "logs", ident), "the program begins")
    assert "is running: cancel it first" in cli("builder", "rm", ident).err
    cli.ok("builder", "cancel", ident)
    wait_until(lambda: cli.ok("builder", "inspect", "--format", "{{.Outcome}}", ident) == "cancelled", "it ends")
    assert "is not running" in cli("builder", "cancel", ident).err
    cli.ok("builder", "rm", "--all")
    assert cli.ok("builder", "history", "-q") == ""


def test_a_build_that_somebody_else_cancels_tells_its_client(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo begun; sleep 1000\n")
    process = cli.open("build", "--no-cache", str(tmp_path))
    wait_until(lambda: "begun" in cli("builder", "logs").out, "the program begins")
    cli.ok("builder", "cancel", cli.ok("builder", "history", "-q").splitlines()[0])
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1 and b"the build was cancelled" in said


def test_the_cache_is_told_as_docker_does(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox\nRUN --mount=type=cache,target=/c,id=mine head -c 5000 /dev/zero | tee /c/f > /x\n"
    )
    cli.ok("build", "-q", "-t", "du:1", str(tmp_path))
    items = {item["Description"]: item for item in engine.client.get("/system/df")["BuildCache"]}
    mount = items["cache mount mine"]
    assert (mount["Type"], mount["Size"], mount["InUse"]) == ("exec.cachemount", 5000, False)
    step = next(item for text, item in items.items() if text.startswith("RUN --mount"))
    assert (step["Type"], step["Size"], step["InUse"]) == ("regular", 5000, True)
    assert "Build Cache" in cli.ok("system", "df")
    plan = cli.ok("builder", "prune", "--dry-run", "--filter", "type=exec.cachemount")
    assert "cache mount mine" in plan and "RUN" not in plan
    answer = engine.client.post("/build/prune", {"filters": {"type": ["exec.cachemount"]}})
    assert answer["CachesDeleted"] == [mount["ID"]] and answer["SpaceReclaimed"] == 5000
    assert not list((engine.paths.root / "build-cache").iterdir())
    assert "invalid filter 'nosuch'" in cli("builder", "prune", "-f", "--filter", "nosuch=1").err
    everything = cli.ok("builder", "prune", "-a", "-f")
    assert "Total reclaimed space: 0B" in everything  # the image has the layer
