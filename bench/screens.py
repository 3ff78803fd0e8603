"""Terminal output of typical kinds, made the same each time."""

from __future__ import annotations

import random

_COLUMNS, _LINES = 120, 40


def _dense() -> bytes:
    dice = random.Random(1)
    out = []
    for _frame in range(60):
        for y in range(_LINES):
            out.append(f"\x1b[{y + 1};1H")
            out += [
                f"\x1b[3{dice.randrange(8)};4{dice.randrange(8)}m" + "".join(dice.choices("abcdef ghij", k=8))
                for _x in range(0, _COLUMNS, 8)
            ]
    return "".join(out).encode()


def _motion() -> bytes:
    dice = random.Random(2)
    return b"".join(
        b"\x1b[%d;%dH%c" % (dice.randint(1, _LINES), dice.randint(1, _COLUMNS), dice.randint(33, 126))
        for _ in range(60_000)
    )


WORKLOADS: dict[str, bytes] = {
    "plain log text": b"".join(
        b"2026-01-01 12:00:00 INFO  request %d handled in %d ms by worker %d of the pool\r\n" % (n, n % 97, n % 13)
        for n in range(40_000)
    ),
    "`yes`": b"y\r\n" * 700_000,
    "`ls` in colours": b"".join(
        b"\x1b[0m\x1b[01;34mdir%d\x1b[0m  \x1b[01;32mfile%d\x1b[0m   text%d.txt\r\n" % (n, n, n)
        for n in range(40_000)
    ),
    "true-colour log": b"".join(
        b"\x1b[38;2;%d;%d;%dmcoloured log line number %d\x1b[0m and more\r\n"
        % (n % 256, n * 3 % 256, n * 7 % 256, n)
        for n in range(30_000)
    ),
    "Hangul": ("옹기 항아리 漢字 text 한국어 문장입니다\r\n" * 40_000).encode(),
    "dense redraw": _dense(),
    "cursor motion": _motion(),
}
