"""`undo` as its users call it: after `rm`, `rmi` and prunes."""

from __future__ import annotations

import re

import pytest

from tests.integration.cli.cli_kit import Cli

pytestmark = pytest.mark.root


def without_age(row: str) -> list[str]:
    """The words of a row but for what grows from one command to the next."""
    return re.sub(r"\d+ seconds? ago|Less than a second ago|About a minute ago", "ago", row).split()


def test_what_rm_took_comes_back(cli: Cli) -> None:
    for name in ("pot", "jar"):
        cli.ok(
            "run", "--name", name, "--network", "none", "-v", "/data", "busybox", "sh", "-c", "echo said > /data/x"
        )
    cli.ok("rm", "-v", "pot", "jar")
    (_, row) = cli.ok("undo", "--list").splitlines()
    assert "rm pot jar" in row
    assert "containers " in row and "59 minutes" in row
    shown = cli.ok("system", "df", "-v")
    assert without_age(shown.splitlines()[-1]) == without_age(row)
    assert "Kept for undo" in cli.ok("system", "df")
    cli.ok("create", "--name", "jar", "busybox", "true")
    done = cli("undo")
    assert (done.code, done.err) == (0, "jar is another container's name by now: it is back as jar-2\n")
    restored = [line for line in done.lines if line.startswith("Restored: container ")]
    assert sorted(restored) == ["Restored: container jar-2", "Restored: container pot"]
    assert len([line for line in done.lines if line.startswith("Restored: volume ")]) == 2
    assert cli.ok("cp", "pot:/data/x", "-")
    assert cli("undo").first_error == "Error response from daemon: nothing to undo"


def test_a_prune_says_that_it_can_be_undone(cli: Cli) -> None:
    cli.ok("run", "--name", "pot", "--network", "none", "busybox", "true")
    done = cli("container", "prune", "-f")
    assert done.lines[0] == "Deleted Containers:"
    assert done.err == "onggi undo brings this back, onggi undo --forget has the space at once\n"
    assert cli.ok("undo") == "Restored: container pot"
    cli.ok("rm", "pot")
    assert cli.ok("undo", "--forget").startswith("Total reclaimed space: ")
    assert len(cli.ok("undo", "--list").splitlines()) == 1


def test_several_names_of_one_image_come_back_together(cli: Cli) -> None:
    for name in ("pot:1", "pot:2"):
        cli.ok("tag", "busybox", name)
    cli.ok("rmi", "pot:1", "pot:2")
    lines = cli.ok("undo").splitlines()
    assert lines[:2] == ["Tagged: pot:1", "Tagged: pot:2"]
    assert len(lines) == 3, "one image is restored once"
    cli.ok("rmi", "pot:1", "pot:2")
