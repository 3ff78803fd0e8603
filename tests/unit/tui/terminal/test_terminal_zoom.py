import fcntl
import os
import pty
import socket
import struct
import termios
import threading

import pytest

from tui.terminal.screen import FastScreen
from tui.terminal.session import Session
from tui.terminal.source import FdSource
from tui.terminal.stream import FastStream
from tui.terminal.zoom import copy, picture, undo


class Silent:
    def output_came(self) -> None: ...

    def source_ended(self) -> None: ...

    def keys_went(self, taken: bool) -> None: ...

    def keys_held(self, held: bool) -> None: ...


@pytest.mark.parametrize(
    "output",
    [
        b"\x1b[1;31mred\x1b[m \x1b[48;5;200mx\x1b[38;2;1;2;3my\x1b[m\r\n\x1b[7mrev",
        "옹기 e\u0301\x1b[3;5H\x1b[4m".encode(),
        b"\x1b[?1049h\x1b[2;2Hfull screen",
    ],
)
def test_a_picture_draws_the_same_screen(output: bytes) -> None:
    first, second = FastScreen(20, 5), FastScreen(20, 5)
    FastStream(first, strict=True).feed(output)
    FastStream(second, strict=True).feed(picture(first).encode())
    assert second.display == first.display and second.alternate == first.alternate
    assert [[a.key for a in row.attrs] for row in second.rows] == [[a.key for a in row.attrs] for row in first.rows]
    assert (second.cursor.x, second.cursor.y) == (first.cursor.x, first.cursor.y)
    assert second.cursor.attrs.key == first.cursor.attrs.key


def test_undo_undoes() -> None:
    screen = FastScreen(20, 5)
    stream = FastStream(screen, strict=True)
    fresh = set(screen.mode)
    stream.feed(
        b"\x1b[?1049h\x1b[?1;6;1002;1006;1004;2004h\x1b[?25;7l\x1b[4h\x1b=\x1b[>1u\x1b[>5u\x1b[2;3r\x1b(0\x1b[1m"
    )
    stream.feed(undo(screen).encode())
    assert screen.mode == fresh and not screen.alternate and screen.kitty == []
    assert screen.margins is None and not any(screen.graphics) and screen.cursor.attrs.key == (-1, -1, 0)


def test_bytes_go_both_ways_until_the_source_ends() -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
    before = termios.tcgetattr(slave)
    ours, theirs = socket.socketpair()
    session = Session(Silent())
    session.source = FdSource(ours.detach())
    sizes: list[tuple[int, int]] = []
    copying = threading.Thread(target=copy, args=(session, slave, slave, lambda c, r: sizes.append((c, r))))
    copying.start()
    shown = b""
    while b"H" not in shown[-8:]:
        shown += os.read(master, 65536)
    os.write(master, b"\x1b[A\x10")
    got = b""
    while len(got) < 4:
        got += theirs.recv(10)
    assert got == b"\x1b[A\x10"
    theirs.sendall(b"\x1b[?1049h\x1b[2J\x1b[1;1Hhello\x1b[6n")
    shown = b""
    while b"\x1b[6n" not in shown:
        shown += os.read(master, 65536)
    theirs.close()
    while b"\x1b[?1049l" not in shown:
        shown += os.read(master, 65536)
    copying.join(10)
    assert not copying.is_alive() and sizes == [(90, 30)]
    assert session.screen.display[0].startswith("hello") and session.screen.columns == 90
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
    session.source.close()
