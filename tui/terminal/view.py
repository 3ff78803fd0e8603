"""The widget: a live terminal that owns every key while it has the focus."""

from __future__ import annotations

from time import monotonic
from typing import Final

from rich.style import Style
from textual import events
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Offset, Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.safe import safe_plain
from tui.terminal import keys, mouse
from tui.terminal.driver import TerminalDriver
from tui.terminal.frames import FrameClock
from tui.terminal.grid import DECSCNM, DECTCEM
from tui.terminal.history import History
from tui.terminal.modal import DECCKM, FOCUS, PASTE, SYNCHRONIZED
from tui.terminal.modes import ModeMirror
from tui.terminal.paint import Painter
from tui.terminal.session import DETACH_KEYS, Session
from tui.terminal.source import TerminalSource

_MOST_BACKLOG: Final = 2
_BELL: Final = 0.2  # seconds between two bells
_WHEEL: Final = 3


class TerminalView(Widget, can_focus=True):
    """Shows `source` and types into it. Without a source it shows the last screen and takes no keys."""

    DEFAULT_CSS = "TerminalView { width: 1fr; height: 1fr; }"

    class About(Message):
        """Something about one view."""

        def __init__(self, view: TerminalView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> TerminalView:
            """The view, for `@on(..., "#id")`."""
            return self.view

    class Closed(About):
        """The source has ended: the program is gone, or the detach keys were typed."""

    class TitleChanged(About):
        """The program set a title; read it from `view.title`."""

    class ClipboardRequested(About):
        """The program wants `text` on the clipboard. Nothing happens unless the owner does it."""

        def __init__(self, view: TerminalView, text: str) -> None:
            super().__init__(view)
            self.text = text

    class Held(About):
        """Whether typed bytes are being held back as the possible beginning of the detach keys."""

        def __init__(self, view: TerminalView, held: bool) -> None:
            super().__init__(view)
            self.held = held

    class Resized(About):
        """The view has a new size in cells: tell the engine."""

        def __init__(self, view: TerminalView, columns: int, lines: int) -> None:
            super().__init__(view)
            self.columns = columns
            self.lines = lines

    def __init__(
        self,
        source: TerminalSource | None = None,
        *,
        detach_hint: bool = True,
        detach_keys: bytes = DETACH_KEYS,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._session = Session(self, detach_keys=detach_keys if detach_hint else b"")
        self.terminal = self._session.screen
        self.terminal.on_title = lambda _title: self._tell(self.TitleChanged(self))
        self.terminal.on_clipboard = lambda text: self._tell(self.ClipboardRequested(self, text))
        self.terminal.on_bell = self._bell
        self._first = source
        self._history = History(self.terminal)
        self._frames = FrameClock(
            self._show, lambda: SYNCHRONIZED in self.terminal.mode, lambda: self._backlog() > _MOST_BACKLOG
        )
        self._painter = Painter(Style())
        self._look: tuple[Style, bool] = (Style(), False)
        self._mirror: ModeMirror | None = None
        self._mirrored = -1
        self._last_bell = 0.0

    # -- what owners call

    def attach(self, source: TerminalSource) -> None:
        """Show `source` from now on; one that was attached before is closed."""
        self.detach()
        if self.is_mounted:
            self._session.start(source)
            self._capture(self.has_focus)
        else:
            self._first = source

    def detach(self) -> None:
        """Let go of the source and close it; what it runs goes on. The screen stays as it is."""
        self._capture(False)
        self._session.stop()

    def feed_history(self, data: bytes) -> None:
        """Replay earlier output: nothing is answered, and bell, clipboard and title stay silent."""
        self._session.replay(data)
        if self.is_mounted:
            self._frames.want()

    def send(self, data: bytes) -> None:
        """Type `data`. May be called from any thread."""
        self._session.send(data)

    def scroll_history(self, rows: int) -> None:
        """Look `rows` up into what has scrolled away; negative looks down. Typing returns to the live screen."""
        if not self.terminal.alternate and self._history.scroll(rows):
            self.refresh()
            self._place_cursor()

    @property
    def modes(self) -> set[int]:
        """The modes set by the program, numbered as in `tui.terminal.modal`."""
        return self.terminal.mode

    @property
    def title(self) -> str:
        """The title the program set, made safe."""
        return safe_plain(self.terminal.title)

    @property
    def captures_keys(self) -> bool:
        """Whether keys go to a program: the app must then run no binding."""
        return self._session.source is not None

    # -- what the session tells (tui.terminal.session.Watcher)

    def output_came(self) -> None:
        """The emulator has executed some output."""
        if self._mirror is not None and self._mirrored != self.terminal.revision:
            self._mirrored = self.terminal.revision
            self._mirror.update(self.terminal)
        self._frames.want(flooding=self._session.flooding)

    def source_ended(self) -> None:
        """The source has ended."""
        self._capture(False)
        self._tell(self.Closed(self))

    def keys_went(self, taken: bool) -> None:
        """Typing leads back to the live screen; what the program cannot take rings."""
        if not taken:
            self._bell()
        elif self._history.offset:
            self.scroll_history(-self._history.offset)

    def keys_held(self, held: bool) -> None:
        """The engine holds typed bytes back, or no longer."""
        self._tell(self.Held(self, held))

    def _tell(self, message: Message) -> None:
        if self.is_attached:
            self.post_message(message)

    def _bell(self) -> None:
        now = monotonic()
        if self.is_attached and now - self._last_bell >= _BELL:
            self._last_bell = now
            self.app.bell()

    # -- painting

    def _show(self) -> None:
        """Ask Textual to repaint what changed."""
        if not self.is_attached:
            return
        dirty, width = self.terminal.dirty, self.size.width
        if self._history.offset:
            self._history.settle()
            self.refresh()
        elif len(dirty) * 2 > self.terminal.lines:
            self.refresh()
        elif dirty:
            self.refresh(*(Region(0, y, width, 1) for y in dirty))
        dirty.clear()
        self._place_cursor()

    def _place_cursor(self) -> None:
        """The cursor is the outer terminal's own: its shape, its blinking, its input method window."""
        driver = self._driver
        if driver is None or not self.has_focus:
            return
        screen = self.terminal
        if DECTCEM not in screen.mode or self._history.offset or not self.captures_keys:
            driver.hide_cursor()
            return
        x = min(screen.cursor.x, screen.columns - 1)
        at = self.content_region.offset + Offset(x, screen.cursor.y)
        self.app.cursor_position = at
        driver.show_cursor(at.x, at.y, screen.cursor_shape)

    @property
    def _driver(self) -> TerminalDriver | None:
        driver = self.app._driver if self.is_attached else None
        return driver if isinstance(driver, TerminalDriver) else None

    def _backlog(self) -> int:
        driver = self._driver
        return 0 if driver is None else driver.backlog

    def get_line_filters(self) -> list[LineFilter]:
        """Palette colours stay palette colours: the reader's terminal shows them as it would bare."""
        return [f for f in super().get_line_filters() if not isinstance(f, ANSIToTruecolor)]

    def render_line(self, y: int) -> Strip:
        """One row, live or from history."""
        look = (self.rich_style, DECSCNM in self.terminal.mode)
        if look != self._look:
            self._look = look
            self._painter = Painter(look[0], reverse=look[1])
            self._tell_colours(look[0])
        columns = self.size.width
        runs = self._history.line(y)
        if runs is not None:
            return self._painter.runs(runs, columns)
        at = y - self._history.offset
        if at >= len(self.terminal.rows):
            return Strip.blank(columns, self._painter.base)
        return self._painter.row(self.terminal.rows[at], columns)

    def _tell_colours(self, base: Style) -> None:
        for number, colour in ((10, base.color), (11, base.bgcolor)):
            if colour is not None and colour.triplet is not None:
                self.terminal.colours[number] = colour.triplet.hex.lstrip("#")

    # -- Textual's events

    def _on_mount(self, event: events.Mount) -> None:
        super()._on_mount(event)
        if self._first is not None:
            self._session.start(self._first)
            self._first = None
            self._capture(self.has_focus)

    def on_unmount(self) -> None:
        """Closing the pane detaches, it never kills."""
        self.detach()
        self._frames.stop()

    def on_resize(self) -> None:
        """Fit the emulator, then tell whoever owns the other end."""
        columns, lines = self.size
        if columns and lines and (columns, lines) != (self.terminal.columns, self.terminal.lines):
            self._session.resize(columns, lines)
            self._tell(self.Resized(self, columns, lines))
        self._frames.want()

    def on_focus(self) -> None:
        """Take the keyboard."""
        self._capture(True)
        if FOCUS in self.modes:
            self.send(b"\x1b[I")
        self._place_cursor()

    def on_blur(self) -> None:
        """Give the keyboard back."""
        self._capture(False)
        if FOCUS in self.modes:
            self.send(b"\x1b[O")

    def _capture(self, on: bool) -> None:
        driver = self._driver
        if driver is None:
            return
        if on and self.captures_keys:
            self._mirror = self._mirror or ModeMirror(driver.write)
            self._mirrored = self.terminal.revision
            self._mirror.update(self.terminal)
            driver.capture(self.send, lambda: PASTE in self.modes)
        elif self._mirror is not None:
            driver.release()
            driver.hide_cursor()
            self._mirror.release()
            self._mirror = None

    async def _on_key(self, event: events.Key) -> None:
        if self.captures_keys:  # here come only keys without a raw tap
            _take(event)
            self.send(keys.encode(event.key, event.character, application_cursor=DECCKM in self.modes))

    def _on_paste(self, event: events.Paste) -> None:
        if self.captures_keys:
            _take(event)
            self.send(keys.paste(event.text, bracketed=PASTE in self.modes))

    async def _on_mouse_down(self, event: events.MouseDown) -> None:
        self._report(event, "press")

    async def _on_mouse_up(self, event: events.MouseUp) -> None:
        self._report(event, "release")

    def _on_mouse_move(self, event: events.MouseMove) -> None:
        self._report(event, "move")

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, _WHEEL)

    def _on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, -_WHEEL)

    def _report(self, event: events.MouseEvent, kind: mouse.Kind) -> bool:
        """Give the event to the program if it asked for it."""
        data = mouse.report(event, kind, self.modes) if self.captures_keys else None
        if data is None:
            return False
        _take(event)
        self.send(data)
        return True

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        """The wheel goes to the program, or through history, or to full-screen programs as cursor keys."""
        if self._report(event, "up" if rows > 0 else "down"):
            return
        _take(event)
        if self.terminal.alternate:
            arrow = keys.encode("up" if rows > 0 else "down", None, application_cursor=DECCKM in self.modes)
            self.send(arrow * abs(rows))
        else:
            self.scroll_history(rows)


def _take(event: events.Event) -> None:
    event.stop()
    event.prevent_default()
