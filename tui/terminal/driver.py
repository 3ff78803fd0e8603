"""A Textual driver with a raw tap: while a terminal view has the keyboard, keys never become events.

Textual's key events lose information (Tab and Ctrl-I, Alt-b and Ctrl-Left are one) and time (Escape waits
100 ms), and its priority bindings would run before the view saw them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import termios
import tty
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from textual import constants
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from tui.terminal.modes import TEXTUAL_KITTY, ModeMirror
from tui.terminal.output import Output
from tui.terminal.tap import READ, Tap

_APP_OFF: Final = (
    "".join(f"\x1b[?{mode}l" for mode in (1000, 1003, 1015, 1006, 1016, 1004, 2004)) + "\x1b[?7h\x1b[?25h"
)
_ENDS: Final = (signal.SIGTERM, signal.SIGHUP)
_PATIENCE: Final = 5.0  # seconds from such a signal until it ends the process all the same


@dataclass(frozen=True, slots=True)
class _Given:
    """To whom the terminal is given, what undoes what is done with it, and how it was."""

    sink: Callable[[bytes], None]
    undone: Callable[[], str]
    in_band: bool
    attributes: list[Any]


class TerminalDriver(LinuxDriver):
    """Give it to the app as `driver_class`. `capture` and `release` belong to the view in focus."""

    _tap: Tap | None = None
    _sink: Callable[[bytes], None] | None = None
    _cursor: tuple[int, int, int] | None = None
    _output: Output | None = None
    _given: _Given | None = None
    _mirror: ModeMirror | None = None
    _gone = False  # the terminal has been given back, or has hung up: writing might block for ever

    def start_application_mode(self) -> None:
        """Take the terminal, writing to it ourselves where it is one."""
        assert self._file is not None
        if self._output is not None:  # SIGCONT, though nothing had stopped us that we could have noticed
            self.suspend_application_mode()
        loop = asyncio.get_running_loop()
        try:
            self._output, self._gone = Output(self._file, loop), False
        except OSError as error:
            self._gone = error.errno == errno.EIO
            if self._gone:  # a terminal that hangs up sends SIGCONT behind SIGHUP
                return
        for number in _ENDS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
                loop.add_signal_handler(number, self._end, number)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._mirror is not None:
            self._mirror.resume()

    # Textual does both in the signal's handler, in the middle of anything: a lock may be held then, and for ever.

    def _sigtstp_application(self, *args: Any) -> None:
        """The process is to stop."""
        self._loop.call_soon_threadsafe(super()._sigtstp_application, *args)

    def _sigcont_application(self, *args: Any) -> None:
        """The process goes on."""
        self._loop.call_soon_threadsafe(super()._sigcont_application, *args)

    def _end(self, number: signal.Signals = signal.SIGHUP) -> None:
        """Leave the terminal as it was found, which the signal's own effect would not."""
        if signal.getitimer(signal.ITIMER_REAL)[0] == 0.0:
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
            self._app.exit(return_code=128 + number)

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        self.take_back()
        if self._mirror is not None:
            self._mirror.release()
        self.hide_cursor()
        super().stop_application_mode()
        output, self._output = self._output, None
        if output is not None:
            self._gone = True
            output.close()

    def give_away(self, sink: Callable[[bytes], None], shown: str, undone: Callable[[], str]) -> None:
        """From now on the terminal is a program's: all input goes to `sink` as it is, and Textual writes nothing.

        The app's own modes go first; `shown` is what the program's screen is made with, and `undone` tells at the
        end what undoes what the program did to it.
        """
        in_band = "\x1b[?2048l" if self._in_band_window_resize else ""
        self.write(f"\x1b[<u{_APP_OFF}{in_band}\x1b[?1049l{shown}")
        self._given = _Given(sink, undone, self._in_band_window_resize, termios.tcgetattr(self.fileno))
        self._in_band_window_resize = False  # a signal tells the size meanwhile
        tty.setraw(self.fileno, termios.TCSANOW)

    def take_back(self) -> None:
        """The terminal is the app's again, which paints next."""
        given, self._given = self._given, None
        if given is None:
            return
        self._cursor = None
        self.write(given.undone())
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(self.fileno, termios.TCSANOW, given.attributes)
        self._in_band_window_resize = given.in_band
        self.write("\x1b[?1049h\x1b[?25l\x1b[?1004h\x1b[?2004h\x1b[?7l" + ("\x1b[?2048h" if given.in_band else ""))
        self._enable_mouse_support()
        if not constants.DISABLE_KITTY_KEY:
            self.write(f"\x1b[>{TEXTUAL_KITTY}u")

    def pass_through(self, data: bytes) -> None:
        """Write what the program wrote, while the terminal is its own."""
        if self._output is not None:
            self._output.write(data)

    @property
    def may_be_given(self) -> bool:
        """Whether there is a terminal of the reader's to give away."""
        return self._output is not None and os.isatty(self.fileno)

    def write(self, data: str) -> None:
        """Write to the terminal; never waits for it. Nothing while it is a program's."""
        if self._given is not None:
            return
        if self._output is not None:
            self._output.write(data)
        elif not self._gone:
            super().write(data)

    def capture(
        self, sink: Callable[[bytes], None], wants_paste: Callable[[], bool], mirror: ModeMirror | None = None
    ) -> None:
        """From now on what is typed goes to `sink`, which is called in the input thread.

        `mirror` keeps the terminal's modes as the program wants them; they go when the terminal is given back.
        """
        self._mirror = mirror
        self._tap = Tap(wants_paste)
        self._sink = sink

    def release(self) -> None:
        """Keys become Textual's events again."""
        self._mirror = None
        self._sink = None
        self._tap = None

    @property
    def backlog(self) -> int:
        """Writes, or bytes, waiting for the terminal. Past 30 writes Textual's own would block the event loop."""
        if self._output is not None:
            return self._output.pending
        writer = self._writer_thread
        return 0 if writer is None else writer._queue.qsize()

    def show_cursor(self, x: int, y: int, shape: int) -> None:
        """Put the terminal's own cursor there; `shape` as in DECSCUSR."""
        if self._writer_thread is None:
            return
        text = "" if self._cursor else "\x1b[?25h"
        if shape != (self._cursor[2] if self._cursor else 0):
            text += f"\x1b[{shape} q"
        self._cursor = (x, y, shape)
        self.write(f"{text}\x1b[{y + 1};{x + 1}H")

    def hide_cursor(self) -> None:
        """Take the terminal's cursor off the screen."""
        if self._cursor is None or self._writer_thread is None:
            return
        shaped = self._cursor[2]
        self._cursor = None
        self.write("\x1b[?25l" + ("\x1b[0 q" if shaped else ""))

    def run_input_thread(self) -> None:
        """Textual's input loop with the tap in front of its parser."""
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        early = bytes(getattr(self._app, "typed_early", b""))
        try:
            for event in parser.feed(decode(early)) if early else ():
                self.process_message(event)
            while not self.exit_event.is_set():
                data = b""
                if poll.poll(100):
                    if not (read := self._read()):
                        return
                    data = self._split(read)
                elif (tap := self._tap) is not None and (sink := self._sink) is not None and (rest := tap.flush()):
                    sink(rest)
                if data:
                    for event in parser.feed(decode(data)):
                        self.process_message(event)
                for event in parser.tick():
                    self.process_message(event)
        finally:
            try:
                for _event in parser.feed(""):
                    pass
            except (EOFError, ParseError):
                pass

    def _read(self) -> bytes:
        """What has been typed; at its end nothing, and if it was a terminal, the app ends with it."""
        try:
            data = os.read(self.fileno, READ)
        except OSError:  # EIO: it has hung up
            data = b""
        if not data and self._output is not None:
            self._app.call_later(self._end)
        return data

    def _split(self, data: bytes) -> bytes:
        """Hand the child its part; returns the app's."""
        if (given := self._given) is not None:
            given.sink(data)
            return b""
        tap, sink = self._tap, self._sink
        if tap is None or sink is None:
            return data
        typed, rest = tap.feed(data)
        if typed:
            sink(typed)
        return rest


def driver_of(app: App[Any]) -> TerminalDriver | None:
    """The driver of an app that has a terminal."""
    driver = app._driver
    return driver if isinstance(driver, TerminalDriver) else None


@contextmanager
def joined(driver: TerminalDriver | None) -> Iterator[None]:
    """What is written inside reaches the terminal in one piece."""
    output = None if driver is None else driver._output
    if output is None:
        yield
        return
    output.hold()
    try:
        yield
    finally:
        output.release()
