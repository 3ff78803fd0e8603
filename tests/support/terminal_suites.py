"""Grades the emulator with two public suites that are no part of this project: esctest2 and libvterm's.

ONGGI_ESCTEST2 and ONGGI_LIBVTERM name checkouts of them; with ONGGI_FETCH_SUITES=1 they are cloned into a cache.
`python -m tests.support.terminal_suites` prints what fails.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual.events import MouseEvent

from tui.terminal import attrs
from tui.terminal.mouse import Kind, report
from tui.terminal.screen import FastScreen
from tui.terminal.stream import FastStream

SOURCES = {
    "esctest2": ("ONGGI_ESCTEST2", "https://github.com/ThomasDickey/esctest2"),
    "libvterm": ("ONGGI_LIBVTERM", "https://github.com/neovim/libvterm"),
}


@dataclass
class Grade:
    """What passed, and why the others did not."""

    passed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Passed of all, 0 to 1."""
        return len(self.passed) / max(1, len(self.passed) + len(self.failed))


def folder(suite: str) -> Path | str:
    """Where the suite lies, or why it is not there."""
    variable, address = SOURCES[suite]
    if path := os.environ.get(variable):
        return Path(path)
    cached = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "onggi-tests", suite)
    if not cached.exists() and os.environ.get("ONGGI_FETCH_SUITES"):
        clone = ["git", "clone", "--quiet", "--depth", "1", address, str(cached)]
        done = subprocess.run(clone, check=False, capture_output=True, text=True, timeout=60)
        if done.returncode:
            return f"cannot fetch {address}: {done.stderr.strip().splitlines()[-1:]}"
    return cached if cached.exists() else f"set {variable} to a checkout of {address}, or ONGGI_FETCH_SUITES=1"


# -- esctest2: its functions run here, with their reading and writing put onto an emulator


class _Terminal:
    """The emulator with what a window would add: its size may be set, and a rectangle be summed up (DECRQCRA)."""

    def __init__(self) -> None:
        self.screen = FastScreen(80, 25)
        self.stream = FastStream(self.screen)
        self.answers = ""
        self.screen.reply = self._reply
        self.screen.colours.update({10: "000000", 11: "ffffff"})

    def _reply(self, text: str) -> None:
        self.answers += text

    def write(self, text: str) -> None:
        if match := re.fullmatch(r"(?:\x1b\[|\x9b)(\d+);\d+;(\d+);(\d+);(\d+);(\d+)\*y", text):
            number, top, left, bottom, right = map(int, match.groups())
            cells = [row.chars[left - 1 : right] for row in self.screen.rows[top - 1 : bottom]]
            total = sum(ord(char[0]) if char else 0 for row in cells for char in row)
            self._reply(f"\x1bP{number}!~{0x10000 - total & 0xFFFF:04X}\x1b\\")
        elif match := re.fullmatch(r"\x1b\[8;(\d*)(?:;(\d*))?t", text):
            lines, columns = (int(n or 0) for n in match.groups())
            self.screen.resize(lines or self.screen.lines, columns or self.screen.columns)
        else:
            self.stream.feed(text.encode("latin-1"))


def esctest2(path: Path) -> Grade:
    """Run esctest2 at VT level 4."""
    where = str(path / "esctest")
    sys.path.insert(0, where)
    before = dict(sys.modules)
    for name in [name for name in before if name.partition(".")[0] == "tests"]:  # it has a package of that name
        del sys.modules[name]
    argv, sys.argv = sys.argv, [where, "--include", "^$", "--logfile", os.devnull, "--no-print-logs"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it leaves its log open
        try:
            return _esctest2()
        finally:
            sys.argv = argv
            sys.path.remove(where)
            for name in set(sys.modules) - set(before):
                del sys.modules[name]
            sys.modules.update(before)
            gc.collect()


def _esctest2() -> Grade:
    import esc  # type: ignore[import-not-found]
    import escargs  # type: ignore[import-not-found]
    import escio  # type: ignore[import-not-found]

    escio.Init = escio.Shutdown = lambda: None
    escio.Write = lambda *_args, **_options: None  # it begins to work when imported
    import esctest  # type: ignore[import-not-found]
    import esctypes  # type: ignore[import-not-found]

    escargs.args = escargs.parser.parse_args(["--max-vt-level", "4", "--logfile", os.devnull, "--timeout", "0"])
    esc.vtLevel = 4
    held = [_Terminal()]

    def write(text: str, sideChannelOk: bool = True) -> None:  # noqa: N803
        held[0].write(text)

    def read(count: int) -> str:
        terminal = held[0]
        if len(terminal.answers) < count:
            raise esctypes.InternalError("Timeout waiting to read.")
        text, terminal.answers = terminal.answers[:count], terminal.answers[count:]
        return text

    escio.Write, escio.read = write, read
    grade = Grade()
    for name, method in esctest.MatchingNamesAndMethods():
        held[0] = _Terminal()
        try:
            with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
                esctest.reset()
                method()
        except (esctypes.KnownBug, esctypes.InsufficientVTLevel):
            continue
        except Exception as error:
            grade.failed.append(f"{name}: {str(error).splitlines()[0] if str(error) else error!r}")
        else:
            grade.passed.append(name)
    return grade


# -- libvterm: its scripts, of which we can see the cursor, rows, pen, answers, and reports of the mouse


def libvterm(path: Path) -> Grade:
    """Run the checks of libvterm's scripts that look at the cursor, rows of the screen, answers and the mouse."""
    grade = Grade()
    for script in sorted((path / "t").glob("[1-9]*.test")):
        run = _Script(script.name, grade)
        for number, line in _lines(script.read_text()):
            run.line(number, line)
        run.settle()
    return grade


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line == "__END__":
            return
        if not line or line.startswith("#"):
            continue
        if match := re.fullmatch(r"\$SEQ\s+(\d+)\s+(\d+):\s*(.*)", line):
            for value in range(int(match[1]), int(match[2]) + 1):
                yield number, match[3].replace(r"\#", str(value))
        elif match := re.fullmatch(r"\$REP\s+(\d+):\s*(.*)", line):
            for _ in range(int(match[1])):
                yield number, match[2]
        else:
            yield number, line


_TYPED = ("INCHAR", "INKEY", "FOCUS", "PASTE")
"""What we have no part in: keys go to the program as the outer terminal spells them."""
_WHEEL: tuple[Kind, ...] = ("up", "down", "left", "right")


class _Script:
    def __init__(self, name: str, grade: Grade) -> None:
        self.name = name
        self.grade = grade
        self.size = (25, 80)
        self.answers: list[str] = []
        self.expected: list[str] | None = None
        self.at = 0
        self.mouse = (0, 0)
        self.button = 0  # the one that is held
        self._fresh()

    def _fresh(self) -> None:
        lines, columns = self.size
        self.screen = FastScreen(columns, lines)
        self.screen.reply = self.answers.append
        self.stream = FastStream(self.screen)

    def line(self, number: int, line: str) -> None:
        if line.startswith(("!", "PUSH", "RESET", "RESIZE", "WANT", "INIT", "UTF8", *_TYPED, "MOUSE")):
            self.settle()
            self.at = number
        if match := re.fullmatch(r"RESIZE\s+(\d+)\s*,\s*(\d+)", line):
            self.size = int(match[1]), int(match[2])
            self.screen.resize(*self.size)
        elif line in ("RESET", "INIT"):
            if line == "INIT":
                self.size = (25, 80)
            self._fresh()
        elif line.startswith("PUSH "):
            self.answers.clear()
            self.stream.feed(_perl(line[5:]).encode("latin-1"))
            self.expected = []
        elif match := re.fullmatch(r"MOUSEMOVE\s+(\d+),(\d+).*", line):
            at = int(match[2]), int(match[1])
            if at != self.mouse:
                self.mouse = at
                self._report("move", self.button)
        elif match := re.fullmatch(r"MOUSEBTN\s+([du])\s+(\d)\s+(\w+)", line):
            self._click(match[1] == "d", int(match[2]), match[3])
        elif line.startswith("output ") and self.expected is not None:
            self.expected.append(_perl(line[7:]))
        elif match := re.fullmatch(r"\?(cursor|screen_row|screen_chars|pen)\s*([^=]*?)\s*=\s*(.*)", line):
            self.grade_one(number, f"{match[1]} {match[2]}", self.look(match[1], match[2]), match[3])

    def _click(self, down: bool, button: int, modifiers: str) -> None:
        if button >= 4:
            self._report(_WHEEL[button - 4], 0, modifiers)
            return
        self._report("press" if down else "release", button, modifiers)
        self.button = button if down else 0

    def _report(self, kind: Kind, button: int, modifiers: str = "") -> None:
        x, y = self.mouse
        event = MouseEvent(None, x, y, 0, 0, button, "S" in modifiers, "A" in modifiers, "C" in modifiers)
        told = report(event, kind, self.screen.mode)
        self.answers.clear()
        self.answers.append((told or b"").decode("latin-1"))
        self.expected = []

    def settle(self) -> None:
        if self.expected:
            want, got = "".join(self.expected), "".join(self.answers)
            self._note(self.at, want == got, f"output {got!r}, not {want!r}")
        self.expected = None

    def grade_one(self, number: int, what: str, got: str, want: str) -> None:
        if want.startswith('"'):
            want = _perl(want)
        elif re.fullmatch(r"0x[0-9a-fx,]+", want) and what.startswith("screen"):
            want = _codes(what, want)
        elif what.startswith("screen") and not want:
            want = ""
        if what.startswith("screen"):  # we do not tell a blank from a cell never written
            got, want = got.rstrip(" "), want.rstrip(" ")
        self._note(number, got == want, f"{what} is {got!r}, not {want!r}")

    def look(self, what: str, where: str) -> str:
        screen = self.screen
        if what == "cursor":
            return f"{screen.cursor.y},{min(screen.cursor.x, screen.columns - 1)}"
        if what == "screen_row":
            return screen.rows[int(where)].text()
        if what == "screen_chars":
            top, left, bottom, right = (int(n) for n in where.split(","))
            rows = ["".join(row.chars[left:right]).rstrip(" ") for row in screen.rows[top:bottom]]
            return "\n".join(rows)
        return _pen(screen.cursor.attrs, where)

    def _note(self, number: int, good: bool, why: str) -> None:
        where = f"{self.name}:{number}"
        if good:
            self.grade.passed.append(where)
        else:
            self.grade.failed.append(f"{where}: {why}")


def _pen(attr: attrs.Attr, what: str) -> str:
    flags = {"bold": attrs.BOLD, "italic": attrs.ITALIC, "blink": attrs.BLINK, "reverse": attrs.REVERSE}
    if what in flags:
        return "on" if attr.flags & flags[what] else "off"
    if what == "underline":
        kinds = ((attrs.DOUBLE_UNDERLINE, "2"), (attrs.CURLY_UNDERLINE, "3"), (attrs.UNDERLINE, "1"))
        return next((name for flag, name in kinds if attr.flags & flag), "0")
    if what in ("foreground", "background"):
        colour = attr.fg if what == "foreground" else attr.bg
        if colour == attrs.DEFAULT:
            return "rgb(240,240,240,is_default_fg)" if what == "foreground" else "rgb(0,0,0,is_default_bg)"
        if colour & attrs.RGB:
            return f"rgb({colour >> 16 & 255},{colour >> 8 & 255},{colour & 255})"
        return f"idx({colour})"
    return "unseen"


def _codes(what: str, want: str) -> str:
    numbers = [int(n, 16) for n in want.split(",")]
    if what.startswith("screen_row"):
        with contextlib.suppress(UnicodeDecodeError, ValueError):
            return bytes(numbers).decode()
    return "".join(map(chr, numbers))


_PART = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\s*x\s*(\d+))?')
_ESCAPE = re.compile(r"\\(?:x\{([0-9a-fA-F]+)\}|x([0-9a-fA-F]{1,2})|(.))")
_PLAIN: dict[str, Any] = {"e": "\x1b", "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "a": "\a", "0": "\0"}


def _perl(text: str) -> str:
    """The value of such an expression as `"a\\e[m" . "b"x10`."""

    def unescaped(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        return chr(int(code, 16)) if code else str(_PLAIN.get(match[3], match[3]))

    return "".join(_ESCAPE.sub(unescaped, part) * int(times or 1) for part, times in _PART.findall(text))


def main() -> None:
    """Print the grades."""
    for suite, grade_with in (("esctest2", esctest2), ("libvterm", libvterm)):
        where = folder(suite)
        if isinstance(where, str):
            print(f"{suite}: {where}")
            continue
        grade = grade_with(where)
        print(*grade.failed, sep="\n")
        print(f"{suite}: {len(grade.passed)} of {len(grade.passed) + len(grade.failed)}, {grade.share:.1%}")


if __name__ == "__main__":
    main()
