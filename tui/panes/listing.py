"""The list column: five lists, how they share its height, what they show of the world."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tui.actions import LISTS
from tui.glyphs import Glyphs
from tui.paint import EMPTY, join
from tui.panes import containers, images, networks, projects, volumes
from tui.safe import safe, safe_plain
from tui.state import Container, World
from tui.text import size
from tui.widgets.frame import Titles
from tui.widgets.objectlist import ObjectList, Row

NAMES: Final = dict(zip(LISTS, ("Containers", "Images", "Volumes", "Networks", "Projects"), strict=True))
THIRD: Final = LISTS[2:]
"""These share one frame until the screen is tall."""

_TALL: Final = 50  # rows of the column from which every list has its own frame
_LEAST: Final = 5
_WEIGHTS: Final = (14, 16, 7)
_WIDE_SHARE: Final = 0.4
_WIDTHS: Final = (44, 72)

T = TypeVar("T")


class TitledList(ObjectList):
    """One of the five lists; its titles come from the column."""

    def __init__(self, kind: str, column: ListColumn, glyphs: Glyphs) -> None:
        heading = containers.heading if kind == "containers" else None
        super().__init__(id=kind, heading=heading, glyphs=glyphs)
        self.kind = self.scope = kind
        self.column = column

    def titles(self, focused: bool) -> Titles:
        return self.column.titles_of(self, focused)


class ListColumn(Vertical):
    """Holds the lists and what of the world they show: filter, order, whether the stopped are hidden."""

    DEFAULT_CSS = """
    ListColumn { width: 44; height: 1fr; background: $bg; }
    ListColumn ObjectList { height: 1fr; }
    ListColumn ObjectList.-away { display: none; }
    """

    def __init__(self, glyphs: Glyphs, now: Callable[[], float], key_of: Callable[[str], str]) -> None:
        super().__init__(id="lists")
        self.glyphs = glyphs
        self.now = now
        self.key_of = key_of
        self.world = World()
        self.filters: dict[str, str] = {}
        self.sort = containers.SORTS[0]
        self.hides_stopped = False
        self.narrow = False
        self.current = "containers"
        self.third = "volumes"
        self._settled = False
        self._counts: tuple[int, ...] = ()

    def compose(self) -> ComposeResult:
        for kind in LISTS:
            yield TitledList(kind, self, self.glyphs)

    def on_mount(self) -> None:
        for kind in LISTS:
            self.list_of(kind).set_empty(self._empty(kind))
        self.arrange_lists()

    def list_of(self, kind: str) -> TitledList:
        """The list of that kind."""
        return self.query_one(f"#{kind}", TitledList)

    def show(self, world: World) -> None:
        """Show another world."""
        self.world = world
        self._fill()
        # Until every row's times are known the order is not final, and the cursor belongs at the top.
        self._settled = self._settled or (world.loaded and all(c.whole for c in world.containers.values()))

    def refresh_rows(self) -> None:
        """Build the rows anew: the filter or the order is another."""
        self._fill()

    def refresh_figures(self, world: World) -> None:
        """Time has passed, or the figures are new: only the containers' rows tell of either."""
        self.world = world
        if self.is_mounted:
            self.list_of("containers").set_rows(self._rows("containers"), to_top=not self._settled)

    def next_sort(self) -> None:
        """Order the containers by the next column."""
        self.sort = containers.SORTS[(containers.SORTS.index(self.sort) + 1) % len(containers.SORTS)]
        self._fill()

    def pick(self, kind: str) -> TitledList:
        """Make a list the current one (and the shown one of the third frame)."""
        self.current = kind
        if kind in THIRD:
            self.third = kind
        self.arrange_lists()
        return self.list_of(kind)

    def selected_container(self) -> Container | None:
        """The container under the cursor of the container list."""
        return self.world.containers.get(self.list_of("containers").cursor_id)

    def visible_containers(self) -> Iterable[str]:
        """The ids whose figures matter now."""
        shown = self.list_of("containers")
        if not shown.display or not self.display:
            return ()
        top = round(shown.scroll_y)
        return shown.row_ids[top : top + max(shown.size.height, 1)]

    def titles_of(self, one: TitledList, focused: bool) -> Titles:
        """The four titles of a list."""
        bottom_left = join((f"{len(one.marks)} marked", "$accent")) if one.marks else EMPTY
        if self.narrow:
            return Titles(self._scope(one), self._order(one), bottom_left or self._about(one), self._health(one))
        left = self._third_title(one, focused) if self._shares(one.kind) else self._title(one.kind, focused)
        right = EMPTY if self._shares(one.kind) else join((self._count(one), "$muted"))
        return Titles(left, right, bottom_left, self._order(one))

    def _fill(self) -> None:
        if not self.is_mounted:
            return
        for kind in LISTS:
            one = self.list_of(kind)
            settling = kind == "containers" and not self._settled
            one.set_rows(self._rows(kind), to_top=settling)
            one.set_empty(self._empty(kind))
        counts = tuple(len(self.list_of(kind).row_ids) for kind in LISTS)
        if counts != self._counts:
            self._counts = counts
            self.arrange_lists()

    def _rows(self, kind: str) -> Sequence[Row]:
        world = self.world
        if kind == "containers":
            usage = dict(world.usage)
            found = [c for c in world.containers.values() if c.alive or not self.hides_stopped]
            shown = self._kept(kind, found, lambda c: f"{c.name} {c.image} {c.status} {c.id[:12]}")
            return containers.rows(containers.order(shown, usage, self.sort), usage, self.glyphs, self.now())
        if kind == "images":
            shown_images = self._kept(kind, world.images, lambda i: f"{i.reference} {i.short_id}")
            return images.rows(shown_images, lambda found: len(world.image_users(found)), self.now())
        if kind == "volumes":
            return volumes.rows(self._kept(kind, world.volumes, lambda v: v.name), world)
        if kind == "networks":
            shown_networks = self._kept(kind, world.networks, lambda n: f"{n.name} {n.driver}")
            return networks.rows(shown_networks, lambda name: len(world.network_users(name)))
        every = world.projects()
        kept = self._kept(kind, tuple(every), str)
        return projects.rows({name: every[name] for name in kept}, self.glyphs)

    def _kept(self, kind: str, all_of: Iterable[T], text: Callable[[T], str]) -> list[T]:
        """What the filter leaves; `!` in front inverts it."""
        wanted = self.filters.get(kind, "").lower()
        inverted = wanted.startswith("!")
        wanted = wanted.removeprefix("!")
        if not wanted:
            return list(all_of)
        return [one for one in all_of if (wanted in text(one).lower()) != inverted]

    def _total(self, kind: str) -> int:
        world = self.world
        sizes: Mapping[str, Callable[[], int]] = {
            "containers": lambda: len(world.containers),
            "images": lambda: len(world.images),
            "volumes": lambda: len(world.volumes),
            "networks": lambda: len(world.networks),
            "projects": lambda: len(world.projects()),
        }
        return sizes[kind]()

    def _empty(self, kind: str) -> Content:
        if not self.world.loaded:
            return join(("Asking the engine.", "$muted"))
        total = self._total(kind)
        if total and self.filters.get(kind):
            return join(
                f"0 of {total} match; ", (self.key_of("back"), "bold $accent"), " shows all."
            ).stylize_before("$muted")
        if total and kind == "containers":
            return join(
                f"All {total} are stopped; ", (self.key_of("hide_stopped"), "bold $accent"), " shows them."
            ).stylize_before("$muted")
        rooms = {
            "containers": containers.none_yet(self.key_of),
            "images": images.none_yet(self.key_of),
            "volumes": volumes.NONE_YET,
            "networks": networks.NONE_YET,
            "projects": projects.NONE_YET,
        }
        return rooms[kind].stylize_before("$muted")

    def _title(self, kind: str, focused: bool) -> Content:
        number = LISTS.index(kind) + 1
        if focused:
            return join((f" {number} ", "bold $on-accent on $focus"), " ", (NAMES[kind], "bold $focus"))
        return join((f"{number} ", "$muted"), (NAMES[kind], "$ink"))

    def _third_title(self, one: TitledList, focused: bool) -> Content:
        parts = []
        for kind in THIRD:
            shown = kind == one.kind
            title = (
                self._title(kind, focused and shown)
                if shown
                else join((f"{LISTS.index(kind) + 1} {NAMES[kind]}", "$muted"))
            )
            count = self._total(kind)
            parts.append(join(title, (f" {count}", "$muted")) if count else title)
        return join((" · ", "$muted")).join(parts)

    def _count(self, one: TitledList) -> str:
        total, shown = self._total(one.kind), len(one.row_ids)
        text = str(total) if shown == total else f"{shown} of {total}"
        if one.kind == "images" and total:
            unique = {image.id: image.size for image in self.world.images}
            text += f" · {size(sum(unique.values()))}"
        return text

    def _order(self, one: TitledList) -> Content:
        wanted = self.filters.get(one.kind)
        if wanted:
            return join(("filter ", "$muted"), safe(wanted, style="$paused"))
        if one.kind != "containers" or not one.row_ids:
            return EMPTY
        stopped = "stopped hidden" if self.hides_stopped else "all shown"
        tail = "" if self.narrow else f" · {stopped}"
        return join((f"sort {self.sort} {self.glyphs.open}{tail}", "$muted"))

    def _scope(self, one: TitledList) -> Content:
        hidden = one.kind == "containers" and self.hides_stopped
        return join(("running" if hidden else "all", "bold $focus" if one.has_focus else "$ink"))

    def _about(self, one: TitledList) -> Content:
        """Narrow: the border says what the dropped columns said."""
        found = self.selected_container() if one.kind == "containers" else None
        if found is None:
            return EMPTY
        facts = [
            safe_plain(fact) for fact in (found.address, f"restart {found.restart_policy}", found.project) if fact
        ]
        return join(safe(found.name, style="bold"), (" " + " · ".join(facts), "$muted"))

    def _health(self, one: TitledList) -> Content:
        found = self.selected_container() if one.kind == "containers" else None
        if found is None or not found.health:
            return EMPTY
        mark, style = containers.health(found)
        return join((f"{mark} ", style), safe(found.health, style=style))

    def _shares(self, kind: str) -> bool:
        return kind in THIRD and not self.narrow and self.size.height < _TALL

    def on_resize(self, event: events.Resize) -> None:
        self.arrange_lists()

    def arrange_lists(self) -> None:
        """Which lists are on the screen, and how tall."""
        if not self.is_mounted:
            return
        height = self.size.height
        tall = height >= _TALL
        for kind in LISTS:
            if self.narrow:
                away = kind != self.current
            else:
                away = not tall and kind in THIRD and kind != self.third
            self.list_of(kind).set_class(away, "-away")
        if self.narrow or height <= 0:
            for kind in LISTS:
                self.list_of(kind).styles.height = "1fr"
            return
        frames = list(LISTS) if tall else ["containers", "images", self.third]
        wants = [len(self.list_of(kind).row_ids) + (3 if kind == "containers" else 2) for kind in frames]
        for kind, rows in zip(frames, share(height, wants, tall), strict=True):
            self.list_of(kind).styles.height = rows


def column_width(total: int) -> int:
    """How wide the list column is on a screen of `total` cells."""
    return max(_WIDTHS[0], min(round(total * _WIDE_SHARE), _WIDTHS[1]))


def share(height: int, wants: Sequence[int], tall: bool) -> list[int]:
    """How many rows each frame gets. `wants` = what would show everything.

    On a usual screen the shares are fixed, so that the frames do not jump when a row comes; what one leaves
    unused goes to one that lacks it. A tall screen gives each what it wants and the rest to the last.
    """
    if tall:
        given = [max(want, 4) for want in wants]
        while sum(given[:-1]) + _LEAST > height:
            given[given.index(max(given[:-1]))] -= 1
        return [*given[:-1], height - sum(given[:-1])]
    total = sum(_WEIGHTS)
    given = [max(min(_LEAST, height // 3), height * weight // total) for weight in _WEIGHTS]
    given[0] = max(height - given[1] - given[2], 1)
    for lacking in range(len(given)):
        for spare in range(len(given)):
            moved = min(wants[lacking] - given[lacking], given[spare] - max(wants[spare], _LEAST))
            if spare != lacking and moved > 0:
                given[lacking] += moved
                given[spare] -= moved
    return given
