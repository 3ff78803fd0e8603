"""Which rows of a tree of files are shown: folders fold, chains of lone folders stand in one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tui.layers.model import Node

_MOST: Final = 5000  # children of one folder that get a row of their own

Order = Callable[[Node], tuple[object, ...]]

ORDERS: Final[dict[str, Order]] = {
    "size": lambda node: (-node.size, node.name),
    "name": lambda node: (node.name,),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One row: a node, what is written of its path, how deep it stands, whether it is unfolded."""

    node: Node
    label: str
    depth: int
    open: bool

    @property
    def id(self) -> str:
        return self.node.path


class Folding:
    """The folds of one tree. A folder that was unfolded stays so when the tree is ordered anew."""

    def __init__(self, root: Node, order: str = "size") -> None:
        self.root = root
        self.order = order
        self.open: set[str] = set()

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
        waiting = [(node, 0) for node in reversed(self._children(self.root))]
        while waiting:
            node, depth = waiting.pop()
            end = _chain(node)
            unfolded = end.path in self.open
            label = end.path if depth == 0 else end.path[len(node.path) - len(node.name) :]
            found.append(Shown(end, label, depth, unfolded))
            if unfolded:
                waiting += [(child, depth + 1) for child in reversed(self._children(end))]
        return found

    def _children(self, node: Node) -> list[Node]:
        return sorted(_chain(node).children.values(), key=ORDERS[self.order])[:_MOST]

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
