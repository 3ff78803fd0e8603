"""Rows of the image list and the tabs of one image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from textual.content import Content

from tui.glyphs import Glyphs
from tui.paint import EMPTY, ends, fit, join
from tui.panes.containers import mark
from tui.panes.inspect import fold
from tui.safe import crop_front, safe, safe_plain
from tui.state import Image, Json, World
from tui.text import age, ago, count, parse_time, size
from tui.widgets.objectlist import Row

_WAYS: Final = (("image_pull", " pulls"), ("image_load", " loads"), ("image_starter", " makes one"))

_USED: Final = 10
_SIZE: Final = 7
_MADE: Final = 5
_NAME: Final = 18  # cells that a name keeps before it is told when the image was made


def none_yet(key_of: Callable[[str], str]) -> Content:
    """What an empty list says, with the keys of the acts that help."""
    ways = [join((key, "bold $accent"), verb) for act, verb in _WAYS if (key := key_of(act))]
    return join("None yet. ", join(", ").join(ways), "." if ways else "")


def name(image: Image, width: int) -> Content:
    """`nginx:1.27` with a muted tag; an image without a name by its id. Cut at the front: the tag is never cut."""
    if not image.reference:
        return join(("<none> ", "$muted"), (image.short_id, "$muted"))
    shown = crop_front(safe_plain(image.reference), width)
    slash, colon = shown.rfind("/"), shown.rfind(":")
    if colon <= slash:
        return safe(shown)
    return safe(shown[:colon]) + safe(shown[colon:], style="$muted")


def rows(shown: Sequence[Image], users: Callable[[str], int], now: float) -> list[Row]:
    """One row a tag: size, when it was made, users; `users` counts the containers of an image id."""
    counts = [users(image.id) for image in shown]
    cells = max(_USED, len(f"used by {max(counts, default=0)} "))
    found = []
    for image, used in zip(shown, counts, strict=True):
        made = age(now - image.created) if image.created > 0 else ""
        found.append(Row(image.key, (image, used, cells, made), _painter(image, used, cells, made)))
    return found


def _painter(image: Image, users: int, cells: int, made: str) -> Callable[[int], Content]:
    def paint(width: int) -> Content:
        room = width - cells - _SIZE - 3
        aged = room - _MADE >= _NAME
        room -= _MADE if aged else 0
        used = join(("used by ", "$muted"), str(users)) if users else join(("unused", "$muted"))
        figure = size(image.size) if image.size else ""
        when = fit(join((made, "$muted")), _MADE, right=True) if aged else EMPTY
        sized = fit(join(figure), _SIZE, right=True)
        return join(" ", fit(name(image, room), room), sized, when, "  ", fit(used, cells))

    return paint


def history(entries: Sequence[Json], width: int, now: float) -> list[Content]:
    """The History tab: every line that made the image, whole, the oldest first."""
    if not entries:
        return [join(("This image tells nothing of how it was made.", "$muted"))]
    lines: list[Content] = []
    for number, entry in enumerate(reversed(entries), 1):
        made, taken = float(entry.get("Created") or 0), int(entry.get("Size") or 0)
        when = ago(now - made) if made > 0 else ""
        head = join((f"{number:>2}  ", "$muted"), size(taken) if taken else ("no files", "$muted"))
        lines.append(ends(head, join((f"{when} ", "$muted")), width))
        text = made_by(str(entry.get("CreatedBy") or "")) or "nothing said"
        lines += [join("    ", piece) for piece in fold(safe_plain(text), max(width - 5, 8))]
        if comment := str(entry.get("Comment") or ""):
            lines += [
                join("    ", ("# " + piece, "$muted")) for piece in fold(safe_plain(comment), max(width - 7, 8))
            ]
        lines.append(EMPTY)
    return lines


def made_by(text: str) -> str:
    """The instruction of a history entry, without the shell that Docker writes before it."""
    for shell in ("/bin/sh -c #(nop) ", "|0 /bin/sh -c "):
        text = text.removeprefix(shell)
    if text.startswith("/bin/sh -c "):
        text = "RUN " + text.removeprefix("/bin/sh -c ")
    return " ".join(text.removesuffix("# buildkit").split())


def users(world: World, image_id: str, glyphs: Glyphs, run_key: str) -> list[Content]:
    """The Used by tab."""
    found = world.image_users(image_id)
    if not found:
        return [join("No container uses it. ", (run_key, "bold $accent"), " runs one.")]
    return [join(" ", mark(one, glyphs), " ", safe(one.name), ("  " + one.status, "$muted")) for one in found]


def facts(entry: Json, now: float) -> Content:
    """The top right title: `212 M · 6 layers · made 3 d ago`."""
    count_of = len((entry.get("RootFS") or {}).get("Layers") or ())
    made = parse_time(str(entry.get("Created", "")))
    when = f" · made {ago(now - made)}" if made > 0 else ""
    return join((f"{size(int(entry.get('Size') or 0))} · {count(count_of, 'layer')}{when}", "$muted"))
