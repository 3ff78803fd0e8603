"""How the rows of a log look: gutters, times, levels, JSON unfolded, what the mouse has selected."""

from __future__ import annotations

from time import monotonic
from typing import ClassVar, Final

from rich.style import Style as RichStyle
from textual.content import Content
from textual.geometry import Region
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style

from core.client.loglevel import LEVELS
from tui.logview import lines
from tui.logview.page import LogPage
from tui.logview.sources import COLOURS
from tui.logview.store import LogLine
from tui.logview.unfold import fields, unfolded
from tui.paint import cut
from tui.safe import crop_end

_KEPT: Final = 2048  # finished rows
_MOST_COPIED: Final = 100_000  # rows of a selection


class LogPaper(LogPage):
    """Draws rows, each once as long as nothing about it changes."""

    ALLOW_SELECT = True
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log--out", "log--err", "log--time", "log--hit", "log--current", "log--prompt", "log--cursor", "log--new",
        "log--name", "log--muted", "log--key",
        *(f"log--{level}" for level in LEVELS), *(f"log--gutter-{n}" for n in range(1, COLOURS + 1)),
    }  # fmt: skip
    DEFAULT_CSS = """
    LogPaper {
        & > .log--out { color: $foreground-darken-2; }
        & > .log--err { color: $error; }
        & > .log--time, & > .log--debug, & > .log--muted { color: $foreground-darken-2; }
        & > .log--muted { text-style: strike; }
        & > .log--current, & > .log--new { color: $background; background: $accent; text-style: bold; }
        & > .log--prompt { text-style: bold; }
        & > .log--cursor { background: $boost; }
        & > .log--key { color: $accent; }
        & > .log--error { color: $error; text-style: bold; }
        & > .log--warn { color: $warning; text-style: bold; }
        & > .log--info { color: $primary; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: dict[tuple[int, int, int], Strip] = {}
        self._looks: dict[str, Style] = {}
        self._gutters: dict[tuple[int, bool, bool], Content] = {}
        self._plain: RichStyle | None = None
        self.marks = ("▿", "▹")
        """What stands before a JSON line that is unfolded, and before the words about new lines."""
        self.began_ns = 0
        """When the container was started last, 0 = not known: what is older is of previous runs, and muted."""

    def marked(self, number: int, content: Content) -> Content:
        """A line with what is to stand out in it."""
        return content

    def is_chosen(self, number: int) -> bool:
        """Whether the whole line is to stand out."""
        return False

    @property
    def why_nothing(self) -> str:
        """What to say where there are lines and none is shown."""
        return ""

    def restyle(self) -> None:
        """Draw all rows anew."""
        self._rows.clear()
        self._gutters.clear()

    def notify_style_update(self) -> None:
        """Other colours."""
        super().notify_style_update()
        self._plain = None
        self._looks.clear()
        self.restyle()

    @property
    def rich_style(self) -> RichStyle:
        """Textual's, which it works out anew for each row."""
        if self._plain is None:
            self._plain = super().rich_style
        return self._plain

    def look(self, name: str) -> Style:
        """The style of a component class."""
        found = self._looks.get(name)
        if found is None:
            found = self._looks[name] = self.get_visual_style(name)
        return found

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows, as Textual asks for them."""
        begun = monotonic()
        found = super().render_lines(crop)
        if self._settled:
            self.spent(self._settled + monotonic() - begun)
            self._settled = 0.0
        return found

    def render_line(self, y: int) -> Strip:
        """One row."""
        width = self.cells
        if y < self.head:
            row, _ = self.sources.strip(width, self.look, self.key_of)
            return self._strip(row).adjust_cell_length(width, self.rich_style)
        return self._line(y, width)

    def _line(self, y: int, width: int) -> Strip:
        if not self._layout.rows:
            return self._blank_line(y - self.head, width)
        at = y - self.head + self.scroll_offset.y
        place = self._layout.at(at)
        if place is None:
            return Strip.blank(width, self.rich_style)
        number, row = place
        line = self._store[number]
        key = (number, row, len(line.data))
        found = self._rows.get(key)
        if found is None or self.text_selection is not None:
            if len(self._rows) >= _KEPT:
                self._rows.clear()
            found = self._drawn(number, row, line, at).adjust_cell_length(width, self.rich_style)
            if self.text_selection is None:
                self._rows[key] = found
        return found

    def _drawn(self, number: int, row: int, line: LogLine, at: int) -> Strip:
        parts = self._parts(number, line)
        content = parts[min(row, len(parts) - 1)]
        if not self.wrap and not self._sideways:
            content = cut(content, self._text_width)
        if self.text_selection is not None:
            span = self.text_selection.get_span(at)
            if span is not None:
                end = len(content.plain) if span[1] == -1 else span[1]
                content = content.stylize(self.screen.get_visual_style("screen--selection"), span[0], end)
        base = self.visual_style + self.look("log--cursor") if self.is_chosen(number) else self.visual_style
        strip = self._strip(content, base).apply_offsets(0, at)
        if self._sideways:
            strip = strip.crop(self._sideways, max(strip.cell_length, self._sideways))
        strip = Strip.join([self._strip(self._gutter(line, row), base), strip])
        return strip.extend_cell_length(self.cells, base.rich_style) if base is not self.visual_style else strip

    def _parts(self, number: int, line: LogLine) -> list[Content]:
        """The rows of a line without gutter."""
        if self.is_unfolded(number):
            pairs = fields(line.data)
            if pairs is not None:
                rows = unfolded(pairs, self._text_width, self.marks[0], self.look("log--key"))
                return [self.marked(number, row) for row in rows]
        content = lines.levelled(lines.body(line), line, {level: self.look(f"log--{level}") for level in LEVELS})
        if line.time_ns is not None and line.time_ns < self.began_ns:
            content = content.stylize_before(self.look("log--time"))
        content = self.marked(number, content)
        return lines.wrapped(content, self._text_width) if self.wrap else [content]

    def _gutter(self, line: LogLine, row: int) -> Content:
        key = (line.source, line.error, row == 0)
        gutter = self._gutters.get(key)
        if gutter is None:
            gutter = Content("┃ " if line.error else "│ ")
            gutter = gutter.stylize(self.look("log--err" if line.error else "log--out"))
            if self.sources.many:
                gutter = self.sources.gutter(line.source, self.look, first=row == 0) + gutter
            self._gutters[key] = gutter
        if self.times:
            time = lines.clock(line.time_ns, None, millis=self._millis)
            shown = Content(time if row == 0 else " " * len(time))
            gutter += shown.stylize(self.look("log--time"))
        return gutter

    def _strip(self, content: Content, base: Style | None = None) -> Strip:
        return Strip(content.render_segments(base or self.visual_style), content.cell_length)

    def news(self, width: int) -> Strip:
        """`▿ 12 new lines · G goes there`."""
        new, key = self.unseen, self.key_of("last")
        way = f" · {key} goes there" if key else ""
        words = f" {self.marks[0]} {new:,} new {'line' if new == 1 else 'lines'}{way} "
        return self._strip(Content(crop_end(words, width)).stylize(self.look("log--new")))

    def _blank_line(self, y: int, width: int) -> Strip:
        words = self.why_nothing if len(self._store) else self._state
        if y or not words:
            return Strip.blank(width, self.rich_style)
        return self._strip(Content(" " + words)).adjust_cell_length(width, self.rich_style)

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """What the mouse has selected: text without gutters."""
        start = selection.start.y if selection.start is not None else 0
        end = selection.end.y if selection.end is not None else self._layout.rows - 1
        found: list[str] = []
        for at in range(start, min(end, start + _MOST_COPIED, self._layout.rows - 1) + 1):
            place, span = self._layout.at(at), selection.get_span(at)
            if place is None or span is None:
                continue
            parts = self._parts(place[0], self._store[place[0]])
            text = parts[min(place[1], len(parts) - 1)].plain
            found.append(text[span[0] :] if span[1] == -1 else text[span[0] : span[1]])
        return ("\n".join(found), "\n") if found else None

    def selection_updated(self, selection: Selection | None) -> None:
        """Another part is selected: whoever selects reads, and does not follow."""
        if selection is not None and self.follow:
            self._follow(False)
        self._rows.clear()
        self.refresh()
