"""The header line: the engine, the states in words, the host's figures. What does not fit is left out in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.content import Content

from tui.glyphs import Glyphs
from tui.paint import EMPTY, join
from tui.state import World
from tui.text import clock, rate, size, size_prose


@dataclass(frozen=True, slots=True)
class Host:
    """This machine: cpu in per cent of all of it, memory and disk in bytes, net in bytes a second."""

    cpu: float
    memory: int
    memory_total: int
    disk: int = 0
    disk_total: int = 0
    rx: float = 0.0
    tx: float = 0.0


@dataclass(frozen=True, slots=True)
class Engine:
    """How the engine is: `state` is starting, up or down; `heard` = when it last answered."""

    state: str = "starting"
    name: str = "local engine"
    heard: float = 0.0
    reason: str = ""
    since: float = 0.0
    next_try: float = 0.0
    own: bool = True
    note: str = ""
    undo: float = 0.0  # seconds that what is removed now can be had back


@dataclass(frozen=True, slots=True)
class Work:
    """Background work: how many jobs run, and how far they are in per cent, -1 = not known."""

    jobs: int = 0
    percent: int = -1


def left(world: World, engine: Engine, host: Host | None, work: Work, glyphs: Glyphs, width: int) -> Content:
    """As much as fits `width` cells. Dropped in this order: net, disk, mem, states, cpu."""
    head = join(("onggi", "bold $accent"), "  ", _engine(engine, glyphs))
    if engine.state == "down":
        up = sum(c.up for c in world.containers.values())
        heard = f"   last heard {clock(engine.heard)}" if engine.heard else ""
        whole = join(head, (f"{heard} · {up} were up" if heard else "", "$muted"))
        return whole if whole.cell_length <= width else join(head, (heard, "$muted"))
    words, short, glyph_only = _states(world), _states_short(world), _states_glyphs(world, glyphs)
    cpu, mem, disk, net = _host(host)
    jobs = _work(work)
    for parts in (
        [words, cpu, mem, disk, net],
        [words, cpu, mem, disk],
        [words, cpu, mem],
        [words, cpu],
        [short, cpu],
        [glyph_only, cpu],
        [cpu],
        [],
    ):
        if work.jobs and parts and parts[0] is words:
            parts = [glyph_only, *parts[1:]]
        line = _spaced(head, [*parts[:1], *([_pair(parts[1:])] if parts[1:] else []), jobs])
        if line.cell_length <= width:
            return line
    return head


def _spaced(head: Content, parts: list[Content]) -> Content:
    return join("   ").join([head, *(part for part in parts if part)])


def _pair(parts: list[Content]) -> Content:
    return join("  ").join([part for part in parts if part])


def right(keyboard_inside: bool, key_of: Callable[[str], str]) -> Content:
    """The way to everything else, or where the keyboard is. `key_of` = the key of an act, "" for none."""
    if keyboard_inside:
        return join(("the keyboard is in the container", "$muted"))
    return join("  ").join([way for _, way in ways(key_of)])


def ways(key_of: Callable[[str], str]) -> list[tuple[str, Content]]:
    """The acts at the right end, with what is written of each."""
    known = [(act, key_of(act), word) for act, word in (("help", "help"), ("palette", "command"))]
    return [(act, join((key, "bold $accent"), f" {word}")) for act, key, word in known if key]


def _engine(engine: Engine, glyphs: Glyphs) -> Content:
    if engine.state == "up":
        note = f" {engine.note}" if engine.note else ""
        return join((glyphs.running, "$running"), f" {engine.name}", (note, "$muted"))
    if engine.state == "down":
        return join((glyphs.failed, "$failed"), (" engine does not answer", "bold $failed"))
    return join((glyphs.restarting, "$restarting"), (f" starting {engine.name}", "$muted"))


def _counts(world: World) -> dict[str, int]:
    found = {"up": 0, "paused": 0, "restarting": 0, "stopped": 0}
    words = {"running": "up", "paused": "paused", "restarting": "restarting"}
    for one in world.containers.values():
        found[words.get(one.status, "stopped")] += 1
    return found


_STYLES = {"paused": "$paused", "restarting": "$restarting"}


def _states(world: World) -> Content:
    if not world.containers:
        return EMPTY
    parts = [
        join((f"{number} {word}", _STYLES.get(word, "")))
        for word, number in _counts(world).items()
        if number or word == "up"
    ]
    return join((" · ", "$muted")).join(parts)


def _states_short(world: World) -> Content:
    if not world.containers:
        return EMPTY
    up = _counts(world)["up"]
    return join(f"{up} up", (" · ", "$muted"), f"{len(world.containers) - up} not")


def _states_glyphs(world: World, glyphs: Glyphs) -> Content:
    if not world.containers:
        return EMPTY
    shown = {
        "up": (glyphs.running, "$running"),
        "paused": (glyphs.paused, "$paused"),
        "restarting": (glyphs.restarting, "$restarting"),
        "stopped": (glyphs.exited, "$exited"),
    }
    parts = [join(shown[word], f" {number}") for word, number in _counts(world).items() if number or word == "up"]
    return join("  ").join(parts)


def _host(host: Host | None) -> tuple[Content, Content, Content, Content]:
    if host is None:
        return EMPTY, EMPTY, EMPTY, EMPTY
    total = size_prose(host.memory_total).replace(".0 ", " ")
    used = f"{host.memory / (1 << 30):.1f}" if total.endswith("GiB") else size(host.memory)
    cpu = join(("cpu ", "$muted"), f"{host.cpu:.0f} %")
    mem = join(("mem ", "$muted"), f"{used} of {total}")
    disk = EMPTY
    if host.disk_total:
        whole = host.disk_total / (1 << 30)
        disk = join(("disk ", "$muted"), f"{host.disk / (1 << 30):.0f} of {whole:.0f} GiB")
    net = join(("net ", "$muted"), f"↓ {rate(host.rx)} ↑ {rate(host.tx)}") if host.rx or host.tx else EMPTY
    return cpu, mem, disk, net


def _work(work: Work) -> Content:
    if not work.jobs:
        return EMPTY
    done = f"{work.percent} %  " if work.percent >= 0 else ""
    return join(("↓ ", "$restarting"), done, (f"{work.jobs} job{'s' if work.jobs > 1 else ''}", "$muted"))
