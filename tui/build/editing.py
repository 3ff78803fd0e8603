"""Edit the Dockerfile in the user's editor and build again; copy things of a build."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING, Final

from textual.app import SuspendNotSupported

from core.client.builds import source
from tui.build.paint import title
from tui.paint import join
from tui.safe import safe
from tui.screens.menu import Item, Menu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.build.builder import Builder
    from tui.build.screen import BuildScreen

_DEFAULT: Final = "vi"
_AT_LINE: Final = frozenset(("vi", "vim", "nvim", "vim.tiny", "view", "nano", "emacs", "micro", "joe", "kak", "ne"))
"""Editors that take +LINE in front of a file."""


def editor(path: str, line: int) -> list[str]:
    """The user's editor on a file, at a line where that is known and it can be told."""
    try:
        words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or _DEFAULT) or [_DEFAULT]
    except ValueError:
        words = [_DEFAULT]
    at_line = [f"+{line}"] if line > 0 and words[0].rpartition("/")[2] in _AT_LINE else []
    return [*words, *at_line, path]


def edit(builder: Builder, view: BuildScreen) -> None:
    """Give the terminal to the editor; when it ends and the file is another one, build again."""
    build, step = view.build, view.build.failed or view.chosen
    if build.wish is None:
        view.say("The Dockerfile of this build is not here.")
        return
    path = build.wish.path
    words = editor(path, step.told.line if step is not None else 0)
    try:
        before = source(path)
        _run(view, words)
        after = source(path)
    except SuspendNotSupported:
        view.say("This terminal cannot be given to an editor.")
        return
    except OSError as error:
        view.say_error(f"edit {error.filename or path}: {(error.strerror or str(error)).lower()}")
        return
    if before == after:
        again = view.onggi.keymap.shown("build_again")
        view.tell(
            join(("The Dockerfile is as it was; ", "$muted"), (again, "bold $accent"), (" builds again.", "$muted"))
        )
    elif build.live:
        view.say("This build goes on with the Dockerfile as it was; r builds with the new one when it is over.")
    else:
        builder.again(build)


def _run(view: BuildScreen, words: Sequence[str]) -> None:
    """The editor has the terminal, so nothing here may be drawn until it ends: the loop stands still."""
    with view.app.suspend():
        subprocess.run(words, check=False)


def copy(view: BuildScreen) -> None:
    """A menu of what can be copied."""
    build, step = view.build, view.chosen
    items = [Item("c", "command", build.command), Item("i", "image", build.image)]
    if step is not None:
        said = "\n".join(line.data.decode("utf-8", "replace") for line in step.lines.since(step.lines.first))
        items += [Item("s", "step", title(step)), Item("o", "its output", said)]
    items.append(Item("e", "error", build.error))

    def copied(value: str | None) -> None:
        if value:
            view.app.copy_to_clipboard(value)
            view.tell(join(("copied ", "$muted"), safe(value)))

    view.app.push_screen(Menu("Copy", build.title, [item for item in items if item.value]), copied)
