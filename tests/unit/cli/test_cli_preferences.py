"""What the configuration of Docker's clients prefers, and what a flag says against it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import preferences
from core.cli.verb import attach, ps


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a user of their own."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def test_there_need_be_no_file(config: Path) -> None:
    assert preferences.preferred("psFormat") == ""


@pytest.mark.parametrize(
    ("argv", "chosen"),
    [
        ([], "{{.Names}}"),
        (["--format", "{{.ID}}"], "{{.ID}}"),
        (["-q"], ""),  # a list of ids stays one
        (["-q", "--format", "{{.ID}}"], "{{.ID}}"),
    ],
)
def test_a_flag_goes_before_the_file(config: Path, argv: list[str], chosen: str) -> None:
    config.write_text(json.dumps({"psFormat": "{{.Names}}"}))
    given = ps.PS.parse("ps", argv)
    assert given is not None
    assert preferences.template(given, "ps") == chosen


def test_detach_keys_are_taken_from_the_file(config: Path) -> None:
    config.write_text(json.dumps({"detachKeys": "ctrl-x,x"}))
    asked, silent = (
        attach.ATTACH.parse("attach", ["--detach-keys", "ctrl-e", "web"]),
        attach.ATTACH.parse("attach", ["web"]),
    )
    assert asked is not None
    assert silent is not None
    assert preferences.detach_keys(asked) == "ctrl-e"
    assert preferences.detach_keys(silent) == "ctrl-x,x"


@pytest.mark.parametrize("text", ["{", "[]", '{"psFormat": 5}', "\udcff"])
def test_a_file_that_says_nothing_useful_is_not_in_the_way(
    config: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_bytes(text.encode(errors="surrogateescape"))
    assert preferences.preferred("psFormat") == ""
    warned = capsys.readouterr().err
    assert not warned or warned.startswith(f"WARNING: Error loading config file: {config}: ")
