"""Recorded sessions of real programs, and what tmux makes of the same bytes.

A recording is a program's output on a pty, with the places at which its screen had come to rest. The program talks
to our own emulator meanwhile, so that its questions are answered as they would be.
"""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tui.terminal.attrs import PLAIN, PROTECTED
from tui.terminal.cells import Row
from tui.terminal.modal import DECCKM
from tui.terminal.screen import FastScreen
from tui.terminal.stream import FastStream

Cell = tuple[str, tuple[int, ...]]  # what the cell shows ("" behind a wide character) and its attribute's key
Picture = list[list[Cell]]

BLANK = (-1, -1, 0, *PLAIN.key[3:])  # the attribute of a blank that nobody sees
_CURSOR_KEY = re.compile(rb"\x1b\[([A-DHF])")
_QUIET = 0.3  # seconds without output after which a screen counts as at rest
_MOST = 4.0


@dataclass(frozen=True, slots=True)
class Recording:
    """`rests` are offsets into `data`."""

    columns: int
    lines: int
    data: bytes
    rests: tuple[int, ...]


def record(argv: Sequence[str], keys: Sequence[bytes], columns: int, lines: int, env: dict[str, str]) -> Recording:
    """Run `argv` and type `keys`, one piece each time its screen rests. Cursor keys are put as the program asks."""
    pid, fd = pty.fork()
    if pid == 0:
        try:
            time.sleep(0.05)  # the size comes first
            os.execvpe(argv[0], list(argv), env)
        finally:
            os._exit(127)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    screen = FastScreen(columns, lines)
    screen.colours.update({10: "f0f0f0", 11: "101010"})
    screen.reply = lambda text: (os.write(fd, text.encode()), None)[1]
    stream, data, rests = FastStream(screen), b"", []
    try:
        for piece in (b"", *keys):
            if piece:
                os.write(fd, _CURSOR_KEY.sub(b"\x1bO\\1", piece) if DECCKM in screen.mode else piece)
            heard = _until_quiet(fd, stream)
            data += heard
            if heard:
                rests.append(len(data))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)
    return Recording(columns, lines, data, tuple(rests))


def _until_quiet(fd: int, stream: FastStream) -> bytes:
    heard, end = b"", time.monotonic() + _MOST
    while time.monotonic() < end and select.select([fd], [], [], _QUIET if heard else 1.5)[0]:
        try:
            data = os.read(fd, 65536)
        except OSError:  # EIO: it has ended
            break
        stream.feed(data)
        heard += data
    return heard


# -- pictures


def picture(screen: FastScreen) -> Picture:
    """What our screen shows, without the blanks at the ends of rows."""
    return [_cells(row) for row in screen.rows]


def ours(recording: Recording) -> list[Picture]:
    """Our picture at each rest."""
    screen = FastScreen(recording.columns, recording.lines)
    stream = FastStream(screen, strict=True)
    out, at = [], 0
    for rest in recording.rests:
        stream.feed(recording.data[at:rest])
        at = rest
        out.append(picture(screen))
    return out


def tmuxs(recording: Recording) -> list[Picture]:
    """What tmux shows at each rest. Needs tmux."""
    with tempfile.TemporaryDirectory() as folder:
        pipe, done = f"{folder}/pipe", f"{folder}/done"
        os.mkfifo(pipe)
        os.mkfifo(done)
        size = ["-x", str(recording.columns), "-y", str(recording.lines)]
        tmux = ["tmux", "-f", "/dev/null", "-S", f"{folder}/socket"]
        # the pane copies a piece, asks where the cursor is, and says so when the answer has come
        script = (
            f"stty raw -echo; while cat {pipe}; do printf '\\033[6n'; dd bs=64 count=1 of={done} 2>/dev/null; done"
        )
        setup = ["set", "-g", "status", "off", ";", "set", "-sg", "default-terminal", "tmux-256color", ";"]
        subprocess.run([*tmux, "start", ";", *setup, "new", "-d", *size, script], check=True)
        try:
            out, at = [], 0
            for rest in recording.rests:
                Path(pipe).write_bytes(recording.data[at:rest])
                Path(done).read_bytes()
                at = rest
                shown = subprocess.run([*tmux, "capture-pane", "-p", "-e", "-N"], check=True, capture_output=True)
                out.append(parsed(shown.stdout.decode(), recording.columns, recording.lines))
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)
    return out


def parsed(text: str, columns: int, lines: int) -> Picture:
    """tmux's capture: rows of text and SGR, whose state goes on from row to row; SO and SI around line drawing."""
    rows = (text.split("\n") + [""] * lines)[:lines]
    screen = FastScreen(columns, lines)
    screen.reset_private_mode(7)
    screen.define_charset("0", ")")
    stream = FastStream(screen, strict=True)
    for y, row in enumerate(rows):
        stream.feed(f"\x1b[{y + 1}H{row}".encode())
    return picture(screen)


def _cells(row: Row) -> list[Cell]:
    cells = [
        (char, (attr.fg, attr.bg, attr.flags & ~PROTECTED, *attr.key[3:]))
        for char, attr in zip(row.chars, row.attrs, strict=True)
    ]
    # nobody sees the foreground of a blank
    cells = [(" ", (-1, *key[1:])) if char == " " and not key[2] else (char, key) for char, key in cells]
    while cells and cells[-1] == (" ", BLANK):
        cells.pop()
    return cells


def differences(ours: Picture, theirs: Picture) -> list[tuple[int, int, Cell | None, Cell | None]]:
    """The cells in which our picture and tmux's differ, as (row, column, ours, theirs).

    tmux's capture leaves out erased cells at the end of a row whatever their background, so those are not compared.
    """
    out = []
    for y, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        for x in range(max(len(mine), len(other))):
            a = mine[x] if x < len(mine) else None
            b = other[x] if x < len(other) else None
            if a != b and not (b is None and a is not None and a[0] == " " and not a[1][2]):
                out.append((y, x, a, b))
    return out


# -- files


def save(path: Path, recording: Recording, pictures: list[Picture]) -> None:
    """Write a recording and its pictures, gzipped JSON."""
    value = {
        "columns": recording.columns,
        "lines": recording.lines,
        "data": recording.data.decode("latin-1"),
        "rests": recording.rests,
        "pictures": [[_runs(row) for row in shown] for shown in pictures],
    }
    packed = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(packed, mtime=0))


def load(path: Path) -> tuple[Recording, list[Picture]]:
    """What `save` wrote."""
    value = json.loads(gzip.decompress(path.read_bytes()))
    recording = Recording(value["columns"], value["lines"], value["data"].encode("latin-1"), tuple(value["rests"]))
    return recording, [[_unrun(row) for row in shown] for shown in value["pictures"]]


def _runs(row: list[Cell]) -> list[list[object]]:
    out: list[list[object]] = []
    for char, key in row:
        if out and out[-1][1] == list(key):
            out[-1][0].append(char)  # type: ignore[attr-defined]
        else:
            out.append([[char], list(key)])
    return [["".join(chars) if all(len(c) == 1 for c in chars) else chars, key] for chars, key in out]  # type: ignore[attr-defined]


def _unrun(row: list[list[object]]) -> list[Cell]:
    return [(char, tuple(key)) for chars, key in row for char in chars]  # type: ignore[attr-defined, arg-type]
