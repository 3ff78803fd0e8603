"""One live session: source, pump and emulator together, without any widget."""

from __future__ import annotations

import asyncio
import threading
from typing import Final, Protocol

from tui.terminal.detach import RELEASE, DetachHint
from tui.terminal.pump import Outlet, Pump
from tui.terminal.screen import FastScreen
from tui.terminal.source import TerminalSource
from tui.terminal.stream import FastStream

DETACH_KEYS: Final = b"\x10\x11"


class Watcher(Protocol):
    """Who is told what happens, always on the event loop."""

    def output_came(self) -> None:
        """The emulator has executed some output."""
        ...

    def source_ended(self) -> None:
        """The source has ended and been closed."""
        ...

    def keys_went(self, taken: bool) -> None:
        """Something was typed; not taken means that the program has not read for long and no more fits."""
        ...

    def keys_held(self, held: bool) -> None:
        """The engine began or stopped to hold typed bytes back as possible detach keys."""
        ...


class Session:
    """`start` needs a running loop; before it and after `stop` the screen is there but nothing moves."""

    def __init__(self, watcher: Watcher, *, detach_keys: bytes = DETACH_KEYS) -> None:
        self.screen = FastScreen(80, 24)
        self.screen.reply = self._reply
        self.source: TerminalSource | None = None
        self._watcher = watcher
        self._stream = FastStream(self.screen)
        self._hint = DetachHint(detach_keys)
        self._typing = threading.Lock()  # the hint must see bytes in the order in which they are written
        self._answers: list[bytes] = []
        self._pump: Pump | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._release: asyncio.TimerHandle | None = None

    @property
    def flooding(self) -> bool:
        """Whether the last batch was so large that frames are better shown seldom."""
        return self._pump is not None and self._pump.flooding

    def start(self, source: TerminalSource) -> None:
        """Begin to move bytes between `source` and the screen."""
        self.stop()
        self.source = source
        self._loop = asyncio.get_running_loop()
        self._pump = Pump(source, self._stream, self._watcher.output_came, self._ended)
        source.resize(self.screen.columns, self.screen.lines)

    def stop(self) -> None:
        """Let go of the source and close it; what it runs goes on."""
        if self._pump is not None:
            self._pump.stop()
            self._pump = None
        if self.source is not None:
            self.source.close()
            self.source = None
        self._answers.clear()
        self._hint.reset()
        self._follow()

    def resize(self, columns: int, lines: int) -> None:
        """Give screen and source a new size."""
        self.screen.resize(lines, columns)
        if self.source is not None:
            self.source.resize(columns, lines)

    def pass_on(self, outlet: Outlet | None) -> None:
        """Give all output to the reader's own terminal as well, which then answers the program; None ends that."""
        self.screen.shared = outlet is not None
        if self._pump is not None:
            self._pump.outlet = outlet

    def replay(self, data: bytes) -> None:
        """Execute earlier output: nothing is answered, and bell, clipboard and title stay silent."""
        self.screen.muted = True
        try:
            self._stream.feed(data)
        finally:
            self.screen.muted = False

    def send(self, data: bytes) -> None:
        """Type `data`, from any thread: real keys come straight from the input thread."""
        source, loop = self.source, self._loop
        if source is None or loop is None or not data:
            return
        with self._typing:
            taken = source.write(data)
            if taken:
                self._hint.feed(data)
        loop.call_soon_threadsafe(self._sent, taken)

    def _sent(self, taken: bool) -> None:
        if self._hint.complete:
            self._hint.complete = False
            if self._pump is not None:
                self._pump.expect_end()
        self._watcher.keys_went(taken)
        self._follow()
        self._answer()

    def _reply(self, text: str) -> None:
        """The emulator's answer to a query. It waits while the engine holds a Ctrl-P: between the two detach
        keys it would make them two keys of no meaning (ash asks for the cursor at each prompt)."""
        self._answers.append(text.encode())
        self._answer()

    def _answer(self) -> None:
        with self._typing:
            if self.source is not None and self._answers and not self._hint.held:
                self.source.write(b"".join(self._answers))
                self._answers.clear()
        if self._pump is not None and self.source is not None and self.source.pending:
            self._pump.watch_writes()

    def _follow(self) -> None:
        """Tell when the detach keys begin, and when the engine lets a lone first one through."""
        before = self._release is not None
        held = self._hint.held
        if self._release is not None:
            self._release.cancel()
            self._release = None
        if held and self._loop is not None:
            self._release = self._loop.call_later(RELEASE, self._released)
        if held != before:
            self._watcher.keys_held(held)

    def _released(self) -> None:
        self._release = None
        self._hint.release()
        self._watcher.keys_held(False)
        self._answer()

    def _ended(self) -> None:
        self.stop()
        self._watcher.source_ended()
