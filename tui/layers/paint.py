"""How layers, files and waste are written: one row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from textual.content import Content

from tui.glyphs import Glyphs
from tui.layers.folding import PAGE, Shown
from tui.layers.model import MARKS, Layer, Node, Waste
from tui.layers.waste import cures
from tui.paint import EMPTY, ends, fit, join
from tui.safe import crop_end, crop_front, crop_middle, safe, safe_plain
from tui.text import size
from tui.widgets.objectlist import Row

STYLES: Final = {"added": "$running", "changed": "$paused", "removed": "$failed"}
_BAR: Final = 8
_SHARED: Final = 11
_ROOMY: Final = 66  # cells from which there is room to say who else has a layer
_WASTE_PATH: Final = 24


def heading(width: int) -> Content:
    """The names of the columns of the layers."""
    left = join(("     size   layer, by the line that made it", "$muted"))
    return ends(left, join(("shared with ", "$muted")) if width >= _ROOMY else EMPTY, width)


def layer_rows(layers: Sequence[Layer], shared: Sequence[int], glyphs: Glyphs) -> list[Row]:
    """One row a layer; `shared` counts the other images that have it, by index, empty = not known yet."""
    most = max((layer.size for layer in layers), default=0) or 1
    rows = []
    for layer in layers:
        others = shared[layer.index] if 0 <= layer.index < len(shared) else -1
        stamp = (layer, others, most)
        rows.append(Row(str(layer.number), stamp, _layer_painter(layer, others, most, glyphs)))
    return rows


def _layer_painter(layer: Layer, others: int, most: int, glyphs: Glyphs) -> Callable[[int], Content]:
    def paint(width: int) -> Content:
        head = join((f"{layer.number:>2}", "$muted"), fit(join(size(layer.size)), 7, right=True), "  ")
        room = max(width - head.cell_length - _BAR - 2, 8)
        tail = EMPTY
        if width >= _ROOMY - 1:
            room -= _SHARED + 1
            tail = fit(_shared(layer, others), _SHARED, right=True) + " "
        return join(head, bar(layer.size, most, glyphs), "  ", fit(_line(layer, room), room), tail)

    return paint


def _shared(layer: Layer, others: int) -> Content:
    if layer.index < 0 or others < 0:
        return EMPTY
    if not others:
        return join(("only here", "$muted"))
    return join((f"{others} {'image' if others == 1 else 'images'}", "$muted"))


def bar(taken: int, most: int, glyphs: Glyphs) -> Content:
    """`▪▪▪▪····` of what `taken` is of `most`."""
    filled = max(round(taken / most * _BAR), 1) if taken else 0
    return join((glyphs.exited * filled, "$accent"), (glyphs.rest * (_BAR - filled), "$line"))


def _line(layer: Layer, room: int) -> Content:
    text = safe_plain(" · ".join(line or "nothing said" for line in layer.made_by))
    if layer.index < 0:
        return safe(crop_end(text, room), style="$muted")
    word, _, _ = text.partition(" ")
    shown = safe(crop_end(text, room))
    return shown.stylize("$muted", 0, len(word)) if word.isupper() and len(word) < room else shown


def file_rows(shown: Sequence[Shown], glyphs: Glyphs, *, sizes: bool = True) -> list[Row]:
    """One row a path: mark, fold, name, size."""
    return [
        Row(
            one.id,
            (one.label, one.depth, one.open, one.node.change, one.node.size, one.more),
            _rest_painter(one) if one.more else _file_painter(one, glyphs, sizes),
        )
        for one in shown
    ]


def _rest_painter(one: Shown) -> Callable[[int], Content]:
    words = f"and {one.more:,} more {'name' if one.more == 1 else 'names'}: open this row for the next {PAGE:,}"
    return lambda width: fit(join(" " * (4 + 2 * min(one.depth, 12)), (words, "$muted")), width)


def _file_painter(one: Shown, glyphs: Glyphs, sizes: bool) -> Callable[[int], Content]:
    node = one.node

    def paint(width: int) -> Content:
        style = STYLES.get(node.change, "" if node.is_folder else "$muted")
        mark = (MARKS.get(node.change, " "), f"bold {style}" if node.change else "")
        fold = (glyphs.open if one.open else glyphs.closed) if node.children else " "
        head = join(mark, " " * (1 + 2 * min(one.depth, 12)), (fold, "$muted"), " ")
        figure = join((size(node.size) + " ", "$muted")) if sizes else EMPTY
        room = max(width - head.cell_length - figure.cell_length - 2, 4)
        return ends(join(head, _name(one, room, style)), figure, width)

    return paint


def _name(one: Shown, room: int, style: str) -> Content:
    node = one.node
    label = safe_plain(one.label)
    if node.is_folder and not node.children:
        label += "/"
    note = ""
    if node.entry is not None and node.entry.link:
        note = f" → {safe_plain(node.entry.link)}"
    elif node.children and not one.open:
        note = f"  {node.files:,} {'file' if node.files == 1 else 'files'}" if node.files > 1 else ""
    label = crop_middle(label, room)
    note = crop_end(note, max(room - len(label), 0)) if len(label) < room else ""
    return safe(label, style=style) + join((note, "$muted"))


def legend() -> Content:
    """`+ added  ~ changed  - removed`"""
    parts = [join((f"{MARKS[change]} {change}", style)) for change, style in STYLES.items()]
    return join("  ").join(parts)


def tally(counts: dict[str, int]) -> Content:
    """`+1,902 ~14 -41`"""
    parts = [join((f"{MARKS[change]}{counts.get(change, 0):,}", style)) for change, style in STYLES.items()]
    return join(" ").join(parts)


def waste_lines(
    waste: Waste, total: int, layers: Sequence[Layer], seen: dict[str, tuple[int, ...]], width: int, room: int
) -> list[Content]:
    """`Wasted 19.5 of 212 M`, then the dearest with what would help; nothing where nothing is wasted."""
    if not waste.wasted or room < 2:
        return []
    share = waste.wasted * 100 // max(total, 1)
    head = join(
        (f"Wasted {size(waste.wasted)} of {size(total)}", "bold $paused"),
        (f"  {share} %: hidden by a later layer" if share else "  hidden by a later layer", "$muted"),
    )
    lines = [fit(head, width)]
    for path, taken, cure in cures(waste, layers, seen)[: room - 1]:
        cells = min(_WASTE_PATH, max(width - 12 - 20, 10))
        name = safe(crop_front(safe_plain(path), cells))
        lines.append(
            fit(join((f"{size(taken):>8}  ", "$muted"), fit(name, cells), "  ", safe(cure, style="$muted")), width)
        )
    return lines


def node_facts(node: Node) -> tuple[tuple[str, str], ...]:
    """`-rw-r--r--  0:0 · ` of a path, for a title; nothing of a folder that is only passed through."""
    entry = node.entry
    if entry is None:
        return ()
    return ((f"{mode_words(entry.kind, entry.mode)}  {entry.uid}:{entry.gid} · ", "$muted"),)


def mode_words(kind: str, mode: int) -> str:
    """`drwxr-xr-x`, as ls writes it."""
    sign = {"dir": "d", "link": "l", "device": "c", "fifo": "p"}.get(kind, "-")
    bits = "".join(letter if mode & (0o400 >> at) else "-" for at, letter in enumerate("rwxrwxrwx"))
    for at, flag, low, high in ((2, 0o4000, "s", "S"), (5, 0o2000, "s", "S"), (8, 0o1000, "t", "T")):
        if mode & flag:
            bits = bits[:at] + (low if bits[at] == "x" else high) + bits[at + 1 :]
    return sign + bits
