"""How fast something goes, how long it will still take, and both beside a bar in as many cells as there are."""

from __future__ import annotations

import math

from core.cli import units, words

SETTLE = 0.5  # seconds until a rate says something
WINDOW = 5.0  # seconds back that it looks
_CALM = 2.0  # seconds in which an estimate follows to two thirds
_BAR, _SMALLEST_BAR = 30, 8


class Pace:
    """The pace of one count that grows. Moments are seconds of any clock."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []
        self._end = 0.0  # when it will be done, by what has been told so far
        self._began = self._asked = 0.0

    def hear(self, current: int, now: float) -> None:
        """It has come to `current`."""
        seen = self._seen
        if seen and current < seen[-1][1]:
            seen.clear()  # begun again
            self._end = 0.0
        if seen and current == seen[-1][1]:
            if len(seen) == 1:  # it has not begun, and waiting is not slowness
                seen[0] = (now, current)
            return
        seen.append((now, current))
        while len(seen) > 2 and now - seen[1][0] > WINDOW:
            seen.pop(0)

    def rate(self, now: float) -> float:
        """How much comes in a second; 0.0 = not known. It falls when nothing has come for longer than is usual."""
        if len(self._seen) < 2:
            return 0.0
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        usual = max(1.0, 2 * (ended - began) / (len(self._seen) - 1))
        if now - ended > usual:
            ended = now
        return (last - first) / (ended - began) if ended - began >= SETTLE else 0.0

    def left(self, missing: int, now: float) -> float:
        """Seconds until `missing` more have come; 0.0 = not known. It follows the rate with calm."""
        rate = self.rate(now)
        if missing <= 0 or not rate:
            return 0.0
        honest = missing / rate
        if not self._end:
            self._end, self._began = now + honest, now
        calm = min(_CALM, now - self._began) or _CALM  # what was told at first was known least
        share = 1 - math.exp(-max(now - self._asked, 0.0) / calm)
        self._end += (now + honest - self._end) * share
        self._asked = now
        return max(min(max(self._end - now, honest / 2), honest * 2), 1.0)


def time_left(seconds: float) -> str:
    """`9s`, `2m05s`, `1h02m`"""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def bar(current: int, total: int, cells: int) -> str:
    """`[=====>    ]`"""
    inner = cells - 2
    filled = inner * current // total
    return f"[{('=' * filled + '>' if filled < inner else '=' * inner).ljust(inner)}]"


def line(head: str, current: int, total: int, rate: float, left: float, cells: int, *, short: str = "") -> str:
    """`head [====>   ]  12.3MB/45MB  8.1MB/s  4s left` in at most `cells`: what does not fit goes, the bar first.

    `total` 0 = not known; `rate` and `left` 0 = neither. `short` = what `head` can be where figures have no room.
    """
    done = _size(current)
    if total < max(current, 1):
        return _first([f"{head} {done:>7}{_speed(rate)}", f"{short or head} {done}{_speed(rate)}", head], cells)
    of = f"{done:>7}/{_size(total):<6}".rstrip() if not rate else f"{done:>7}/{_size(total):<6}"
    speed, time = _speed(rate), f"  {time_left(left)}" if left else ""
    percent = f"{current * 100 // total}%"
    whole = f"{of}{speed}{f'{time} left' if time else ''}"
    room = cells - words.cells(head) - len(whole) - 2
    # Figures come and go, and the bar is not to change its length with them.
    usual = cells - words.cells(head) - len("99.9MB/99.9MB  99.9MB/s  59m59s left") - 3
    long = min(_BAR, usual)
    if long >= _SMALLEST_BAR and room >= long:
        return f"{head} {bar(current, total, long)} {whole}"
    dense = f"{done}/{_size(total)}{speed}{time}"
    texts = [dense, f"{percent}{speed}{time}", f"{percent}{time}", percent]
    return _first(
        [f"{head} {whole}", f"{head} {dense}", *(f"{short or head} {text}" for text in texts), head], cells
    )


def _first(texts: list[str], cells: int) -> str:
    return next((text for text in texts if words.cells(text) <= cells), cut(texts[-1], cells))


def cut(text: str, cells: int) -> str:
    """As much of the beginning as fits."""
    while words.cells(text) > cells:
        text = text[: min(len(text) - 1, cells)]
    return text


def _size(size: float) -> str:
    """Three digits; what rounds to a thousand is one of the next unit, not `1e+03kB`."""
    short = units.human_size(size, 3)
    return units.human_size(float(f"{size:.3g}"), 3) if "e" in short else short


def _speed(rate: float) -> str:
    return f"  {_size(rate):>6}/s" if rate else ""
