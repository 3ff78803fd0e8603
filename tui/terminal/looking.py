"""Looking back with the keyboard: a cursor over history and screen, search, selection, copying.

Meanwhile no key reaches the program. Keys are those of a pager; `feed` says what the view has to do.
"""

from __future__ import annotations

from typing import Final, Literal

from tui.terminal.clipboard import Gate
from tui.terminal.paper import Paper, Place, Selection

Effect = Literal["", "leave", "copy", "allow"]

KEYS: Final = "/ search · v select · y copy · esc back"


class Look:
    """`cursor` is a place on the paper; `lines` the height of the view."""

    def __init__(self, paper: Paper, cursor: Place, lines: int, gate: Gate | None = None) -> None:
        self._paper = paper
        self._gate = gate or Gate()
        self.cursor = cursor
        self.lines = lines
        self._anchor: Place | None = None
        self._whole = False
        self.prompt: str | None = None  # the text of a search being typed
        self.found: list[Selection] = []
        self.wanted = ""
        self._at = -1

    @property
    def selection(self) -> Selection | None:
        """What is selected, or where a search has led."""
        if self._anchor is not None:
            return Selection(self._anchor, self.cursor, self._whole)
        return self.found[self._at] if 0 <= self._at < len(self.found) else None

    @property
    def words(self) -> str:
        """What the lowest line of the view says."""
        if self.prompt is not None:
            return f"/{self.prompt}▏"
        if self._gate.asking:
            return f"a lets the program write your clipboard ({len(self._gate.wanted):,}) · esc does not"
        paper = self._paper
        up = paper.last - self.cursor.row
        out = f"looking back {up:,} of {paper.last - paper.first:,}" if up > 0 else "looking back"
        if self.wanted:
            count = f"{self._at + 1:,} of {len(self.found):,}" if self.found else "not found"
            return f"{out} · {self.wanted}: {count} · n N next · y copy · esc back"
        return f"{out} · {KEYS}"

    def key(self, name: str, character: str | None) -> Effect:
        """Take a key as Textual names it."""
        if self.prompt is not None:
            self._typed(name, character)
            return ""
        key = character if character and character.isprintable() else name
        if key in _MOVES:
            self._move(_MOVES[key])
        elif key in ("v", "V"):
            off = self._anchor is not None and self._whole == (key == "V")
            self._anchor = None if off else self._anchor or self.cursor
            self._whole = key == "V"
        elif key == "/":
            self.prompt = ""
        elif key in ("n", "N"):
            self._step(-1 if key == "n" else 1)
        elif key in ("y", "enter"):
            return "copy" if self.selection is not None else "leave"
        elif key == "a":
            return "allow"
        elif key == "escape" and (self._anchor is not None or self.found):
            self._anchor, self.found, self.wanted = None, [], ""
        elif key in ("escape", "q", "ctrl+c"):
            return "leave"
        return ""

    def shift(self, rows: int) -> None:
        """The rows have got other numbers, which happens when the width changes: forget what pointed to them."""
        self._anchor, self.found, self.wanted = None, [], ""
        self.cursor = Place(self._paper.live + rows, 0)

    def _typed(self, name: str, character: str | None) -> None:
        assert self.prompt is not None
        if name == "escape":
            self.prompt = None
        elif name in ("enter", "return"):
            wanted, self.prompt = self.prompt, None
            self._search(wanted or self.wanted)
        elif name == "backspace":
            self.prompt = self.prompt[:-1] if self.prompt else None
        elif character and character.isprintable():
            self.prompt += character

    def _search(self, wanted: str) -> None:
        self.wanted = wanted
        self.found = self._paper.find(wanted)
        older = [n for n, hit in enumerate(self.found) if hit.ends[0] < self.cursor]
        self._at = older[-1] if older else len(self.found) - 1
        self._show()

    def _step(self, by: int) -> None:
        if self.found:
            self._at = (self._at + by) % len(self.found)
            self._show()

    def _show(self) -> None:
        if self.found:
            self.cursor = self.found[self._at].ends[0]

    def _move(self, move: tuple[int, int, str]) -> None:
        rows, columns, where = move
        paper = self._paper
        row, column = self.cursor
        row += rows * (max(1, self.lines - 2) if where == "page" else 1)
        if where == "top":
            row = paper.first
        elif where == "bottom":
            row = paper.last
        elif where == "start":
            column = 0
        elif where == "end":
            column = max(len("".join(c or "." for c in paper.cells(row)).rstrip(" ")) - 1, 0)
        row = min(max(row, paper.first), paper.last)
        self.cursor = Place(row, min(max(column + columns, 0), 999))


_MOVES: Final = {
    "up": (-1, 0, ""), "k": (-1, 0, ""), "down": (1, 0, ""), "j": (1, 0, ""), "left": (0, -1, ""), "h": (0, -1, ""),
    "right": (0, 1, ""), "l": (0, 1, ""), "pageup": (-1, 0, "page"), "b": (-1, 0, "page"),
    "shift+pageup": (-1, 0, "page"), "pagedown": (1, 0, "page"), " ": (1, 0, "page"), "space": (1, 0, "page"),
    "shift+pagedown": (1, 0, "page"), "home": (0, 0, "start"), "0": (0, 0, "start"), "end": (0, 0, "end"),
    "$": (0, 0, "end"), "g": (0, 0, "top"), "G": (0, 0, "bottom"),
}  # fmt: skip
