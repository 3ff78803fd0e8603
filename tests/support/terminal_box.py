"""A container with this machine's own programs, and two who look into it: the app's pane and tmux itself.

Both are clients of one terminal, so they get the very same bytes, and what they show can be compared cell by cell.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.conftest import EngineUnderTest
from tests.support import images
from tests.support import terminal_recording as recordings
from tests.support.tmux import Terminal, terminal
from tui.terminal.attrs import DEFAULT

ONGGI = f"{sys.executable} -I -m core.cli"
IMAGE = "programs:1"
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_CONFIGURATION = ("/etc/alternatives", "/etc/mc", "/etc/nanorc", "/etc/vim", "/etc/terminfo")
_SETTLE = 0.15  # seconds in which a key must have begun to change something, if it does
_PATIENCE = 20.0
_NAMES = {
    b"\x1b[A": "Up", b"\x1b[B": "Down", b"\x1b[C": "Right", b"\x1b[D": "Left", b"\x1bOP": "F1", b"\x1bOQ": "F2",
    b"\x1bOR": "F3", b"\x1b[18~": "F7", b"\x1b[20~": "F9", b"\x1b[21~": "F10", b"\x1b[5~": "PPage",
    b"\x1b[6~": "NPage",
}  # fmt: skip
_KEY = re.compile(rb"\x1b(?:\[[A-D]|O[PQR]|\[\d+~)|[^\x1b]+|\x1b")


def start_box(engine: EngineUnderTest, home: Path) -> str:
    """A container `box` with a shell on a terminal; the machine's programs are bound into it, read-only."""
    layer = images.layer_of(
        {"etc/passwd": b"root:x:0:0:root:/home/box:/bin/bash\n", "etc/group": b"root:x:0:\n"},
        ("tmp", "home", "home/box", "usr", "root", "proc", "sys", "dev", "var", "run", "etc"),
        {name: str(Path("/", name).readlink()) for name in _MERGED if Path("/", name).is_symlink()},
    )
    engine.client.open("POST", "/images/load", None, images.archive([layer], IMAGE, {})).read()
    prefix = sysconfig.get_config_var("base")
    bound = {
        "/usr",
        *(f"/{name}" for name in _MERGED if Path("/", name).is_dir() and not Path("/", name).is_symlink()),
    }
    bound |= {
        path for path in (*_CONFIGURATION, *([] if prefix.startswith("/usr") else [prefix])) if Path(path).exists()
    }
    environment = ["TERM=xterm-256color", "COLORTERM=truecolor", "LC_ALL=C.UTF-8", "HOME=/home/box",
                   "SHELL=/bin/bash", f"PATH=/usr/bin:/bin:/usr/sbin:{prefix}/bin", "PS1=$ "]  # fmt: skip
    return engine.run(
        "bash", "--norc", "--noprofile", name="box", Image=IMAGE, Tty=True, OpenStdin=True, Hostname="box",
        Env=environment, WorkingDir="/home/box",
        host={"Binds": [*(f"{path}:{path}:ro" for path in sorted(bound)), f"{home}:/home/box"]},
    )  # fmt: skip


@dataclass
class Pair:
    """The app with the box's terminal in its pane, and tmux with the same terminal, of the same size."""

    app: Terminal
    tmux: Terminal
    corner: tuple[int, int]
    shell: int  # its process, as the host numbers it
    ground: tuple[int, int] = (0, 0)  # the pane's colours of text and of what lies behind
    whole: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    sizes: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)  # by the whole terminal's

    def type(self, *pieces: bytes) -> None:
        """Type into the app as a person: keys by their names, so that the outer terminal spells them."""
        for token in _KEY.findall(b"".join(pieces)):
            if token in _NAMES:
                self.app.press(_NAMES[token])
            else:
                self.app.press("-H", *(f"{byte:x}" for byte in token))

    def wrong(self) -> list[str]:
        """Where the two differ now. The last column is left out: with a wrap pending, EL erases it, not in tmux."""
        columns, lines = self.size
        x, y = self.corner
        (mine, at), (other, there) = self.app.look(), self.tmux.look()
        whole = recordings.parsed(mine, *self.whole)[y : y + lines]
        ours = [_plain(row[x : x + columns], self.ground) for row in whole]
        out = [
            f"row {y}, column {x}: {one}, tmux {two}"
            for y, x, one, two in recordings.differences(ours, recordings.parsed(other, columns, lines))
            if x < columns - 1
        ]
        inside = at[0] - x, at[1] - y, at[2]
        if there[2] and there[0] < columns and inside != there:
            out.append(f"cursor {inside}, tmux {there}")
        return out

    def same(self, why: str) -> None:
        """Wait until both show the same, and still do a moment later."""
        end, good = time.monotonic() + _PATIENCE, 0
        while good < 2:
            wrong = self.wrong()
            good = 0 if wrong else good + 1
            if wrong and time.monotonic() > end:
                shown = f"{self.app.screen()}\n--- tmux:\n{self.tmux.screen()}"
                raise AssertionError("\n".join([f"{why}: the pane differs from tmux", *wrong[:10], shown]))
            time.sleep(0.02)

    def step(self, key: bytes, why: str) -> None:
        """Type, and see that both come to show the same."""
        before = self.tmux.look()
        self.type(key)
        calm = time.monotonic() + _SETTLE
        while self.tmux.look() == before and time.monotonic() < calm:
            time.sleep(0.01)
        self.same(why)

    def find(self) -> None:
        """Where the pane is and how large: its border tells, once it stands in its corner."""
        end = time.monotonic() + _PATIENCE
        while True:
            width, height = self.app.size()
            line = self.app.screen().splitlines()[height - 3]
            size = re.search(r"([1-9]\d*)×([1-9]\d*) · shift\+pgup (?:looks back|↑) ─╯$", line)
            if size and len(line) == width:
                break
            assert time.monotonic() < end, self.app.screen()
            time.sleep(0.03)
        columns, lines = int(size[1]), int(size[2])
        self.tmux.resize(columns, lines)
        self.whole, self.size = (width, height), (columns, lines)
        self.sizes[self.whole] = self.size
        self.corner = width - 1 - columns, height - 3 - lines

    def resize(self, width: int, height: int) -> None:
        """Give the app's terminal another size, and tmux that of the pane.

        tmux first, where the size is known already, so that the program paints with it there; the app then leaves
        and comes back, which brings it what it has missed.
        """
        if known := self.sizes.get((width, height)):
            self.tmux.resize(*known)
            time.sleep(_SETTLE)
        self.app.resize(width, height)
        self.find()
        self.leave()
        self.back()

    def await_size(self, columns: int, lines: int) -> None:
        """Wait until the terminal in the container has this size: the engine is told it beside the keys."""
        tty, end = os.open(f"/proc/{self.shell}/fd/0", os.O_RDONLY | os.O_NOCTTY), time.monotonic() + _PATIENCE
        try:
            while os.get_terminal_size(tty) != (columns, lines):
                assert time.monotonic() < end, f"{os.get_terminal_size(tty)} is not {columns}x{lines}"
                time.sleep(0.01)
        finally:
            os.close(tty)

    def clear(self) -> None:
        """Bring the shell to its prompt. What it runs has a moment to end: a key for it may be on its way."""
        running, end = Path(f"/proc/{self.shell}/task/{self.shell}/children"), time.monotonic() + 2
        while running.read_text().split() and time.monotonic() < end:
            time.sleep(0.02)
        for child in running.read_text().split():
            os.kill(int(child), signal.SIGKILL)
        self.type(b"\x15tput reset\r")
        self.step(b"\r", "at the prompt")

    def leave(self) -> None:
        """Detach."""
        self.app.press("C-p")
        self.app.press("C-q")
        self.app.miss("the keyboard is in the container")

    def back(self) -> None:
        """Attach again."""
        self.app.press("a")
        self.app.see("the keyboard is in the container")


def _plain(row: list[recordings.Cell], ground: tuple[int, int]) -> list[recordings.Cell]:
    cells = []
    for char, (fg, bg, *rest) in row:
        key = (DEFAULT if fg == ground[0] else fg, DEFAULT if bg == ground[1] else bg, *rest)
        cells.append((char, (-1, *key[1:]) if char == " " and not key[2] else key))
    while cells and cells[-1] == (" ", recordings.BLANK):
        cells.pop()
    return cells


@contextmanager
def pair(engine: EngineUnderTest, folder: Path) -> Iterator[Pair]:
    """The app on a terminal of 120x40 attached to `box`, and tmux attached to it too."""
    environment = {key: value for key, value in engine.environment.items() if key != "ONGGI_HOST"}
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    with terminal(folder / "a", f"nsenter --net={engine.netns} {ONGGI}", environment, width=120, height=40) as app:
        app.see(r"[▸ ]● box ")
        app.press("a")
        app.see("the keyboard is in the container")
        attach = f"stty raw -echo; {ONGGI} attach --no-stdin box"
        with terminal(folder / "b", attach, engine.environment, width=80, height=20) as tmux:
            found = Pair(app, tmux, (0, 0), int(engine.state("box")["Pid"]))
            found.find()
            while "cornerhere" not in tmux.screen():  # it is told only what comes after it has attached
                found.type(rb"PS1='$ '; printf '\033[2J\033[H%s%s\n' corner here" + b"\r")
                app.see("cornerhere")
                time.sleep(0.2)
            x, y = found.corner
            char, colours = recordings.parsed(app.look()[0], *app.size())[y][x]
            assert char == "c", app.screen()
            found.ground = colours[0], colours[1]
            yield found
