"""Rows of the container list: columns while it runs, a reason across them while it does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from textual.content import Content

from tui.glyphs import HEALTH, Glyphs
from tui.paint import EMPTY, fit, join
from tui.safe import crop_front, crop_middle, safe, safe_plain
from tui.state import Container, Port, Usage
from tui.text import age, ago, percent, size, span
from tui.widgets.objectlist import Row

_FIXED: Final = 4  # glyph, blank, health, blank; the list paints the cursor's cell, the last one stays free
_WIDTHS: Final = {"image": 17, "ports": 10, "up": 4, "cpu": 7, "mem": 7, "restarts": 6, "net": 13}
_DROPPED: Final = ("net", "restarts", "image", "ports", "mem", "cpu")
_WIDE: Final = {"image": 68, "restarts": 90, "net": 90}
_NAME: Final = 12
_BUSY: Final = 0.9  # of a limit: from here on a figure needs a look

_SORTS: Final[dict[str, Callable[[Container, Usage], tuple[object, ...]]]] = {
    "up": lambda c, _u: (),
    "name": lambda c, _u: (c.name.lower(),),
    "cpu": lambda c, u: (-u.cpu, c.name),
    "mem": lambda c, u: (-u.memory, c.name),
}
SORTS: Final = tuple(_SORTS)

_RANK: Final = {"running": 0, "restarting": 1, "paused": 2}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns stand in a row of some width, and how wide each is."""

    name: int
    widths: dict[str, int]

    def has(self, column: str) -> bool:
        return column in self.widths

    @property
    def figures(self) -> int:
        """Cells from the ports column to the end: what a reason may take."""
        return sum(width for column, width in self.widths.items() if column != "image")


def columns(width: int) -> Columns:
    """The columns of a row of `width` cells. State, name and up-time stay whatever happens."""
    widths = {c: w for c, w in _WIDTHS.items() if width >= _WIDE.get(c, 0)}
    for column in _DROPPED:
        if _FIXED + _NAME + sum(widths.values()) <= width:
            break
        widths.pop(column, None)
    spare = max(width - _FIXED - sum(widths.values()), 1)
    name = min(spare, _NAME + max(spare - _NAME, 0) // 3) if "image" in widths else spare
    spare -= name
    if "image" in widths and spare > 0:
        more = min(spare // 2, 24)
        widths["image"] += more
        widths["ports" if "ports" in widths else "image"] += spare - more
    elif "ports" in widths:
        more = min(max(name - 24, 0), 14)
        widths["ports"] += more
        name -= more
    return Columns(name, widths)


def none_yet(key_of: Callable[[str], str]) -> Content:
    """What an empty list says, with the key of the act that helps."""
    return join("None yet. ", (key_of("run") or ":", "bold $accent"), " runs one.")


def heading(width: int) -> Content:
    """The names of the columns."""
    cols = columns(width - 2)
    parts = [fit(join("   name"), 3 + cols.name + 2)]
    for column, cells in cols.widths.items():
        left = column in ("image", "ports")
        parts.append(fit(join(column), cells, right=not left))
    return Content("").join(parts).stylize("$muted")


def mark(one: Container, glyphs: Glyphs) -> tuple[str, str]:
    """The glyph of a container's state and its style."""
    if one.failed:
        return glyphs.failed, "$failed"
    if one.status in ("running", "paused", "restarting", "created", "exited", "dead"):
        return getattr(glyphs, one.status), f"${one.status}"
    return glyphs.exited, "$exited"


def health(one: Container) -> tuple[str, str]:
    """The health mark after the name and its style; a blank where there is no check."""
    styles = {"healthy": "$running", "starting": "$paused", "unhealthy": "$failed"}
    return HEALTH.get(one.health, " "), styles.get(one.health, "")


def reason(one: Container, now: float) -> Content:
    """Why a row has no figures: `exited 1 · 2 h ago`."""
    if one.status == "paused":
        return join((f"paused {span(now - one.paused)}" if one.paused else "paused", "$paused"))
    if one.status == "restarting":
        return _restarting(one, now)
    if one.status == "created":
        if one.error:
            return join(("did not start: ", "$failed"), safe(one.error, style="$muted"))
        return join(("created, never started", "$muted"))
    if one.status == "exited":
        return _exited(one, now)
    if one.status == "dead":
        return join(("dead", "$dead"), (": delete it", "$muted"))
    return join((safe_plain(one.status) or "unknown", "$muted"))


def _restarting(one: Container, now: float) -> Content:
    """`restarting, try 3 in 4 s`"""
    left = one.again - now
    soon = "" if not one.again else f" in {span(left)}" if left >= 1 else " now"
    return join(("restarting", "$restarting"), (f", try {one.restarts + 1}{soon}", "$muted"))


def _exited(one: Container, now: float) -> Content:
    if not one.whole:
        return join(("exited", "$muted"))
    style = "$failed" if one.failed else "$muted"
    word = "out of memory" if one.oom_killed else f"exited {one.exit_code}"
    when = join((f" · {ago(now - one.finished)}", "$muted")) if one.finished else EMPTY
    return join((word, style), when)


def _in_short(one: Container, now: float) -> Content:
    """A reason for a narrow row: `never started`, `exited 1 · 38s`."""
    if one.status == "created" and not one.error:
        return join(("never started", "$muted"))
    if one.status == "exited" and one.finished:
        word = "oom" if one.oom_killed else f"exited {one.exit_code}"
        return join((word, "$failed" if one.failed else "$muted"), (f" · {age(now - one.finished)}", "$muted"))
    if one.status == "paused" and one.paused:
        return join((f"paused {age(now - one.paused)}", "$paused"))
    if one.status == "restarting" and one.again:
        return join(("again ", "$restarting"), (f"in {age(max(one.again - now, 0.0))}", "$muted"))
    return reason(one, now)


def ports(all_ports: Sequence[Port], arrow: str) -> str:
    """`8080→80, 5432`: published ones with their host port, the others bare."""
    return ", ".join(
        (f"{p.public}{arrow}{p.private}" if p.public else f"{p.private}") + ("" if p.protocol == "tcp" else "/udp")
        for p in all_ports
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    """Everything a row is painted from."""

    one: Container
    usage: Usage | None
    glyphs: Glyphs
    now: float
    up: str


def rows(shown: Sequence[Container], usage: dict[str, Usage], glyphs: Glyphs, now: float) -> list[Row]:
    """One row a container, in the order given. A row's stamp changes when what it says changes."""
    made = []
    for one in shown:
        up = age(now - one.started) if one.started else ""
        used = usage.get(one.id) if one.status == "running" else None
        when = up if one.status == "running" else reason(one, now).plain
        stamp = (one, when, _figure_texts(used) if used is not None else ())
        made.append(Row(one.id, stamp, _painter(_Facts(one, used, glyphs, now, up))))
    return made


def _figure_texts(usage: Usage) -> tuple[str, ...]:
    """What is written of a sample: figures may move in places that nobody sees."""
    cpu, memory = percent(usage.cpu), size(usage.memory)
    return cpu, _cpu_style(usage), memory, _memory_style(usage), size(usage.rx), size(usage.tx)


def _painter(facts: _Facts) -> Callable[[int], Content]:
    return lambda width: _paint(facts, width)


def _paint(facts: _Facts, width: int) -> Content:
    cols, one = columns(width - 1), facts.one
    at_rest = not one.alive
    glyph = mark(one, facts.glyphs)
    name = fit(safe(crop_middle(safe_plain(one.name), cols.name), style="$muted" if at_rest else "bold"), cols.name)
    parts = [join(glyph, " ", name, health(one), " ")]
    if cols.has("image"):
        cells = cols.widths["image"]
        parts.append(fit(safe(crop_front(safe_plain(one.image), cells - 1), style="$muted"), cells))
    if one.status != "running":
        why = reason(one, facts.now)
        parts.append(fit(why if why.cell_length <= cols.figures else _in_short(one, facts.now), cols.figures))
    else:
        parts += _figures(facts, cols)
    return Content("").join(parts)


def _figures(facts: _Facts, cols: Columns) -> list[Content]:
    one, usage = facts.one, facts.usage
    texts = {
        "ports": join(ports(one.ports, facts.glyphs.arrow)),
        "up": join((facts.up, "$muted")),
        "cpu": join((percent(usage.cpu), _cpu_style(usage))) if usage else EMPTY,
        "mem": join((size(usage.memory), _memory_style(usage))) if usage else EMPTY,
        "restarts": join((str(one.restarts), "$paused" if one.restarts else "$muted")),
        "net": join((f"{size(usage.rx)} {size(usage.tx)}", "$muted")) if usage else EMPTY,
    }
    return [
        fit(texts[column], cells - 1) + " " if column == "ports" else fit(texts[column], cells, right=True)
        for column, cells in cols.widths.items()
        if column != "image"
    ]


def _cpu_style(usage: Usage) -> str:
    return "$paused" if usage.cpu >= 100 * _BUSY else ""


def _memory_style(usage: Usage) -> str:
    return "$paused" if usage.limit and usage.memory > usage.limit * _BUSY else ""


def order(all_of: Sequence[Container], usage: dict[str, Usage], sort: str) -> list[Container]:
    """What runs first, then the youngest first; or by the column `sort`."""
    own = _SORTS.get(sort, _SORTS["up"])
    none = Usage()
    return sorted(
        all_of,
        key=lambda c: (_RANK.get(c.status, 3), own(c, usage.get(c.id, none)), -(c.started or c.created), c.id),
    )
