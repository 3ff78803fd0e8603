"""From bytes to calls on the screen: one compiled pattern over the decoded chunk, and a slow path for the odd.

ECMA-48 and xterm's ctlseqs give the grammar, the VT500 parser (vt100.net) the treatment of controls inside of
sequences: C0 is executed in place, CAN and SUB cancel, ESC begins anew. C1 controls count as their ESC form.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from math import inf
from time import monotonic
from typing import Final

import pyte

from tui.terminal import flood
from tui.terminal.attrs import number, sgr
from tui.terminal.screen import FastScreen
from tui.terminal.scrollback import Raw

_TEXT, _NEWLINE, _SGR, _CSI, _CONTROL, _OSC, _STRING, _ESCAPE, _ODD = 1, 6, 7, 9, 13, 14, 16, 19, 22
_TOKEN: Final = re.compile(
    # most output is text behind a CUP, an SGR or both: taken in one step, it costs half
    r"((?:\x1b\[([0-9]{1,4});([0-9]{1,4})H)?(?:\x1b\[([0-9;:]*)m)?([^\x00-\x1f\x7f-\x9f]+))"
    r"|(\r\n)"
    r"|(\x1b\[([0-9;:]*)m)"
    r"|(\x1b\[([<=>?]?[0-9;:]*)([ -/]*)([@-~]))"
    r"|([\x00-\x1a\x1c-\x1f\x7f])"
    r"|(\x1b\]([^\x00-\x1f\x80-\x9f]*)(?:\x07|\x1b\\))"
    r"|(\x1b([PX^_])([^\x00-\x1f\x80-\x9f]*)\x1b\\)"
    r"|(\x1b([ -/]*)([0-OQ-WYZ\\`-~]))"
    r"|([\x1b\x80-\x9f])",
)
_UNFINISHED: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x00-\x1f\x7f-\x9f]*\x1b?|[ -/]*)\Z",
)
_STRINGS: Final = ("]", "P", "X", "^", "_")
_STRING_END: Final = re.compile(r"[\x07\x18\x1a\x1b\x9c]")
_SEQUENCE_END: Final = re.compile(r"[\x18\x1a\x1b@-~]")
_SLICE: Final = 4096  # characters between two looks at the clock: about a millisecond of dense input
_MOST_STRING: Final = 65536
_MOST_SEQUENCE: Final = 1024
_MOST_COMMANDS: Final = 8192
_PREFIXES: Final = ("<", "=", ">", "?")


Handler = Callable[..., None]


def _nothing(*_: int) -> None:
    """What nobody knows is swallowed."""


def _numbers(text: str) -> tuple[int, ...]:
    """The parameters of a CSI sequence; colons count as separators; at most 32 are kept."""
    return tuple(number(p) for p in text.replace(":", ";").split(";")[:32]) if text else ()


class FastStream(pyte.ByteStream):  # type: ignore[misc]  # pyte is followed as untyped
    """Feeds a `FastScreen`. `errors` counts handlers that raised; with `strict` they raise to the caller."""

    def __init__(self, screen: FastScreen, *, strict: bool = False, skip: bool = True) -> None:
        super().__init__()
        self.screen = screen
        self.strict = strict
        self.skip = skip
        self.errors = 0
        self._text = ""  # decoded, not yet executed
        self._failed = 0  # end of the last token begun
        self._discarding: re.Pattern[str] | None = None  # throwing an over-long sequence away, up to this
        if skip:
            screen.scrollback.lay = partial(_lay, screen)
        self._commands: dict[str, tuple[Handler, tuple[int, ...]]] = {}
        self._controls = _controls(screen)
        self._escapes = _escapes(screen)
        self._sequences = _sequences(screen)

    def feed(self, data: bytes, deadline: float = inf) -> bool:
        """Execute `data` after what is left from before, until `deadline` (of `time.monotonic`).

        Returns whether all was executed; if not, `feed(b"")` goes on.
        """
        text = self._text + self.utf8_decoder.decode(data)
        self._text = ""
        at, size, look, first = 0, len(text), 0 if self.skip else inf, True
        if self._discarding is not None:
            at = self._discard(text)
        while at < size:
            if not first and monotonic() >= deadline:
                self._text = text[at:]
                return False
            first = False
            if at >= look:
                at, look = flood.skip(self.screen, text, at)
            at, cut = self._run(text, at, min(at + _SLICE, size))
            if cut:
                self._keep(text[at:])
                break
        return True

    def forget(self) -> None:
        """Drop what is not executed yet: what comes next has nothing to do with it."""
        self._text, self._discarding = "", None
        self.utf8_decoder.reset()

    def _keep(self, text: str) -> None:
        """Keep an unfinished sequence for the next read, unless it has grown beyond all reason."""
        if text[1:2] in _STRINGS:
            self._text, self._discarding = (text, None) if len(text) < _MOST_STRING else ("", _STRING_END)
        else:
            self._text, self._discarding = (text, None) if len(text) < _MOST_SEQUENCE else ("", _SEQUENCE_END)

    def _run(self, text: str, at: int, end: int) -> tuple[int, bool]:
        """Execute tokens from `at` to about `end`; returns how far, and whether there a sequence is cut off."""
        while at < end:
            at = self._guarded(text, at, end)
            if at >= end:
                break
            match = _TOKEN.match(text, at)
            if match is not None and match.lastindex != _ODD:
                end = match.end()
            elif _UNFINISHED.match(text, at):
                return at, True
            else:
                at = self._odd(text, at + 1)
        return at, False

    def _guarded(self, text: str, at: int, end: int) -> int:
        """`_tokens`, going on behind a token whose handler raised: a defect of ours must not end a session."""
        try:
            return self._tokens(text, at, end)
        except Exception:
            if self.strict:
                raise
            self.errors += 1
            return self._failed

    def _tokens(self, text: str, at: int, end: int) -> int:
        """The fast path; returns `end`, or where something for the slow path begins."""
        screen = self.screen
        draw, place, index = screen.draw, screen.cursor_position, screen.linefeed
        controls, commands, cursor = self._controls, self._commands, screen.cursor
        for match in _TOKEN.finditer(text, at, end):
            kind = match.lastindex
            self._failed = match.end()
            if kind == _TEXT:
                line, column, params, drawn = match.group(2, 3, 4, 5)
                if line is not None:
                    place(int(line), int(column))
                if params is not None:
                    attr = cursor.attrs
                    cursor.attrs = attr.next.get(params) or sgr(attr, params)
                draw(drawn)
            elif kind == _NEWLINE:
                if screen.sides is None:
                    cursor.x = 0
                else:
                    screen.carriage_return()
                index()
            elif kind == _SGR:
                attr, params = cursor.attrs, match.group(8)
                cursor.attrs = attr.next.get(params) or sgr(attr, params)
            elif kind == _CSI:
                handler, numbers = commands.get(match.group(9)) or self._command(match)
                handler(*numbers)
            elif kind == _CONTROL:
                control = controls.get(match.group())
                if control is not None:
                    control()
            elif kind == _OSC:
                screen.operating_system_command(match.group(15))
            elif kind == _STRING:
                if match.group(17) == "P":
                    screen.device_control(match.group(18))
            elif kind == _ESCAPE:
                self._escape(match.group(20), match.group(21))
                cursor = screen.cursor
            else:
                return match.start()
        return end

    def _command(self, match: re.Match[str]) -> tuple[Handler, tuple[int, ...]]:
        """What a control sequence calls, remembered by its text."""
        params = match.group(10)
        prefix = params[:1] if params[:1] in _PREFIXES else ""
        handler = self._sequences.get(prefix + match.group(11) + match.group(12), _nothing)
        if len(self._commands) >= _MOST_COMMANDS:
            self._commands.clear()
        command = self._commands[match.group(9)] = handler, _numbers(params[len(prefix) :])
        return command

    def _escape(self, between: str, final: str) -> None:
        if not between:
            handler = self._escapes.get(final)
            if handler is not None:
                handler()
        elif between == "#" and final == "8":
            self.screen.alignment_display()
        elif between in ("(", ")", "*", "+"):
            self.screen.define_charset(final, between)

    def _odd(self, text: str, at: int) -> int:
        """A sequence that the pattern did not take whole, `at` being behind its first character.

        Controls inside are executed, the rest is put together and executed as if it had been clean. If the
        text ends first, what is clean of it is kept for the next read.
        """
        first = text[at - 1]
        clean = ["\x1b"] if first == "\x1b" else ["\x1b", chr(ord(first) - 0x40)]
        executed: list[str] = []
        done = _finishes(clean)
        size = len(text)
        while not done and at < size:
            char = text[at]
            string = len(clean) > 1 and clean[1] in _STRINGS
            if char == "\x1b" and string and text[at + 1 : at + 2] in ("\\", ""):
                clean.append("\x1b\\" if at + 1 < size else "\x1b")
                done = at + 1 < size
                at += 2
                continue
            if char == "\x1b" or "\x80" <= char < "\x9c" or "\x9c" < char < "\xa0":
                clean.clear()  # a new sequence begins here
                break
            at += 1
            if char in "\x18\x1a":
                clean.clear()
                break
            if string and (char == "\x9c" or (char == "\x07" and clean[1] == "]")):
                clean.append("\x1b\\")
                done = True
            elif char < " " or char in "\x7f\x9c":
                executed += [] if string else [char]
            else:
                clean.append(char)
                done = _finishes(clean)
        at = min(at, size)
        self._guarded("".join(executed), 0, len(executed))
        if done:
            sequence = "".join(clean)
            self._guarded(sequence, 0, len(sequence))
        elif clean:
            self._keep("".join(clean))
        return at

    def _discard(self, text: str) -> int:
        """Throw the rest of an over-long sequence away; returns where plain life begins again."""
        assert self._discarding is not None
        match = self._discarding.search(text)
        if match is None:
            return len(text)
        self._discarding = None
        return match.start() if match.group() == "\x1b" else match.end()


def _finishes(clean: list[str]) -> bool:
    """Whether the last character ends the sequence (strings end elsewhere)."""
    if len(clean) < 2 or clean[1] in _STRINGS:
        return False
    final = clean[-1]
    if clean[1] == "[":
        return len(clean) > 2 and "@" <= final <= "~"
    return "0" <= final <= "~"


def _lay(screen: FastScreen, raw: Raw) -> list[bytes]:
    """The rows that raw output makes at the present width."""
    scratch = FastScreen(screen.columns, 2, history=1 << 30)
    scratch.cursor.attrs = raw.attr
    FastStream(scratch, skip=False).feed(raw.data)
    for row in scratch.rows[: scratch.cursor.y]:
        scratch.scrollback.push(row)
    return scratch.scrollback.rows()


def _controls(screen: FastScreen) -> dict[str, Handler]:
    return {
        "\a": screen.bell,
        "\b": screen.cursor_back,
        "\t": screen.tab,
        "\n": screen.linefeed,
        "\v": screen.linefeed,
        "\f": screen.linefeed,
        "\r": screen.carriage_return,
        "\x0e": lambda: screen.shift_charset(1),
        "\x0f": lambda: screen.shift_charset(0),
    }


def _escapes(screen: FastScreen) -> dict[str, Handler]:
    return {
        "6": screen.back_index,
        "7": screen.save_cursor,
        "8": screen.restore_cursor,
        "9": screen.forward_index,
        "V": screen.start_guarding,
        "W": screen.end_guarding,
        "=": lambda: screen.set_private_mode(66),
        ">": lambda: screen.reset_private_mode(66),
        "D": screen.index,
        "E": screen.next_line,
        "H": screen.set_tab_stop,
        "M": screen.reverse_index,
        "Z": screen.report_device_attributes,
        "c": screen.reset,
        "n": lambda: screen.shift_charset(2),
        "o": lambda: screen.shift_charset(3),
    }


def _sequences(screen: FastScreen) -> dict[str, Handler]:
    def region(scroll: Callable[[int, int, int], None]) -> Handler:
        return lambda count=0, *_: scroll(*screen.region, count or 1)

    def to_first_column(move: Handler) -> Handler:
        def moved(count: int = 0, *_: int) -> None:
            move(count)
            screen.carriage_return()

        return moved

    def kind(handler: Handler, prefix: str) -> Handler:
        return lambda *params: handler(prefix, *params)

    return {
        "@": screen.insert_characters,
        "A": screen.cursor_up,
        "B": screen.cursor_down,
        "C": screen.cursor_forward,
        "D": screen.cursor_back,
        "E": to_first_column(screen.cursor_down),
        "F": to_first_column(screen.cursor_up),
        "G": screen.cursor_to_column,
        "H": screen.cursor_position,
        "I": screen.tab,
        "J": screen.erase_in_display,
        "K": screen.erase_in_line,
        "L": screen.insert_lines,
        "M": screen.delete_lines,
        "P": screen.delete_characters,
        "S": region(screen.scroll_up),
        "T": region(screen.scroll_down),
        "X": screen.erase_characters,
        "Z": screen.tab_back,
        "`": screen.cursor_to_column,
        "a": screen.cursor_forward,
        "b": screen.repeat,
        "d": screen.cursor_to_line,
        "e": screen.cursor_down,
        "f": screen.cursor_position,
        "j": screen.cursor_back,
        "k": screen.cursor_up,
        "g": screen.clear_tab_stop,
        "h": screen.set_mode,
        "l": screen.reset_mode,
        "r": screen.set_margins,
        "s": screen.set_sides,
        "t": screen.report_window,
        "u": screen.restore_cursor,
        "?s": screen.save_modes,
        "?r": screen.restore_modes,
        "'}": screen.insert_columns,
        "'~": screen.delete_columns,
        "$v": screen.copy_rectangle,
        "$x": screen.fill_rectangle,
        "$z": screen.erase_rectangle,
        "${": screen.selective_erase_rectangle,
        "?h": screen.set_private_mode,
        "?l": screen.reset_private_mode,
        "?J": screen.selective_erase_in_display,
        "?K": screen.selective_erase_in_line,
        "!p": screen.soft_reset,
        " q": screen.set_cursor_shape,
        '"q': screen.set_protection,
        ">m": screen.set_key_modifiers,
        ">q": screen.report_version,
        "c": kind(screen.report_device_attributes, ""),
        ">c": kind(screen.report_device_attributes, ">"),
        "=c": kind(screen.report_device_attributes, "="),
        "n": kind(screen.report_device_status, ""),
        "?n": kind(screen.report_device_status, "?"),
        "$p": kind(screen.report_mode, ""),
        "?$p": kind(screen.report_mode, "?"),
        ">u": kind(screen.set_keyboard, ">"),
        "<u": kind(screen.set_keyboard, "<"),
        "=u": kind(screen.set_keyboard, "="),
    }
