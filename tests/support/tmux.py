"""A real terminal for tests: a program in a tmux session of its own server, keys in, screen out."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 60.0  # seconds for what takes a fraction of one on a machine that has time


class Terminal:
    """One session. Every wait ends with the screen in the error."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    def _tmux(self, *words: str) -> str:
        return subprocess.run(
            ["tmux", "-S", str(self._socket), *words], capture_output=True, text=True, check=True
        ).stdout

    def press(self, *keys: str) -> None:
        """Keys by tmux's names: `Enter`, `C-p`, `Escape`, `a`."""
        self._tmux("send-keys", *keys)

    def write(self, text: str) -> None:
        """Text as it is."""
        self._tmux("send-keys", "-l", text)

    def screen(self) -> str:
        """What is on the screen now, without colours."""
        return self._tmux("capture-pane", "-p")

    def look(self) -> tuple[str, tuple[int, int, bool]]:
        """What is on the screen now, with its colours as SGR and all blanks; and the cursor: column, row, shown."""
        form = "#{cursor_x} #{cursor_y} #{cursor_flag}"
        text = self._tmux("display-message", "-p", form, ";", "capture-pane", "-p", "-e", "-N")
        cursor, _, shown = text.partition("\n")
        x, y, on = cursor.split()
        return shown, (int(x), int(y), on == "1")

    def ask(self, what: str) -> str:
        """The value of one of tmux's formats, without the braces: `cursor_x`, `alternate_on`."""
        return self._tmux("display-message", "-p", f"#{{{what}}}").strip()

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        columns, lines = self._tmux("display-message", "-p", "#{pane_width} #{pane_height}").split()
        return int(columns), int(lines)

    def press_and_watch(self, *keys: str) -> None:
        """Keys, and wait until they have changed something on the screen, if only a colour."""
        before = self._tmux("capture-pane", "-p", "-e")
        self.press(*keys)
        deadline = time.monotonic() + PATIENCE
        while self._tmux("capture-pane", "-p", "-e") == before:
            if time.monotonic() > deadline:
                raise AssertionError(f"{keys} changed nothing on:\n{self.screen()}")
            time.sleep(0.03)

    def see(self, pattern: str) -> str:
        """Wait until the regular expression `pattern` is on the screen; the screen."""
        return self._wait(pattern, True)

    def miss(self, pattern: str) -> str:
        """Wait until `pattern` is no longer on the screen; the screen."""
        return self._wait(pattern, False)

    def _wait(self, pattern: str, wanted: bool) -> str:
        deadline = time.monotonic() + PATIENCE
        expression = re.compile(pattern)
        while True:
            screen = self.screen()
            if bool(expression.search(screen)) is wanted:
                return screen
            if time.monotonic() > deadline:
                verb = "appear" if wanted else "vanish"
                raise AssertionError(f"{pattern!r} did not {verb} on:\n{screen}")
            time.sleep(0.03)

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size, in cells."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))


@contextmanager
def terminal(
    folder: Path, command: str, environment: Mapping[str, str], *, width: int, height: int
) -> Iterator[Terminal]:
    """`command` (for sh) in a terminal of this size; the session stays when the command ends."""
    socket = folder / "tmux"
    start = ["tmux", "-S", str(socket), "-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height)]
    kept = {
        **environment,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
    subprocess.run([*start, f"{command}; echo; echo ended $?; exec sleep 1000"], env=kept, check=True)
    try:
        yield Terminal(socket)
    finally:
        subprocess.run(["tmux", "-S", str(socket), "kill-server"], check=False)
