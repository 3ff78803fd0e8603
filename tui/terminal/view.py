"""The widget: a live terminal that owns every key while it has the focus."""

from __future__ import annotations

import asyncio
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
from tui.terminal.detach import RELEASE, DetachHint
from tui.terminal.driver import TerminalDriver
from tui.terminal.grid import DECSCNM, DECTCEM
from tui.terminal.history import History
from tui.terminal.modal import DECCKM, FOCUS, PASTE, SYNCHRONIZED
from tui.terminal.modes import ModeMirror
from tui.terminal.paint import Painter
from tui.terminal.pump import Pump
from tui.terminal.screen import FastScreen
from tui.terminal.source import TerminalSource
from tui.terminal.stream import FastStream

_FRAME: Final = 1 / 60
_FLOOD_FRAME: Final = 1 / 30
_MOST_HOLD: Final = 0.15  # seconds a program may hold frames back (mode 2026)
_MOST_BACKLOG: Final = 2
_BELL: Final = 0.2


class TerminalView(Widget, can_focus=True):
    """Shows `source` and types into it. Without a source it shows the last screen and takes no keys."""

    DEFAULT_CSS = "TerminalView { width: 1fr; height: 1fr; }"

    class _About(Message):
        def __init__(self, view: TerminalView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> TerminalView:
            """The view."""
            return self.view

    class Closed(_About):
        """The source has ended: the program is gone, or the detach keys were typed."""

    class TitleChanged(_About):
        """The program set a title; read it from `view.title`."""

    class ClipboardRequested(_About):
        """The program wants `text` on the clipboard. Nothing happens unless the owner does it."""

        def __init__(self, view: TerminalView, text: str) -> None:
            super().__init__(view)
            self.text = text

    class Held(_About):
        """Whether typed bytes are being held back as the possible beginning of the detach keys."""

        def __init__(self, view: TerminalView, held: bool) -> None:
            super().__init__(view)
            self.held = held

    class Resized(_About):
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
        detach_keys: bytes = b"\x10\x11",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.terminal = FastScreen(80, 24)
        self.terminal.reply = self._reply
        self.terminal.on_title = lambda _title: self._tell(self.TitleChanged(self))
        self.terminal.on_clipboard = lambda text: self._tell(self.ClipboardRequested(self, text))
        self.terminal.on_bell = self._bell
        self._stream = FastStream(self.terminal)
        self._history = History(self.terminal)
        self._source = source
        self._hint = DetachHint(detach_keys if detach_hint else b"")
        self._pump: Pump | None = None
        self._painter = Painter(Style())
        self._mirror: ModeMirror | None = None
        self._mirrored = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._frame_due: asyncio.TimerHandle | None = None
        self._release: asyncio.TimerHandle | None = None
        self._last_frame = self._last_bell = self._held_since = 0.0

    # -- the source

    def attach(self, source: TerminalSource) -> None:
        """Show `source` from now on; one that was attached before is closed."""
        self.detach()
        self._source = source
        if self.is_mounted:
            self._start()

    def detach(self) -> None:
        """Let go of the source and close it; what it runs goes on. The screen stays as it is."""
        self._capture(False)
        if self._pump is not None:
            self._pump.stop()
            self._pump = None
        if self._source is not None:
            self._source.close()
            self._source = None
        self._show_held(b"")

    def feed_history(self, data: bytes) -> None:
        """Replay earlier output: nothing is answered, and bell, clipboard and title stay silent."""
        self.terminal.muted = True
        try:
            self._stream.feed(data)
        finally:
            self.terminal.muted = False
        self._schedule()

    def send(self, data: bytes) -> None:
        """Type `data`. Called from the input thread for real keys, from the loop for all else."""
        source, loop = self._source, self._loop
        if source is None or loop is None or not data:
            return
        taken = source.write(data)
        loop.call_soon_threadsafe(self._sent, data if taken else b"")

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
        """Whether keys go to the program: the app must then run no binding."""
        return self._source is not None

    def _start(self) -> None:
        source = self._source
        if source is None:
            return
        self._loop = asyncio.get_running_loop()
        self._pump = Pump(source, self._stream, self._output, self._ended)
        source.resize(self.terminal.columns, self.terminal.lines)
        if self.has_focus:
            self._capture(True)

    def _ended(self) -> None:
        self.detach()
        self._tell(self.Closed(self))

    def _reply(self, text: str) -> None:
        if self._source is not None:
            self._source.write(text.encode())
            if self._pump is not None and self._source.pending:
                self._pump.watch_writes()

    def _sent(self, data: bytes) -> None:
        if not data:
            self._bell()
            return
        if self._history.offset:
            self.scroll_history(-self._history.offset)
        if self._pump is not None and self._source is not None and self._source.pending:
            self._pump.watch_writes()
        self._show_held(data)

    def _show_held(self, data: bytes) -> None:
        before = self._release is not None
        held = self._hint.feed(data) if data else False
        if self._release is not None:
            self._release.cancel()
            self._release = None
        if held and self._loop is not None:
            self._release = self._loop.call_later(RELEASE, self._show_held, b"")
        if held != before:
            self._tell(self.Held(self, held))

    def _tell(self, message: Message) -> None:
        if self.is_attached:
            self.post_message(message)

    def _bell(self) -> None:
        now = monotonic()
        if self.is_attached and now - self._last_bell >= _BELL:
            self._last_bell = now
            self.app.bell()

    # -- frames

    def _output(self) -> None:
        if self._mirror is not None and self._mirrored != self.terminal.revision:
            self._mirrored = self.terminal.revision
            self._mirror.update(self.terminal)
        self._schedule()

    def _schedule(self) -> None:
        if self._frame_due is not None or self._loop is None:
            return
        every = _FLOOD_FRAME if self._pump is not None and self._pump.flooding else _FRAME
        wait = self._last_frame + every - monotonic()
        if wait <= 0:
            self._frame()
        else:
            self._frame_due = self._loop.call_later(wait, self._frame)

    def _frame(self) -> None:
        """Ask Textual to repaint what changed, unless the program or the outer terminal is not ready."""
        self._frame_due = None
        if not self.is_attached or self._loop is None:
            return
        now = monotonic()
        if SYNCHRONIZED in self.terminal.mode:
            self._held_since = self._held_since or now
        else:
            self._held_since = 0.0
        holding = self._held_since and now - self._held_since < _MOST_HOLD
        driver = self._driver
        if holding or (driver is not None and driver.backlog > _MOST_BACKLOG):
            self._frame_due = self._loop.call_later(_FRAME, self._frame)
            return
        self._last_frame = now
        self._repaint()

    def _repaint(self) -> None:
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
        driver = self._driver
        if driver is None or not self.has_focus:
            return
        screen, cursor = self.terminal, self.terminal.cursor
        if DECTCEM not in screen.mode or self._history.offset or self._source is None:
            driver.hide_cursor()
            return
        at = self.content_region.offset + Offset(min(cursor.x, screen.columns - 1), cursor.y)
        self.app.cursor_position = at
        driver.show_cursor(at.x, at.y, screen.cursor_shape)

    @property
    def _driver(self) -> TerminalDriver | None:
        driver = self.app._driver
        return driver if isinstance(driver, TerminalDriver) else None

    def get_line_filters(self) -> list[LineFilter]:
        """Palette colours stay palette colours: the reader's terminal shows them as it would bare."""
        return [f for f in super().get_line_filters() if not isinstance(f, ANSIToTruecolor)]

    def render_line(self, y: int) -> Strip:
        """One row, live or from history."""
        base, reverse = self.rich_style, DECSCNM in self.terminal.mode
        if (base, reverse) != self._look:
            self._look = (base, reverse)
            self._painter = Painter(base, reverse=reverse)
            self._tell_colours(base)
        columns = self.size.width
        runs = self._history.line(y)
        if runs is not None:
            return self._painter.runs(runs, columns)
        at = y - self._history.offset
        if at >= len(self.terminal.rows):
            return Strip.blank(columns, self._painter.base)
        return self._painter.row(self.terminal.rows[at], columns)

    _look: tuple[Style, bool] = (Style(), False)

    def _tell_colours(self, base: Style) -> None:
        for number, colour in ((10, base.color), (11, base.bgcolor)):
            if colour is not None and colour.triplet is not None:
                self.terminal.colours[number] = colour.triplet.hex.lstrip("#")

    # -- Textual's events

    def on_mount(self) -> None:
        """Begin with the source given to the constructor."""
        self._loop = asyncio.get_running_loop()
        self._start()

    def on_unmount(self) -> None:
        """Detach: closing the pane never kills."""
        self.detach()
        if self._frame_due is not None:
            self._frame_due.cancel()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the emulator, then tell whoever owns the other end."""
        columns, lines = self.size
        if columns and lines and (columns, lines) != (self.terminal.columns, self.terminal.lines):
            self.terminal.resize(lines, columns)
            if self._source is not None:
                self._source.resize(columns, lines)
            self._tell(self.Resized(self, columns, lines))
        self._schedule()

    def on_focus(self) -> None:
        """Take the keyboard."""
        self._capture(True)
        if FOCUS in self.modes:
            self._reply("\x1b[I")
        self._place_cursor()

    def on_blur(self) -> None:
        """Give the keyboard back."""
        self._capture(False)
        if FOCUS in self.modes:
            self._reply("\x1b[O")

    def _capture(self, on: bool) -> None:
        driver = self._driver if self.is_attached else None
        if driver is None:
            return
        if on and self._source is not None:
            self._mirror = self._mirror or ModeMirror(driver.write)
            self._mirrored = self.terminal.revision
            self._mirror.update(self.terminal)
            driver.capture(self.send, lambda: PASTE in self.modes)
        elif self._mirror is not None:
            driver.release()
            driver.hide_cursor()
            self._mirror.release()
            self._mirror = None

    def on_key(self, event: events.Key) -> None:
        """Keys that come as events: no raw tap here."""
        if self._source is None:
            return
        event.stop()
        event.prevent_default()
        self.send(keys.encode(event.key, event.character, application_cursor=DECCKM in self.modes))

    def on_paste(self, event: events.Paste) -> None:
        """A paste that comes as an event."""
        if self._source is not None:
            event.stop()
            event.prevent_default()
            self.send(keys.paste(event.text, bracketed=PASTE in self.modes))

    def _on_mouse(self, event: events.MouseEvent, kind: mouse.Kind) -> None:
        data = mouse.report(event, kind, self.modes) if self._source is not None else None
        if data is not None:
            event.stop()
            event.prevent_default()
            self.send(data)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """To the program, if it asked for the mouse and Shift is up."""
        self._on_mouse(event, "press")

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """To the program, as for presses."""
        self._on_mouse(event, "release")

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """To the program, if it asked for motion."""
        self._on_mouse(event, "move")

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel goes to the program, or moves through history, or (full-screen programs) is cursor keys."""
        self._wheel(event, 3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """As for up."""
        self._wheel(event, -3)

    def _wheel(self, event: events.MouseEvent, rows: int) -> None:
        self._on_mouse(event, "up" if rows > 0 else "down")
        if event._stop_propagation:
            return
        event.stop()
        if self.terminal.alternate:
            arrow = keys.encode("up" if rows > 0 else "down", None, application_cursor=DECCKM in self.modes)
            self.send(arrow * abs(rows))
        else:
            self.scroll_history(rows)

    def scroll_history(self, rows: int) -> None:
        """Look `rows` up into what has scrolled away; negative looks down. Typing returns to the live screen."""
        if not self.terminal.alternate and self._history.scroll(rows):
            self.refresh()
            self._place_cursor()
