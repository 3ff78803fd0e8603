"""What all dialogs share: a framed box over a dimmed screen, full screen when narrow."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import Worker

from tui.paint import EMPTY, Part, join
from tui.widgets.frame import Framed, Titles

Answer = TypeVar("Answer")


def clickable(key: str, *parts: Part) -> Content:
    """Parts that a click presses `key` on; for a widget with `auto_links` off, or they are underlined."""
    return join(*parts).stylize(Style.from_meta({"@click": f"screen.type({key!r})"}))


class Words(Static):
    """Finished lines; what a click does in them is not underlined, for a key stands there already."""

    auto_links = False


class DialogBox(Framed, Vertical):
    """The box; its titles come from the dialog."""

    DEFAULT_CSS = """
    DialogBox { width: 104; max-width: 100%; height: auto; max-height: 100%; background: $raised; padding: 1 2; }
    DialogBox, DialogBox:focus-within { border: round $focus; }
    """

    def __init__(self, dialog: Dialog[object], *parts: Widget) -> None:
        super().__init__(*parts, id="box")
        self.dialog = dialog

    @property
    def holds_focus(self) -> bool:
        return True

    def titles(self, focused: bool) -> Titles:
        return self.dialog.box_titles()


class Dialog(ModalScreen[Answer]):
    """A modal that Escape leaves. Its content comes from `parts`."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $bg 62%; }
    .-narrow DialogBox { width: 100%; height: 100%; }
    """

    WIDTH = 104

    def __init__(self) -> None:
        super().__init__()
        self._early: list[events.Key] = []

    def parts(self) -> list[Widget]:
        """The widgets inside the box, from top to bottom."""
        return []

    def box_titles(self) -> Titles:
        """The titles of the box."""
        return Titles(self.heading(), EMPTY)

    def heading(self) -> Content:
        """The top left title."""
        return EMPTY

    def compose(self) -> ComposeResult:
        box = DialogBox(self, *self.parts())  # type: ignore[arg-type]  # its answer's type does not matter here
        box.styles.width = self.WIDTH
        yield box

    @property
    def box(self) -> DialogBox:
        return self.query_one(DialogBox)

    def on_resize(self, event: events.Resize) -> None:
        narrow = event.size.width < 100
        self.set_class(narrow, "-narrow")
        self.box.styles.width = "100%" if narrow and event.size.width < self.WIDTH + 4 else self.WIDTH

    def only_work(self, doing: Callable[[], Coroutine[Any, Any, None]], group: str) -> Worker[None]:
        """Do something in a worker, and end what the group did before."""
        return self.run_worker(doing, group=group, exclusive=True, exit_on_error=False)

    def take(self, event: events.Key) -> None:
        """A key that was typed for this dialog before it was there."""
        self._early.append(event)
        if len(self._early) == 1:
            self._give_early()

    def _give_early(self) -> None:
        ready = self.is_mounted and (self.focused is not None or not self.focus_chain)
        if not ready and self in self.app.screen_stack:
            self.app.set_timer(0.02, self._give_early)
            return
        early, self._early = self._early, []
        for event in early:
            (self.focused or self).post_message(event)

    def on_key(self, event: events.Key) -> None:
        if self in self.app.screen_stack:
            self.pressed(event)
        else:  # typed before it had gone: meant for what lies below
            event.stop()
            self.app.post_message(events.Key(event.key, event.character))

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close it, once: Textual would pop whatever lies below, and at the bottom end the app."""
        return super().dismiss(result) if self in self.app.screen_stack else AwaitComplete()

    def pressed(self, event: events.Key) -> None:
        """What a key does. Textual runs the `on_key` of every base class, so dialogs override this instead."""
        if event.key == "escape":
            event.stop()
            self.leave()

    def action_type(self, key: str) -> None:
        """What a click on a key does: as if it were pressed."""
        self.pressed(events.Key(key, key if len(key) == 1 else None))

    def leave(self) -> None:
        """Give up; the answer is None."""
        self.dismiss(None)
