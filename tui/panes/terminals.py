"""The Terminal tab: live sessions side by side, each kept with its screen while other things are looked at."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Container as Box
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.glyphs import Glyphs
from tui.paint import EMPTY, ends, join, strip_of
from tui.safe import crop_middle, safe_plain
from tui.terminal.source import TerminalSource
from tui.terminal.view import TerminalView
from tui.widgets.linesview import LinesView

Kind = Literal["attach", "exec", "command"]
_TITLE: Final = 28
_CORNERS: Final = 6  # cells of the lower border that words cannot have
_LAYOUT: Final = 1.0  # seconds that a new view has for its size; nobody may be looking at this tab any more
_NOTE: Final = 8.0  # seconds that a note stays
_RESET: Final = b"\x1bc\x1b[3J"  # RIS, and forget what has scrolled away


@dataclass(slots=True, eq=False)
class Session:
    """One terminal. `resize_path` is where the engine hears of its size; "" where the source itself does it."""

    kind: Kind
    container: str
    name: str
    what: str
    resize_path: str = ""
    note: str = ""
    held: bool = False
    opened: bool = False
    """It has been on the screen: there is something to look at, also when it is over."""
    over: bool = False
    """It has ended, so there is nothing to come back to."""
    view: TerminalView = field(default_factory=TerminalView)

    @property
    def live(self) -> bool:
        """Its program can be typed into. No more from the moment its stream is over, whoever has heard of that."""
        return self.view.live

    @property
    def exec_id(self) -> str:
        """The exec instance it is of, "" for none."""
        return self.resize_path.removeprefix("/exec/") if self.kind == "exec" else ""

    @property
    def waits(self) -> bool:
        """Enter attaches to it again."""
        return not self.live and not self.over and self.kind in ("attach", "exec")

    @property
    def title(self) -> str:
        """`api · vim orders.py`: whose it is and what runs in it."""
        inside = self.view.title or self.what
        return f"{safe_plain(self.name)} · {crop_middle(safe_plain(inside), _TITLE)}"


class SessionStrip(Widget):
    """The sessions by number; a click picks one."""

    DEFAULT_CSS = "SessionStrip { height: 1; background: $raised; color: $ink; }"

    class Picked(Message):
        """A session was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self) -> None:
        super().__init__(id="strip")
        self._pieces: tuple[Content, ...] = ()
        self._first = 0
        self._here = 0

    def show(self, sessions: Sequence[Session], current: Session | None) -> None:
        """Show these sessions."""
        pieces = []
        for number, session in enumerate(sessions, 1):
            here = session is current
            style = "bold $accent" if here else "" if session.live else "$muted"
            head = join((f" {number} ", "bold $on-accent on $accent" if here else "$muted"))
            pieces.append(
                join(head, " ", (session.title, style), (f" · {session.note}" if session.note else "", "$muted"))
            )
        self._pieces = tuple(pieces)
        self._here = sessions.index(current) if current in sessions else 0
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        self._first = self._beginning(width)
        more = join(("‹ ", "$muted")) if self._first else EMPTY
        left = join(more, join("  ").join(self._pieces[self._first :]))
        line = join(" ", ends(left, EMPTY, max(width - 1, 0)))
        return strip_of(line, width, self.visual_style, self.app)

    def _beginning(self, width: int) -> int:
        """The first session that is written: the one shown always is, as much of it as there is room for."""
        for first in range(self._here + 1):
            if sum(piece.cell_length + 2 for piece in self._pieces[first : self._here + 1]) + 3 <= width:
                return first
        return self._here

    def on_click(self, event: events.Click) -> None:
        at = 3 if self._first else 1
        for number, piece in enumerate(self._pieces[self._first :], self._first + 1):
            if at <= event.x < at + piece.cell_length:
                self.post_message(self.Picked(number))
            at += piece.cell_length + 2


class TerminalPane(Vertical, can_focus=True):
    """Holds the sessions. It has the keyboard itself when no terminal is typed into."""

    DEFAULT_CSS = """
    TerminalPane { width: 1fr; height: 1fr; }
    TerminalPane #screens { width: 1fr; height: 1fr; background: $pane; }
    TerminalPane #screens > * { display: none; }
    TerminalPane #screens > .-shown { display: block; }
    """

    class Changed(Message):
        """A session came, went, or is another one now."""

    class Ended(Message):
        """A session's stream is over: its program has ended, or it was detached from."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    class Resized(Message):
        """A session's terminal has a new size."""

        def __init__(self, session: Session, columns: int, lines: int) -> None:
            super().__init__()
            self.session = session
            self.columns = columns
            self.lines = lines

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="terminals")
        self.glyphs = glyphs
        self.sessions: list[Session] = []
        self.current: Session | None = None

    def compose(self) -> ComposeResult:
        yield SessionStrip()
        with Box(id="screens"):
            yield LinesView(id="nothing")

    def on_mount(self) -> None:
        self._arrange()

    @property
    def typing(self) -> bool:
        """The keyboard is inside a terminal."""
        return self.current is not None and self.current.view.has_focus

    def find(self, kind: Kind, container: str) -> Session | None:
        """The session of that kind with a container, if there is one."""
        return next((s for s in self.sessions if s.kind == kind and s.container == container), None)

    def size_of_view(self) -> tuple[int, int]:
        """Columns and lines that a terminal here will have."""
        box = self.query_one("#screens")
        return max(box.size.width, 20), max(box.size.height, 5)

    async def open(self, session: Session, source: TerminalSource, history: bytes = b"") -> None:
        """Show a session on a new stream, and give it the keyboard. One that was left is shown again."""
        if session not in self.sessions:
            self.sessions.append(session)
        if not session.opened:
            await self.query_one("#screens", Box).mount(session.view)
        self.current = session
        session.opened, session.over, session.note = True, False, ""
        self._arrange()
        with suppress(TimeoutError):  # what came before was made for this size, and would be cut at another
            await asyncio.wait_for(session.view.laid_out.wait(), _LAYOUT)
        if history:
            session.view.feed_history(_RESET + history)  # it holds what the screen showed when it was left, too
        session.view.attach(source)
        self._arrange()
        session.view.focus()
        self.post_message(self.Changed())

    def pick(self, number: int) -> None:
        """Show the session of that number, from 1."""
        if 1 <= number <= len(self.sessions):
            self.current = self.sessions[number - 1]
            self._arrange()
            self.post_message(self.Changed())

    def note(self, session: Session) -> None:
        """A session that is not looked at yet: it stands in the strip, and can be attached to."""
        self.sessions.append(session)
        if self.current is None:
            self.current = session
        self._arrange()

    def pick_none(self) -> None:
        """Show no session."""
        self.current = None
        self._arrange()
        self.post_message(self.Changed())

    def forget(self, session: Session) -> None:
        """A session that was never shown is over."""
        self.sessions.remove(session)
        if self.current is session:
            self.current = self.sessions[-1] if self.sessions else None
        self._arrange()
        self.post_message(self.Changed())

    def turn(self) -> None:
        """Show the next session."""
        if self.current in self.sessions and self.sessions:
            self.pick((self.sessions.index(self.current) + 1) % len(self.sessions) + 1)

    async def close(self, session: Session) -> None:
        """Leave a session and forget its screen. What runs in it goes on."""
        if session.opened:
            session.view.detach()
            await session.view.remove()
        if session in self.sessions:
            self.sessions.remove(session)
        if self.current is session:
            self.current = self.sessions[-1] if self.sessions else None
        self._arrange()
        self.post_message(self.Changed())

    def enter(self) -> bool:
        """Give the keyboard to the session shown; False where it has no live stream."""
        if self.current is None or not self.current.live:
            return False
        self.current.view.focus()
        return True

    def zoom(self) -> bool:
        """Give the session shown the whole terminal; False where it has no live stream, or there is no terminal."""
        session = self.current
        return session is not None and session.view.zoom.begin(f"{session.title} · ctrl-p ctrl-q returns")

    def show_nothing(self, lines: Sequence[Content]) -> None:
        """What to say while there is no session."""
        self.query_one("#nothing", LinesView).show(lambda _width: lines)

    def hint(self) -> Content:
        """The way out, always on the border; in reverse while Ctrl-P is held."""
        session = self.current
        if session is None:
            return EMPTY
        if not session.live:
            again = " attaches again" if session.opened else " attaches to it"
            return join(("enter", "bold $accent"), (again, "$muted")) if session.waits else EMPTY
        if session.held:
            return join(
                (" ^P… ^Q detaches ", "bold $on-accent on $focus"), (" any other key goes on to it", "$muted")
            )
        return join(("ctrl-p ctrl-q detaches", "$focus" if self.typing else "$muted"))

    def mode(self) -> Content:
        """`126×43`, and how to look back; as much as fits beside the way out."""
        session = self.current
        if session is None or not session.opened:
            return EMPTY
        if session.live and session.view.gate.asking:
            return join(("clipboard? shift+pgup, a allows", "bold $accent"))
        size = session.view.size
        cells = f"{size.width}×{size.height}"
        room = size.width - self.hint().cell_length - _CORNERS
        words = (f"{cells} · shift+pgup looks back", f"{cells} · shift+pgup ↑", cells, "")
        return join((next(text for text in words if len(text) <= max(room, 0)), "$muted"))

    def refresh_strip(self) -> None:
        """A session's note has changed."""
        self._arrange()

    def _arrange(self) -> None:
        if not self.is_mounted:
            return
        strip = self.query_one(SessionStrip)
        strip.display = bool(self.sessions)
        strip.show(self.sessions, self.current)
        nothing = self.query_one("#nothing", LinesView)
        shown: Widget = self.current.view if self.current and self.current.opened else nothing
        for part in self.query_one("#screens").children:
            part.set_class(part is shown, "-shown")

    def _session(self, view: TerminalView) -> Session | None:
        return next((s for s in self.sessions if s.view is view), None)

    def on_terminal_view_closed(self, event: TerminalView.Closed) -> None:
        session = self._session(event.view)
        if session is not None and not session.live:  # else it has been attached to again since
            session.held = False
            self._arrange()
            self.post_message(self.Ended(session))

    def on_terminal_view_held(self, event: TerminalView.Held) -> None:
        session = self._session(event.view)
        if session is not None:
            session.held = event.held
            self.post_message(self.Changed())

    def on_terminal_view_title_changed(self, event: TerminalView.TitleChanged) -> None:
        self._arrange()

    def on_terminal_view_resized(self, event: TerminalView.Resized) -> None:
        session = self._session(event.view)
        if session is not None:
            self.post_message(self.Resized(session, event.columns, event.lines))
            self.post_message(self.Changed())

    def on_terminal_view_clipboard_requested(self, event: TerminalView.ClipboardRequested) -> None:
        self._say(event.view, "wants to write your clipboard")
        self.post_message(self.Changed())

    def on_terminal_view_clipboard_answered(self, event: TerminalView.ClipboardAnswered) -> None:
        self.post_message(self.Changed())

    def on_terminal_view_copied(self, event: TerminalView.Copied) -> None:
        count = event.text.count("\n") + 1
        self._say(event.view, f"copied {count:,} {'line' if count == 1 else 'lines'}")

    def _say(self, view: TerminalView, note: str) -> None:
        """A note in the session's strip, for a while."""
        session = self._session(view)
        if session is None:
            return

        def silent() -> None:
            if session.note == note:
                session.note = ""
                self._arrange()

        session.note = note
        self._arrange()
        self.set_timer(_NOTE, silent)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        session = self._session(event.widget) if isinstance(event.widget, TerminalView) else None
        # another client of the same terminal may have given it a size of its own
        if session is not None and not session.view.zoom.active:
            self.post_message(self.Resized(session, *session.view.size))
        self.post_message(self.Changed())

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        self.post_message(self.Changed())
