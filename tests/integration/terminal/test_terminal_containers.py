"""The programs in a real container, through engine, keeper and app: what the pane shows is what tmux shows."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator

import pytest

from tests.integration.conftest import EngineUnderTest
from tests.support import terminal_programs as programs
from tests.support.terminal_box import Pair, pair, start_box

pytestmark = [
    pytest.mark.root,
    pytest.mark.tmux,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]
SIZE = (120, 40)
SMALLER = (100, 30)
RESIZED = ("vim", "less", "htop", "nano", "mc", "top")


@pytest.fixture(scope="module")
def both(engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("box")
    home = folder / "home"
    home.mkdir()
    programs.fill(home)
    start_box(engine, home)
    with pair(engine, folder) as found:
        found.resize(*SMALLER)  # so that both sizes are known
        found.resize(*SIZE)
        yield found


@pytest.mark.parametrize("name", [name for name in programs.PROGRAMS if name != "margins"])
def test_a_program_in_a_container_looks_as_in_tmux(both: Pair, name: str) -> None:
    argv, keys = programs.PROGRAMS[name]
    if shutil.which(argv[0]) is None:
        pytest.skip(f"{argv[0]} is not installed")
    if both.whole != SIZE:
        both.resize(*SIZE)
    both.clear()
    both.step(shlex.join(argv).encode() + b"\r", "start")
    for number, key in enumerate(keys[:-1]):
        both.step(key, f"key {number}, {key!r}")
        if number == 1:
            both.leave()
            both.back()
            both.same("attached again")
        if number == 2 and name in RESIZED:
            both.resize(*SMALLER)
            both.same("smaller")
    both.type(keys[-1])  # the last one ends it


def test_zoom_gives_the_program_the_whole_terminal_and_takes_it_back(both: Pair) -> None:
    """Everything that a program can leave behind is undone: modes, keys, buffer, margins, colours, title."""
    if both.whole != SIZE:
        both.resize(*SIZE)
    both.clear()
    app = both.app
    app.press("C-p", "C-q")
    app.see("enter open")
    title = app.ask("pane_title")
    app.press("z")
    app.miss("Containers")
    app.see(r"(?m)^\$")  # what it showed is there, and nothing of ours
    both.await_size(*SIZE)
    app.write("tput cols; tput lines; vim -u NONE -i NONE -n -c 'set mouse=a ruler' code.py")
    app.press("Enter")
    app.see(r"1,1 +Top")
    assert (app.ask("alternate_on"), app.ask("mouse_any_flag")) == ("1", "1")
    app.resize(90, 28)
    both.await_size(90, 28)
    app.write(":set laststatus=2 statusline=%{&columns}by%{&lines}")
    app.press("Enter")
    app.see(r"90by28")
    app.write(":q!")
    app.press("Enter")
    app.see(r"(?s)120\n40\n")
    assert (app.ask("alternate_on"), app.ask("mouse_any_flag")) == ("0", "0")
    app.write(r"printf '\033[?1000h\033[?1006h\033[?1h\033=\033[2;5r\033[4h\033[?25l\033[41m\033(0\033]2;mine\007'")
    app.write(r"; printf '\033[?1049h\033]4;1;#00ff00\007\033]0;cut off'; sleep 60")
    app.press("Enter")
    app.miss("tput")
    app.press("C-p", "C-q")  # in the middle of a string, in the other buffer
    app.see("enter open")
    assert app.ask("pane_title") == title
    assert app.ask("mouse_any_flag") == "1"  # the app's own
    assert app.ask("cursor_flag") == "0"
    app.resize(*SIZE)
    app.see(r"(?s)╭─.*Containers.*╰─.*Images")
    both.back()
    both.find()
    both.clear()


def test_zoom_takes_the_shell_that_is_shown(both: Pair) -> None:
    app = both.app
    app.press("C-p", "C-q")
    app.see("enter open")
    app.press("E")
    app.see("the keyboard is in the container")
    app.write("echo sh''ell-here")
    app.press("Enter")
    app.see("shell-here")
    app.press("C-p", "C-q")
    app.see("enter open")
    app.press("z")
    app.miss("Containers")
    app.see("shell-here")
    app.write("exit 3")
    app.press("Enter")
    app.see("ended with exit code 3")
    both.back()


def test_a_container_that_is_killed_in_the_zoom_gives_the_app_back(both: Pair, engine: EngineUnderTest) -> None:
    app = both.app
    app.press("C-p", "C-q")
    app.see("enter open")
    app.press("z")
    app.miss("Containers")
    app.write(r"printf '\033[?1049h\033[?2004h'; while :; do echo flood; done")
    app.press("Enter")
    app.see("(flood\n)+")
    engine.client.post("/containers/box/kill", {"signal": "KILL"})
    app.see(r"box: ended with exit code 137")
    app.see(r"(?s)╭─.*Containers.*╰─")
    app.press("q")
    app.see("ended 0")
    assert app.ask("mouse_any_flag") == "0"
    assert app.ask("cursor_flag") == "1"
