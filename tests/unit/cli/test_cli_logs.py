"""Several logs as one: by time, whole lines, none held back by one that says nothing."""

from __future__ import annotations

import re
from _socket import socket
from socket import socketpair

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cli.logfilter import LineFilter
from core.cli.logstreams import Line, Source, merged
from core.client.transport import Response
from core.wire.streams import frame

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


def stamp(second: int) -> str:
    return f"2026-11-23T18:10:{second:02d}.5Z"


def record(second: int, text: str, stream: int = 1) -> bytes:
    return frame(stream, f"{stamp(second)} {text}\n".encode())


class Ends:
    """The engine's ends of some answers."""

    def __init__(self) -> None:
        self.socks: list[socket] = []

    def source(self, name: str, data: bytes = b"", *, ended: bool = True) -> Source:
        ours, theirs = socketpair()
        theirs.sendall(HEAD + data)
        if ended:
            theirs.close()
        else:
            self.socks.append(theirs)
        sock = socket(fileno=ours.detach())
        return Source(name, Response(sock), tty=False, number=ord(name[0]) - ord("a"))


def plain(lines: list[Line]) -> list[tuple[str, bytes]]:
    return [(line.source.name, line.data) for line in lines]


def test_lines_come_in_the_order_of_their_times() -> None:
    ends = Ends()
    sources = [
        ends.source("a", record(1, "one") + record(4, "four") + record(9, "nine")),
        ends.source("b", record(2, "two") + record(3, "three", 2)),
    ]
    found = [line for batch in merged(sources, follow=False) for line in batch]
    assert plain(found) == [("a", b"one\n"), ("b", b"two\n"), ("b", b"three\n"), ("a", b"four\n"), ("a", b"nine\n")]
    assert [line.stream for line in found] == [1, 1, 2, 1, 1]
    assert found[0].stamp == stamp(1)


@given(st.lists(st.lists(st.integers(0, 59), max_size=30).map(sorted), min_size=1, max_size=4), st.booleans())
def test_merging_sorts_and_loses_nothing(times: list[list[int]], follow: bool) -> None:
    ends = Ends()
    sources = [
        ends.source("abcd"[n], b"".join(record(second, f"{n} {second}") for second in each))
        for n, each in enumerate(times)
    ]
    found = [line for batch in merged(sources, follow=follow) for line in batch]
    assert [line.stamp for line in found] == sorted(stamp(second) for each in times for second in each)


def test_a_silent_one_holds_nobody_back_while_following() -> None:
    ends = Ends()
    sources = [ends.source("a", record(1, "one"), ended=False), ends.source("b", ended=False)]
    batches = merged(sources, follow=True)
    assert plain(next(batches)) == [("a", b"one\n")]
    ends.socks[1].sendall(record(2, "two"))
    assert plain(next(batches)) == [("b", b"two\n")]
    ends.socks[0].sendall(record(3, "thr"))
    assert plain(next(batches)) == [("a", b"thr\n")]
    for sock in ends.socks:
        sock.close()
    assert list(batches) == []


def test_a_last_line_without_newline_is_not_lost() -> None:
    ends = Ends()
    source = ends.source("a", frame(1, f"{stamp(1)} half".encode()))
    assert [plain(batch) for batch in merged([source], follow=False)] == [[("a", b"half")]]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@given(st.integers(1, 200))
def test_a_long_line_of_several_records_has_one_time(size: int) -> None:
    """The log cuts a line every 16 KiB; each record comes with its time, and the other stream's come between."""
    pieces = [
        (1, f"{stamp(1)} begins "), (2, f"{stamp(1)} other\n"), (1, f"{stamp(2)} {stamp(9)} goes on"),
        (1, f"{stamp(3)} and ends\n"), (1, f"{stamp(4)} {stamp(5)}\n"),
    ]  # fmt: skip
    data = b"".join(frame(stream, text.encode()) for stream, text in pieces)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    ours, theirs = socketpair()
    theirs.sendall(CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""]))
    theirs.close()
    source = Source("a", Response(socket(fileno=ours.detach())), tty=False)
    found = [
        (each.stream, each.stamp, each.data.decode()) for batch in merged([source], follow=False) for each in batch
    ]
    assert sorted(found) == [
        (1, stamp(1), f"begins {stamp(9)} goes onand ends\n"),
        (1, stamp(4), f"{stamp(5)}\n"),
        (2, stamp(1), "other\n"),
    ]


def line(text: bytes, stream: int = 1) -> Line:
    source = Ends().source("a")
    source.response.close()
    return Line(source, stream, stamp(1), text + b"\n")


@pytest.mark.parametrize(
    ("grep", "exclude", "level", "text", "wanted"),
    [
        ("104[12]", None, None, b"order 1042", True),
        ("104[12]", None, None, b"order 1043", False),
        ("ORDER", None, None, b"order", False),
        ("(?i)ORDER", None, None, b"order", True),
        ("red", None, None, b"\x1b[31mr\x1b[1med\x1b[m", True),
        ("order$", None, None, b"an order\r", True),
        (None, "health", None, b"GET /healthz", False),
        ("GET", "health", None, b"GET /", True),
        (None, None, "warn", b"ERROR x", True),
        (None, None, "warn", b"INFO x", False),
        (None, None, "warn", b"an error occurred", False),
        ("jar", None, "error", b"ERROR no jar", True),
    ],
)
def test_filters(grep: str | None, exclude: str | None, level: str | None, text: bytes, wanted: bool) -> None:
    patterns = [re.compile(each) if each is not None else None for each in (grep, exclude)]
    assert LineFilter(patterns[0], patterns[1], level)(line(text)) is wanted


def test_a_traceback_goes_with_its_error() -> None:
    wanted = LineFilter(None, None, "error")
    texts = [b"INFO a", b"  more", b"ERROR b", b"  File x", b"\tjar = 1", b"KeyError", b"  y"]
    assert [wanted(line(text)) for text in texts] == [False, False, True, True, True, False, False]
