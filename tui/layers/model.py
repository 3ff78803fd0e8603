"""Layers, their files as a tree, and waste: the engine's answers as frozen data. All names are foreign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tui.state import Json

MARKS: Final = {"added": "+", "changed": "~", "removed": "-"}
"""How a change is marked; a file that comes from a layer below has none."""

_DOCKER_CHANGES: Final = ("changed", "added", "removed")  # Kind 0, 1, 2 of GET /containers/ID/changes


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, or the lines between two of them that changed no file (`index` -1, size 0).

    `index` counts the layers that have files from the bottom, as the engine does.
    """

    number: int
    index: int
    diff_id: str
    size: int
    made_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a layer. `change` is added, changed or removed; "" = it comes from below."""

    path: str
    kind: str = "file"
    size: int = 0
    change: str = "added"
    mode: int = 0
    uid: int = 0
    gid: int = 0
    link: str = ""


@dataclass(slots=True)
class Node:
    """A name in the tree of a layer. `entry` is None for a folder that the layer only passes through."""

    name: str
    path: str
    entry: Entry | None = None
    children: dict[str, Node] = field(default_factory=dict)
    size: int = 0
    files: int = 0
    change: str = ""

    @property
    def is_folder(self) -> bool:
        return bool(self.children) or (self.entry is not None and self.entry.kind == "dir")


@dataclass(frozen=True, slots=True)
class Waste:
    """Bytes of an image that nobody can read any more, the share that is useful, and where they lie."""

    wasted: int = 0
    efficiency: float = 1.0
    files: tuple[tuple[str, int, int], ...] = ()
    """Path, bytes, how often it was written; the dearest first."""


def layers_of(entries: Sequence[Json], words: Sequence[str]) -> tuple[Layer, ...]:
    """The engine's layers, bottom first; neighbours without files become one. `words` = what made each."""
    found: list[Layer] = []
    index = 0
    for entry, made_by in zip(entries, words, strict=True):
        empty = bool(entry.get("Empty"))
        if empty and found and found[-1].index < 0:
            found[-1] = replace(found[-1], made_by=(*found[-1].made_by, made_by))
            continue
        number = found[-1].number + 1 if found else 1
        diff_id, size = str(entry.get("DiffID") or ""), int(entry.get("Size") or 0)
        found.append(Layer(number, -1 if empty else index, diff_id, 0 if empty else size, (made_by,)))
        index += not empty
    return tuple(found)


def entries_of(files: Iterable[Json]) -> tuple[Entry, ...]:
    """The files of a layer as the engine lists them."""
    return tuple(
        Entry(
            path="/" + str(file.get("Path", "")).strip("/"),
            kind=str(file.get("Kind", "file")),
            size=int(file.get("Size") or 0),
            change=str(file.get("Change", "")),
            mode=int(file.get("Mode") or 0),
            uid=int(file.get("Uid") or 0),
            gid=int(file.get("Gid") or 0),
            link=str(file.get("Link") or ""),
        )
        for file in files
    )


def changes_of(changes: Iterable[Json] | None) -> tuple[Entry, ...]:
    """What a container changed, from Docker's `GET /containers/ID/changes`, which tells no sizes."""
    return tuple(
        Entry(path=str(one.get("Path", "")), change=_DOCKER_CHANGES[int(one.get("Kind") or 0) % 3])
        for one in changes or ()
    )


def merged(below: Sequence[Sequence[Entry]], top: Sequence[Entry]) -> tuple[Entry, ...]:
    """The files that are there with `top` lying over the layers `below`; only what is `top`'s own has a mark."""
    there: dict[str, Entry] = {}
    for layer in below:
        for one in layer:
            if one.change == "removed":
                _forget(there, one.path)
            else:
                there[one.path] = replace(one, change="")
    for one in top:
        if one.change == "removed":
            _forget(there, one.path)
        there[one.path] = one
    return tuple(there.values())


def _forget(there: dict[str, Entry], path: str) -> None:
    """A whiteout takes a path and all below it."""
    there.pop(path, None)
    inside = path.rstrip("/") + "/"
    for other in [name for name in there if name.startswith(inside)]:
        del there[other]


def tree_of(entries: Iterable[Entry]) -> Node:
    """The root of the tree of these entries, sizes added up, folders marked by what is in them."""
    root = Node("", "/")
    for entry in entries:
        node = root
        for part in entry.path.strip("/").split("/"):
            if not part:
                continue
            path = f"{node.path.rstrip('/')}/{part}"
            node = node.children.setdefault(part, Node(part, path))
        node.entry = entry
    _sum(root)
    return root


def _sum(root: Node) -> None:
    """Sizes and marks from the leaves up, without recursion: a hostile path may be thousands of folders deep."""
    order, waiting = [], [root]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting += node.children.values()
    for node in reversed(order):
        own = node.entry
        node.size = (own.size if own is not None and own.kind != "dir" else 0) + sum(
            c.size for c in node.children.values()
        )
        node.files = (own is not None and own.kind != "dir") + sum(c.files for c in node.children.values())
        if own is not None:
            node.change = own.change
        below = {child.change for child in node.children.values()}
        if own is None or own.change in ("", "changed"):
            node.change = _folder_change(node, below)


def _folder_change(node: Node, below: set[str]) -> str:
    if len(below) == 1 and node.entry is None:
        return below.pop()
    own = node.entry.change if node.entry is not None else ""
    return own or ("changed" if below - {""} else "")


def counts(entries: Iterable[Entry]) -> dict[str, int]:
    """How many paths were added, changed and removed."""
    found = dict.fromkeys(MARKS, 0)
    for entry in entries:
        if entry.change in found and not (entry.kind == "dir" and entry.change == "changed"):
            found[entry.change] += 1
    return found


def waste_of(answer: Json | None) -> Waste:
    """The engine's account of waste."""
    if not answer:
        return Waste()
    files = tuple(
        (str(file.get("Path", "")), int(file.get("Bytes") or 0), int(file.get("Times") or 0))
        for file in answer.get("Files") or ()
    )
    return Waste(
        int(answer.get("Wasted") or 0),
        float(answer.get("Efficiency") or 0.0),
        tuple(sorted(files, key=lambda file: -file[1])),
    )


def shared_with(diff_ids: Sequence[str], others: Mapping[str, Sequence[str]]) -> list[int]:
    """For each layer of an image, how many of the `others` (image id -> diff ids) have it, with all below it."""
    return [
        sum(tuple(other[: depth + 1]) == tuple(diff_ids[: depth + 1]) for other in others.values())
        for depth in range(len(diff_ids))
    ]
