"""Which rows of a tree of files are shown: folders fold, chains of lone folders stand in one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tui.layers.model import Node

PAGE: Final = 5000  # children of one folder that get a row of their own, until more are asked for

Order = Callable[[Node], tuple[object, ...]]

ORDERS: Final[dict[str, Order]] = {
    "size": lambda node: (-node.size, node.name),
    "name": lambda node: (node.name,),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One row: a node, what is written of its path, how deep it stands, whether it is unfolded.

    With `more` it stands for as many names in the folder `node` that have no row yet.
    """

    node: Node
    label: str
    depth: int
    open: bool
    more: int = 0

    @property
    def id(self) -> str:
        return f"{self.node.path}\0" if self.more else self.node.path


class Folding:
    """The folds of one tree. A folder that was unfolded stays so when the tree is ordered anew."""

    def __init__(self, root: Node, order: str = "size") -> None:
        self.root = root
        self.order = order
        self.open: set[str] = set()
        self.pages: dict[str, int] = {}

    def show_more(self, path: str) -> None:
        """Give the next names of a folder rows of their own."""
        self.pages[path] = self.pages.get(path, 1) + 1

    def toggle(self, path: str) -> None:
        """Fold or unfold a folder."""
        self.open ^= {path}

    def unfold(self, rows: int) -> None:
        """Unfold the biggest folders for as long as everything stays within `rows` rows."""
        used = len(self._children(self.root))
        waiting = self._folders(self.root)
        while waiting:
            waiting.sort(key=lambda node: node.size)
            node = waiting.pop()
            inside = self._children(node)
            if used + len(inside) <= rows:
                used += len(inside)
                self.open.add(node.path)
                waiting += self._folders(node)

    def rows(self) -> list[Shown]:
        """What is shown, from top to bottom."""
        found: list[Shown] = []
        waiting: list[tuple[Node, int] | Shown] = list(reversed(self._inside(self.root, 0)))
        while waiting:
            one = waiting.pop()
            if isinstance(one, Shown):
                found.append(one)
                continue
            node, depth = one
            end = _chain(node)
            unfolded = end.path in self.open
            label = end.path if depth == 0 else end.path[len(node.path) - len(node.name) :]
            found.append(Shown(end, label, depth, unfolded))
            if unfolded:
                waiting += reversed(self._inside(end, depth + 1))
        return found

    def _inside(self, folder: Node, depth: int) -> list[tuple[Node, int] | Shown]:
        """What stands below a folder, and a last row for the names that have none."""
        children = self._children(folder)
        found: list[tuple[Node, int] | Shown] = [(child, depth) for child in children]
        more = len(_chain(folder).children) - len(children)
        if more:
            found.append(Shown(folder, "", depth, open=False, more=more))
        return found

    def _children(self, node: Node) -> list[Node]:
        end = _chain(node)
        return sorted(end.children.values(), key=ORDERS[self.order])[: PAGE * self.pages.get(end.path, 1)]

    def _folders(self, node: Node) -> list[Node]:
        return [end for child in self._children(node) if (end := _chain(child)).children]


def _chain(node: Node) -> Node:
    """The last folder of a chain of folders with nothing else in them."""
    while node.path != "/" and len(node.children) == 1:
        only = next(iter(node.children.values()))
        if not only.children or only.change != node.change:
            break
        node = only
    return node
