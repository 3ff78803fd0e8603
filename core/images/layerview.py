"""Looking into an image: its layers, what each of them changes, what is stored and never seen, a file of it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from core.aio import off_loop_to_end
from core.errors import InvalidArgument, NotFound
from core.images.room import ImageRoom
from core.model.image import Image
from core.oci.digest import Digest
from core.storage.layertree import ENTRY_LIMIT, Found, entries, is_opaque

FILE_LIMIT = 1 << 20  # bytes of a file that are shown
WASTE_LIMIT = 1000  # files named, those that waste most

Hidden = list[tuple[str, int]]  # paths and their bytes, -1 for a directory


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One step of the history, bottom first; `empty` = it made no layer, and has no ids."""

    diff_id: str
    chain_id: str
    size: int
    created_by: str
    empty: bool


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of a layer beside the layers below: `added`, `changed` or `removed`."""

    found: Found
    change: str


@dataclass(frozen=True, slots=True)
class Waste:
    """`wasted` bytes of `total` are stored in some layer and hidden by a later one.

    `files` = (path, hidden bytes, number of layers that have it), most bytes first.
    """

    wasted: int
    total: int
    files: tuple[tuple[str, int, int], ...]

    @property
    def efficiency(self) -> float:
        """The part of the stored bytes that the image shows."""
        return 1.0 if not self.total else (self.total - self.wasted) / self.total


class LayerViews:
    """Answers about the insides of images. Layers are read where they are unpacked, off the loop."""

    def __init__(self, room: ImageRoom) -> None:
        self._room = room

    def layers(self, reference: str) -> list[LayerRow]:
        """Every step of the history, bottom first; layers without a history come last. Raises NoSuchImage."""
        config = self._room.store.find(reference).config
        left = list(zip(config.rootfs.diff_ids, config.chain, strict=True))
        rows = []
        for step in config.history:
            if step.empty_layer or not left:
                rows.append(LayerRow("", "", 0, step.created_by, True))
            else:
                rows.append(self._row(*left.pop(0), step.created_by))
        return rows + [self._row(diff_id, chain_id, "") for diff_id, chain_id in left]

    def _row(self, diff_id: Digest, chain_id: Digest, created_by: str) -> LayerRow:
        return LayerRow(str(diff_id), str(chain_id), self._room.snapshots.size(chain_id), created_by, False)

    async def files(self, reference: str, index: int) -> list[Change]:
        """What layer `index` (0 = the lowest that is not empty) adds, changes and removes.

        Raises NoSuchImage, NotFound for an index that is none, InvalidArgument for an image of too many files.
        """
        folders = self._folders(self._room.store.find(reference))
        if not 0 <= index < len(folders):
            raise NotFound(f"image has no layer {index}: it has {len(folders)}")
        async with self._room.collector.holding():
            return await off_loop_to_end(changes, folders[: index + 1])

    async def waste(self, reference: str) -> Waste:
        """What the layers store for nothing. Raises as `files` does."""
        folders = self._folders(self._room.store.find(reference))
        async with self._room.collector.holding():
            return await off_loop_to_end(waste, folders)

    async def file(self, reference: str, path: str, *, layer: int | None = None) -> tuple[bytes, int]:
        """The first MiB of a file as the image, or its layers up to `layer`, shows it; and its whole size.

        Raises NoSuchImage, NotFound, NoSuchPath, InvalidArgument for what is no regular file.
        """
        chain = self._room.store.find(reference).config.chain
        top = len(chain) - 1 if layer is None else layer
        if not 0 <= top < len(chain):
            raise NotFound(f"image has no layer {top}: it has {len(chain)}")
        rootfs = self._room.snapshots.rootfs(chain[top])
        output = os.memfd_create("file", os.MFD_CLOEXEC)
        try:
            args = {"rootfs": rootfs, "path": path, "limit": FILE_LIMIT}
            async with self._room.collector.holding():
                answer, _ = await self._room.zygote.run("read-file", args, [output])
            return os.pread(output, FILE_LIMIT, 0), int(answer["size"])
        finally:
            os.close(output)

    def _folders(self, image: Image) -> list[Path]:
        """Where the layers are unpacked, bottom first."""
        return [self._room.snapshots.upper(name) for name in image.config.chain]


class _Seen:
    """The tree that the layers so far show: path to bytes, -1 for a directory; children by their folder."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self._children: defaultdict[str, set[str]] = defaultdict(set)

    def __contains__(self, path: str) -> bool:
        return path in self.sizes

    def put(self, path: str, size: int) -> None:
        if len(self.sizes) >= ENTRY_LIMIT:
            raise InvalidArgument(f"image has more than {ENTRY_LIMIT} files")
        self.sizes[path] = size
        self._children[path.rpartition("/")[0]].add(path)

    def below(self, path: str) -> list[str]:
        """Everything below `path`, at any depth."""
        found: list[str] = []
        waiting = [path]
        while waiting:
            children = self._children.get(waiting.pop(), ())
            found += children
            waiting += children
        return found

    def inside(self, folder: str) -> list[str]:
        """What `folder` itself holds, by name."""
        return sorted(self._children.get(folder, ()))

    def take(self, path: str) -> list[tuple[str, int]]:
        """Take `path` and all below it away: what went, with its bytes."""
        gone = [name for name in (path, *self.below(path)) if name in self.sizes]
        taken = [(name, self.sizes.pop(name)) for name in gone]
        for name in gone:
            self._children[name.rpartition("/")[0]].discard(name)
            self._children.pop(name, None)
        return taken


def _stack(seen: _Seen, layer: Iterable[Found], *, opaque_root: bool) -> tuple[list[Change], Hidden]:
    """Put a layer on top of what is `seen`: its changes, and what it hides with the bytes of it."""
    made: list[Change] = []
    hidden: Hidden = []
    if opaque_root:
        _hide(seen, "", made, hidden)
    for found in layer:
        there = found.path in seen
        if found.kind == "whiteout":
            _remove(seen, found.path, made, hidden)
            continue
        made.append(Change(found, "changed" if there else "added"))
        if found.kind == "dir":
            if there and seen.sizes[found.path] >= 0:  # it was a file
                hidden += seen.take(found.path)
            elif there and found.opaque:
                _hide(seen, found.path, made, hidden)
            seen.put(found.path, -1)
        else:
            hidden += seen.take(found.path)
            seen.put(found.path, found.size)
    return made, hidden


def _hide(seen: _Seen, folder: str, made: list[Change], hidden: Hidden) -> None:
    """What an opaque directory hides is removed, unless the layer has it anew, which comes after it."""
    for path in seen.inside(folder):
        _remove(seen, path, made, hidden)


def _remove(seen: _Seen, path: str, made: list[Change], hidden: Hidden) -> None:
    """What a whiteout, of whatever kind, takes away is shown as what it was, with all its bytes."""
    kind = "dir" if seen.sizes.get(path, 0) < 0 else "file"
    gone = seen.take(path)
    hidden += gone
    made.append(Change(Found(path, kind, 0, 0, 0, sum(size for _, size in gone if size > 0)), "removed"))


def changes(folders: list[Path]) -> list[Change]:
    """What the last of `folders` (layers, bottom first) changes. Blocking."""
    seen, made = _Seen(), list[Change]()
    for folder in folders:
        made, _ = _stack(seen, entries(folder), opaque_root=is_opaque(folder))
    removed = {item.found.path for item in made if item.change == "removed"}
    renewed = {item.found.path for item in made if item.change != "removed"}
    return [
        replace(item, change="changed") if item.found.path in removed and item.change == "added" else item
        for item in made
        if item.change != "removed" or item.found.path not in renewed
    ]


def waste(folders: list[Path]) -> Waste:
    """What is stored in `folders` (layers, bottom first) and hidden by a later one. Blocking."""
    seen = _Seen()
    hidden: defaultdict[str, int] = defaultdict(int)
    times: defaultdict[str, int] = defaultdict(int)
    total = 0
    for folder in folders:
        made, gone = _stack(seen, entries(folder), opaque_root=is_opaque(folder))
        for item in made:
            total += item.found.size if item.change != "removed" else 0
            if item.found.kind == "file" and item.change != "removed":
                times[item.found.path] += 1
        for path, size in gone:
            if size > 0:
                hidden[path] += size
    files = sorted(((path, size, times[path]) for path, size in hidden.items()), key=lambda row: (-row[1], row[0]))
    return Waste(sum(hidden.values()), total, tuple(files[:WASTE_LIMIT]))
