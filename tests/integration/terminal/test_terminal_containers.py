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
RESIZED = ("vim", "less", "htop", "nano", "mc", "top")


@pytest.fixture(scope="module")
def both(engine: EngineUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("box")
    home = folder / "home"
    home.mkdir()
    programs.fill(home)
    start_box(engine, home)
    with pair(engine, folder) as found:
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
            both.resize(100, 30)
            both.same("smaller")
    both.type(keys[-1])  # the last one ends it
