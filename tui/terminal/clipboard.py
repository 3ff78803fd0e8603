"""Onto the reader's clipboard, by every way there is: the terminal's own (OSC 52), and the desktop's tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from typing import Any, Final

from textual.app import App

_TOOLS: Final = (  # which variable says that it will work
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "-ib")),
    ("TMUX", ("tmux", "load-buffer", "-w", "-")),
)
_PATIENCE: Final = 5.0  # seconds


class Gate:
    """Whether a program may write the clipboard. Its reader is asked once, and allows it for good or not at all.

    Who has not allowed it may still do so later; only the question does not come again.
    """

    def __init__(self) -> None:
        self.asking = False
        """The reader has been asked and has not answered."""
        self.wanted = ""
        """What the program wants to write, if it has not been written."""
        self._allowed = self._refused = False

    def passes(self, text: str) -> bool:
        """Whether `text` may be written now; if not, it is wanted from here on."""
        if not self._allowed:
            self.wanted = text
            self.asking = not self._refused
        return self._allowed

    def allow(self) -> str:
        """Let everything pass from now on; what has been wanted, "" for nothing."""
        wanted, self.wanted = self.wanted, ""
        self._allowed, self.asking = True, False
        return wanted

    def refuse(self) -> None:
        """The reader went on without allowing it."""
        self._refused = self._refused or self.asking
        self.asking = False


def copy(app: App[Any], text: str) -> None:
    """Put `text` on the clipboard. A terminal that knows no OSC 52 ignores it, so the tools are asked too."""
    app.copy_to_clipboard(text)
    tool = native(os.environ)
    if tool is not None and not app.is_headless:
        threading.Thread(target=_run, args=(tool, text.encode("utf-8", "replace")), daemon=True).start()


def native(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """The command that takes a clipboard's text on its standard input, if the machine has one."""
    for variable, argv in _TOOLS:
        if environment.get(variable) and shutil.which(argv[0], path=environment.get("PATH")):
            return argv
    return None


def _run(argv: tuple[str, ...], text: bytes) -> None:
    try:
        subprocess.run(
            argv, input=text, check=False, timeout=_PATIENCE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return
