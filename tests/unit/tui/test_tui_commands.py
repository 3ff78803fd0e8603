from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import commands
from tui.commands import BadCommand


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_shown_command_is_what_a_shell_would_read(names: list[str]) -> None:
    assert shlex.split(commands.of("stop", names)) == ["onggi", "stop", *names]


@pytest.mark.parametrize("text", ["docker run -it busybox", "onggi run -it busybox", "run -it busybox"])
def test_docker_spelling_is_accepted(text: str) -> None:
    assert commands.parse(text).argv == ("run", "-it", "busybox")


@pytest.mark.parametrize(
    ("text", "interactive"),
    [
        ("run -it busybox", True),
        ("run -i -t --rm busybox sh", True),
        ("run -dit busybox", False),
        ("run busybox echo -t", False),
        ("exec -it web sh", True),
        ("exec web ls", False),
        ("attach web", True),
        ("start -ai web", True),
        ("start web", False),
        ("ps -a", False),
    ],
)
def test_what_wants_a_terminal(text: str, interactive: bool) -> None:
    assert commands.parse(text).interactive is interactive


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "type a command"),
        ("docker", "type a command"),
        ("'", "no closing quotation"),
        ("psx", "did you mean ps"),
        ("rm -rf /; reboot && x", None),
    ],
)
def test_slips_are_explained(text: str, says: str | None) -> None:
    if says is None:  # shell syntax is only words: nothing here reaches a shell
        assert commands.parse(text).argv == ("rm", "-rf", "/;", "reboot", "&&", "x")
        return
    with pytest.raises(BadCommand, match=says):
        commands.parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("create -name web img", "--name"),
        ("create -i it --name x img", "-it"),
        ("run -d busybox sh", "add -it"),
        ("run -d img /bin/bash", "add -it"),
        ("run -dit busybox sh", ""),
        ("run -d nginx", ""),
        ("'", ""),
    ],
)
def test_hints_for_the_usual_slips(text: str, says: str) -> None:
    assert says in commands.hint(text)
    assert bool(commands.hint(text)) is bool(says)


def test_what_is_typed_is_a_command_or_a_search() -> None:
    assert commands.is_command("run -it busybox")
    assert commands.is_command("docker ps")
    assert not commands.is_command("web")
    assert not commands.is_command("stop")


def test_tabs_have_their_command() -> None:
    assert commands.of_tab("containers", "Logs", "a b") == "onggi logs -f 'a b'"
    assert commands.of_tab("volumes", "Config", "v") == "onggi volume inspect v"
    assert commands.of_tab("containers", "Terminal", "web") == ""
    assert commands.of_tab("volumes", "Used by", "a b") == "onggi ps -a --filter 'volume=a b'"
    assert commands.of_tab("images", "Used by", "nginx:1.27") == "onggi ps -a --filter ancestor=nginx:1.27"
