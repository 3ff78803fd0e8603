"""The programs of this machine, run now, against tmux on the same bytes."""

import shutil

import pytest

from tests.support import terminal_programs as programs

pytestmark = [
    pytest.mark.tmux,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


@pytest.mark.parametrize("name", list(programs.PROGRAMS))
def test_looks_as_in_tmux(name: str) -> None:
    program = programs.PROGRAMS[name][0][0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    assert programs.wrong(name, programs.run(name, 80, 24, "C.UTF-8")) == []
