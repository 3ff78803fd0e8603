"""Builds that were, and those that go on: the list of them, and how one is opened from its record."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual import events
from textual.content import Content
from textual.widget import Widget

from core.client import builds
from core.client.buildcontext import ELSEWHERE
from core.client.builds import Summary, Wish
from core.errors import EngineError
from core.model.buildrecord import BuildRecord
from tui import keymaps
from tui.build.builder import command_of
from tui.build.model import Build
from tui.build.paint import duration
from tui.glyphs import Glyphs
from tui.paint import EMPTY, ends, fit, join
from tui.safe import crop_end, crop_middle, safe, safe_plain
from tui.screens.dialog import Dialog
from tui.text import ago, count
from tui.widgets.fields import Rule, Text
from tui.widgets.frame import Titles
from tui.widgets.objectlist import ObjectList, Row

if TYPE_CHECKING:
    from tui.app import OnggiApp

_ROWS: Final = 16
_MOVES: Final = {"j": "down", "k": "up", "g": "first", "G": "last", "ctrl+d": "page_down", "ctrl+u": "page_up"}
_ARROWS: Final = {"pagedown": "page_down", "pageup": "page_up", "home": "first", "end": "last"}


def build_of(record: BuildRecord, now: float) -> Build:
    """A build of the list. What it was called with beyond its record is not known."""
    wish, inside = None, record.dockerfile not in ("", "Dockerfile")
    if record.place and record.dockerfile != ELSEWHERE:
        path = os.path.join(record.place, record.dockerfile) if inside else ""  # noqa: PTH118
        wish = Wish(folder=record.place, dockerfile=path, names=record.names, target=record.target)
    title = _name(record.names, record.place)
    shown = os.path.join(record.place, record.dockerfile) if inside and record.dockerfile != ELSEWHERE else ""  # noqa: PTH118
    build = Build(
        title, command_of(record.names, shown, record.target, record.place), now, ident=record.id, wish=wish
    )
    build.outcome = "running"
    build.source, build.dockerfile = record.source, record.dockerfile
    return build


def _name(names: Sequence[str], place: str) -> str:
    return next(iter(names), "") or Path(place).name or "a build"


class _Builds(ObjectList):
    """The rows, without a frame."""

    DEFAULT_CSS = """
    _Builds, _Builds:focus { border: none !important; background: $raised; height: 16; }
    """


class PastBuilds(Dialog[str]):
    """Answers with the id of the build that is to be opened."""

    WIDTH = 104

    def __init__(self, found: Sequence[Summary], app: OnggiApp, client: builds.Asking) -> None:
        super().__init__()
        self._found = list(found)
        self._onggi = app
        self._client = client

    def box_titles(self) -> Titles:
        live = sum(one.outcome == "running" for one in self._found)
        how = f"{live} run · " if live else ""
        right = join((f"{how}{count(len(self._found), 'build')} kept", "$muted"))
        return Titles(join(("Builds", "bold $focus")), right)

    def parts(self) -> list[Widget]:
        return [_Builds(id="past", glyphs=self._onggi.glyphs), Rule(), Text(id="about"), Text(id="keys")]

    def on_mount(self) -> None:
        rows = self._list
        rows.empty = join(
            ("None yet. ", "$muted"),
            (self._key("image_build"), "bold $accent"),
            (" builds an image from a Dockerfile.", "$muted"),
        )
        rows.styles.height = max(min(_ROWS, len(self._found), self.app.size.height - 8), 4)
        rows.focus()
        self._fill()

    def _key(self, action: str) -> str:
        return self._onggi.keymap.shown(action)

    @property
    def _list(self) -> _Builds:
        return self.query_one(_Builds)

    def _fill(self) -> None:
        now, glyphs = self._onggi.now(), self._onggi.glyphs
        self._list.set_rows([row_of(one, now, glyphs) for one in self._found])
        self._about()

    def _about(self) -> None:
        one = next((one for one in self._found if one.id == self._list.cursor_id), None)
        told = safe(one.error, style="$failed") if one is not None and one.error else EMPTY
        if one is not None and not one.error:
            told = safe(one.place or "its context came from a program", style="$muted")
        self.query_one("#about", Text).show(told)
        keys = [("enter", "look at it"), ("d", "forget it"), ("esc", "closes")]
        pieces = [join((key, "bold $accent"), (f" {verb}", "$muted")) for key, verb in keys]
        self.query_one("#keys", Text).show(join("  ").join(pieces if self._found else pieces[-1:]))

    def on_object_list_moved(self, event: ObjectList.Moved) -> None:
        event.stop()
        self._about()

    def on_object_list_opened(self, event: ObjectList.Opened) -> None:
        event.stop()
        self.dismiss(event.row_id)

    def pressed(self, event: events.Key) -> None:
        event.stop()
        key = keymaps.pressed(event)
        if key in ("escape", "q"):
            self.dismiss(None)
        elif key == "enter" and self._found:
            self.dismiss(self._list.cursor_id)
        elif key == "d" and self._found:
            self.only_work(self._forget, "forget")
        else:
            self._list.move(_MOVES.get(key) or _ARROWS.get(key) or key)

    async def _forget(self) -> None:
        ident = self._list.cursor_id
        try:
            await builds.forget(self._client, ident)
        except EngineError as error:
            self.query_one("#about", Text).show(safe(str(error), style="$failed"))
            return
        self._found = [one for one in self._found if one.id != ident]
        self._fill()
        self.box.retitle()


def row_of(one: Summary, now: float, glyphs: Glyphs) -> Row:
    """`▪ shop/api:2.5   12 steps, 4 cached   38 s   2 h ago`"""
    when = "runs now" if one.outcome == "running" else ago(now - one.started)
    told = duration(now - one.started if one.outcome == "running" else one.seconds)
    return Row(one.id, (one, when, told, glyphs.rule), _painter(one, when, told, glyphs))


def _painter(one: Summary, when: str, told: str, glyphs: Glyphs) -> Callable[[int], Content]:
    marks = {
        "running": (glyphs.restarting, "$restarting"), "done": (glyphs.exited, "$running"),
        "failed": (glyphs.failed, "$failed"), "lost": (glyphs.failed, "$failed"),
    }  # fmt: skip
    mark = marks.get(one.outcome, (glyphs.exited, "$paused"))
    cached = f", {one.cached} cached" if one.cached else ""
    steps = (
        f"{one.done} of {one.total} steps{cached}"
        if one.outcome != "done"
        else f"{count(one.total, 'step')}{cached}"
    )
    name = safe_plain(_name(one.names, one.place))

    def paint(width: int) -> Content:
        right = join((f"{told:>12}", "$muted"), (f"{when:>14} ", "$muted"))
        middle = fit(join((crop_end(steps, 28), "$muted")), 28) if width > 84 else EMPTY
        room = max(width - right.cell_length - middle.cell_length - 7, 10)
        left = join(" ", mark, " ", fit(join(crop_middle(name, room)), room), " ", middle)
        return ends(left, right, width)

    return paint
