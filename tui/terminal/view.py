"""The widget: a live terminal that owns every key while it has the focus."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final, TypeAlias

from rich.style import Style
from textual import events
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Offset, Region
from textual.strip import Strip

from tui.safe import safe_plain
from tui.terminal import atonce, keys, messages
from tui.terminal.clipboard import Gate
from tui.terminal.driver import TerminalDriver, driver_of, joined
from tui.terminal.frames import FrameClock
from tui.terminal.grid import DECSCNM, DECTCEM
from tui.terminal.history import History
from tui.terminal.looking import Look
from tui.terminal.modal import DECCKM, FOCUS, PASTE, SYNCHRONIZED
from tui.terminal.modes import ModeMirror
from tui.terminal.paint import Painter
from tui.terminal.paper import Paper
from tui.terminal.pointed import take
from tui.terminal.pointer import Pointer
from tui.terminal.reading import Reading
from tui.terminal.session import DETACH_KEYS, Session
from tui.terminal.source import TerminalSource
from tui.terminal.zoom import Zoom

_MOST_BACKLOG: Final = 2
_BELL: Final = 0.2  # seconds between two bells
_LOOK: Final = b"\x1b[5;2~"  # Shift+PageUp, which terminals keep for their reader


class TerminalView(Reading, can_focus=True):
    """Shows `source` and types into it. Without a source it shows the last screen and takes no keys.

    Shift+PageUp (or `look`) stops typing and looks back: a cursor, search, selection, copying.
    """

    ALLOW_SELECT = False  # the selection is our own: it reaches into the history

    DEFAULT_CSS = "TerminalView { width: 1fr; height: 1fr; }"

    Closed: TypeAlias = messages.Closed
    TitleChanged: TypeAlias = messages.TitleChanged
    Copied: TypeAlias = messages.Copied
    ClipboardRequested: TypeAlias = messages.ClipboardRequested
    ClipboardAnswered: TypeAlias = messages.ClipboardAnswered
    Held: TypeAlias = messages.Held
    Resized: TypeAlias = messages.Resized

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
        self.terminal.on_clipboard = self._clipboard
        self.terminal.on_bell = self._bell
        self._first = source
        self._history = History(self.terminal)
        self._frames = FrameClock(
            self._show, lambda: SYNCHRONIZED in self.terminal.mode, lambda: self._backlog() > _MOST_BACKLOG
        )
        self._painter = Painter(Style())
        self._base: tuple[Style, bool, int] = (Style(), False, 0)
        self._paper = Paper(self.terminal, self._history)
        self._pointer = Pointer(self._paper, self)
        self._look: Look | None = None
        self.zoom = Zoom(self._session, self)
        self.gate = Gate()
        self._mirror: ModeMirror | None = None
        self._mirrored = -1
        self._last_bell = 0.0
        self.laid_out = asyncio.Event()
        """The view has the size at which it is shown, and the emulator with it."""
        self._loop: asyncio.AbstractEventLoop | None = None

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
        self.zoom.end()
        self._session.stop()

    def zooming(self, on: bool) -> None:
        """The reader's whole terminal goes to the program, or has come back (tui.terminal.zoom.Owner)."""
        if on and self._look is not None:
            self._looked(self._look, "away")
        self._capture(self.has_focus and not on)
        if not on and self.is_attached:
            self._session.resize(*self.size)
            self.tell_size(*self.size)
            self.refresh()

    def tell_size(self, columns: int, lines: int) -> None:
        """Have the owner tell the engine."""
        self._tell(self.Resized(self, columns, lines))

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
        """Whether keys go to a program or move the look back: the app must run no binding."""
        return self._look is not None or self.live

    @property
    def _wants_mouse(self) -> bool:
        return self.live and self._look is None

    @property
    def live(self) -> bool:
        """Whether there is a program at the other end, as far as is known."""
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
        self.zoom.end()
        self._capture(False)
        self._tell(self.Closed(self))

    def keys_went(self, taken: bool) -> None:
        """Typing leads back to the live screen; what the program cannot take rings."""
        self._frames.hurry()
        if not taken:
            self._bell()
        elif self._history.offset and self._look is None:
            self.scroll_history(-self._history.offset)

    def keys_held(self, held: bool) -> None:
        """The engine holds typed bytes back, or no longer."""
        self._tell(self.Held(self, held))

    def _bell(self) -> None:
        now = monotonic()
        if self.is_attached and now - self._last_bell >= _BELL:
            self._last_bell = now
            self.app.bell()

    # -- painting

    def _show(self) -> None:
        """Ask Textual to repaint what changed."""
        if not self.is_attached or self.zoom.active:
            return
        dirty, width = self.terminal.dirty, self.size.width
        if self._history.offset:
            self._history.settle()
            self.refresh()
        elif dirty:
            few = len(dirty) * 2 <= self.terminal.lines
            with joined(self._driver):
                atonce.paint(self, [Region(0, y, width, 1) for y in dirty] if few else [])
                dirty.clear()
                self._place_cursor()
            return
        dirty.clear()
        self._place_cursor()

    def _place_cursor(self) -> None:
        """The cursor is the outer terminal's own: its shape, its blinking, its input method window."""
        driver = self._driver
        if driver is None or not self.has_focus or self.zoom.active:
            return
        screen = self.terminal
        if DECTCEM not in screen.mode or self._history.offset or not self.live or self._look is not None:
            driver.hide_cursor()
            return
        x = min(screen.cursor.x, screen.columns - 1)
        at = self.content_region.offset + Offset(x, screen.cursor.y)
        self.app.cursor_position = at
        driver.show_cursor(at.x, at.y, screen.cursor_shape)

    @property
    def _driver(self) -> TerminalDriver | None:
        return driver_of(self.app) if self.is_attached else None

    def _backlog(self) -> int:
        return self._driver.backlog if self._driver is not None else 0

    def get_line_filters(self) -> list[LineFilter]:
        """Palette colours stay palette colours: the reader's terminal shows them as it would bare."""
        return [f for f in super().get_line_filters() if not isinstance(f, ANSIToTruecolor)]

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows of `crop`, all in the same style: to find it costs as much as to paint a row."""
        self._dress()
        return super().render_lines(crop)

    def _dress(self) -> None:
        base = (self.rich_style, DECSCNM in self.terminal.mode, self.terminal.palette.revision)
        if base != self._base:
            self._base = base
            self._painter = Painter(base[0], reverse=base[1], palette=self.terminal.palette)
            self._tell_colours(base[0])

    def render_line(self, y: int) -> Strip:
        """One row, live or from history."""
        columns = self.size.width
        look = self._look
        if look is not None and y == self.size.height - 1:
            return self._painter.words(look.words, columns)
        runs = self._history.line(y)
        at = y - self._history.offset
        if runs is not None:
            strip = self._painter.runs(runs, columns)
        elif at < len(self.terminal.rows):
            strip = self._painter.row(self.terminal.rows[at], columns)
        else:
            strip = Strip.blank(columns, self._painter.base)
        selection = look.selection if look is not None else self._pointer.selection
        row = self._paper.top + y
        if selection is not None and (span := selection.span(row, columns)):
            strip = self._painter.marked(strip, *span)
        if look is not None and row == look.cursor.row:
            x = min(look.cursor.column, columns - 1)
            strip = self._painter.marked(strip, x, x + 1)
        return strip

    def _tell_colours(self, base: Style) -> None:
        for number, colour in ((10, base.color), (11, base.bgcolor)):
            if colour is not None and colour.triplet is not None:
                self.terminal.colours[number] = colour.triplet.hex.lstrip("#")

    # -- Textual's events

    def _on_mount(self, event: events.Mount) -> None:
        super()._on_mount(event)
        self._loop = asyncio.get_running_loop()
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
            if self.zoom.active:
                return
            self._session.resize(columns, lines)
            self._pointer.forget()
            if self._look is not None:
                self._look.lines = lines
                self._look.shift(lines - 1)
            self.tell_size(columns, lines)
        if columns and lines:
            self.laid_out.set()
        self._frames.want()

    def on_focus(self) -> None:
        """Take the keyboard."""
        self._capture(True)
        if FOCUS in self.modes:
            self.send(b"\x1b[I")
        self.call_next(self._place_cursor)  # has_focus is set behind this

    def on_blur(self) -> None:
        """Give the keyboard back."""
        self._capture(False)
        if FOCUS in self.modes:
            self.send(b"\x1b[O")

    def _capture(self, on: bool) -> None:
        driver = self._driver
        if driver is None:
            return
        if on and self.live and self._look is None and not self.zoom.active:
            self._mirror = self._mirror or ModeMirror(driver.write)
            self._mirrored = self.terminal.revision
            self._mirror.update(self.terminal)
            driver.capture(self._typed, lambda: PASTE in self.modes, self._mirror)
        elif self._mirror is not None:
            driver.release()
            driver.hide_cursor()
            self._mirror.release()
            self._mirror = None

    def _typed(self, data: bytes) -> None:
        """Bytes from the keyboard, in the input thread."""
        if data.endswith(_LOOK) and self._may_look and self._loop is not None:
            data = data[: -len(_LOOK)]
            self._loop.call_soon_threadsafe(self.look)
        self.send(data)

    async def _on_key(self, event: events.Key) -> None:
        if self._look is not None:
            take(event)
            self._looked(self._look, self._look.key(event.key, event.character))
        elif self.live:  # here come only keys without a raw tap
            take(event)
            if event.key == "shift+pageup" and self._may_look:
                self.look()
            else:
                self.send(keys.encode(event.key, event.character, application_cursor=DECCKM in self.modes))

    def _on_paste(self, event: events.Paste) -> None:
        if self.live and self._look is None:
            take(event)
            self.send(keys.paste(event.text, bracketed=PASTE in self.modes))
