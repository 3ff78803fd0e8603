"""Fills the Layers tab: what the engine tells of an image is asked for once, and kept while the app runs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from core.errors import EngineError, NotFound
from tui import commands
from tui.layers.model import (
    Entry,
    Layer,
    Node,
    Waste,
    entries_of,
    layers_of,
    merged,
    shared_with,
    waste_of,
)
from tui.layers.paint import layer_rows
from tui.layers.pane import FilesPane, LayerList
from tui.paint import join
from tui.panes import images
from tui.panes.detail import Subject
from tui.safe import safe, safe_plain
from tui.state import Json

if TYPE_CHECKING:
    from tui.screens.main import MainScreen

_KEPT: Final = 8  # images whose layers are kept
_PATIENCE: Final = 0.15  # seconds: files are asked for once the cursor rests
_AT_ONCE: Final = 4
_LEAST: Final = 7  # rows of the upper frame
_FOREIGN: Final = "This engine does not tell the files of a layer; onggi's own does."


@dataclass(slots=True)
class Known:
    """What has been read of one image. `shared` and `waste` come later than the rest."""

    name: str
    entry: Json
    layers: tuple[Layer, ...] = ()
    own: bool = True
    shared: list[int] = field(default_factory=list)
    files: dict[int, tuple[Entry, ...]] = field(default_factory=dict)
    waste: Waste | None = None

    @property
    def total(self) -> int:
        return int(self.entry.get("Size") or 0)

    def seen(self) -> dict[str, tuple[int, ...]]:
        """The layers, as far as they have been read, in which each wasted path was written or removed."""
        wanted = {path for path, _, _ in self.waste.files} if self.waste is not None else set()
        found: dict[str, tuple[int, ...]] = {}
        for index in sorted(self.files):
            for entry in self.files[index]:
                if entry.path in wanted:
                    found[entry.path] = (*found.get(entry.path, ()), index)
        return found


class LayerBrowser:
    """Between the engine and the two frames of the Layers tab."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._layers_of: dict[str, Sequence[str]] = {}
        self._shown = ""
        self.list = LayerList(screen.onggi.glyphs)
        self.pane = FilesPane(screen.onggi.glyphs)

    @property
    def known(self) -> Known | None:
        """What is known of the image that is shown."""
        return self._known.get(self._shown)

    @property
    def layer(self) -> Layer | None:
        """The layer under the cursor."""
        number = self.list.cursor_id
        layers = self.known.layers if self.known is not None else ()
        return next((layer for layer in layers if str(layer.number) == number), None)

    async def load(self, subject: Subject) -> None:
        """Show the layers of an image, then the files of one, then what is wasted. Raises EngineError, OSError."""
        detail = self._screen.detail
        await self._mount()
        known = self._known.get(subject.id)
        if known is None:
            known = await self._read(subject)
            self._known[subject.id] = known
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        detail.set_facts(subject, images.facts(known.entry, self._screen.onggi.now()))
        if self._shown != subject.id:
            self._shown = subject.id
            self.pane.all_up_to = False
            self.pane.wait_for(None, "")
            self._fill(known)
            last = next((layer for layer in reversed(known.layers) if layer.index >= 0), None)
            if last is not None:
                self.list.select(str(last.number))
        else:
            self._fill(known)
        self.arrange()
        await self._details(subject, known)

    async def _mount(self) -> None:
        if not self.pane.is_attached:
            self._screen.right.mount(self.pane, after=self._screen.detail)
        if not self.list.is_attached:
            await self._screen.detail.take_view("Layers", self.list)

    async def _read(self, subject: Subject) -> Known:
        calls = self._screen.onggi.calls
        entry = await calls.document("images", subject.name)
        try:
            told = await calls.layers(subject.name)
        except NotFound:
            told = foreign_layers(await calls.history(subject.name))
            return Known(subject.name, entry, _named(told), own=False)
        return Known(subject.name, entry, _named(told))

    async def _details(self, subject: Subject, known: Known) -> None:
        """What takes the engine longer: files, waste, who shares a layer."""
        await asyncio.sleep(_PATIENCE)
        if known.own:
            await self.show_files()
        if not known.shared:
            known.shared = await self._shared(subject.id, known)
        if known.own and known.waste is None:
            try:
                known.waste = waste_of(await self._screen.onggi.calls.waste(subject.name))
            except NotFound:
                known.waste = Waste()
        if self._shown == subject.id:
            self._fill(known)
            self._show_waste(known)

    def _show_waste(self, known: Known) -> None:
        self.pane.show_waste(known.waste or Waste(), known.total, known.layers, known.seen())

    async def _shared(self, image_id: str, known: Known) -> list[int]:
        """For each layer, how many other images have it."""
        limit = asyncio.Semaphore(_AT_ONCE)

        async def look(other: str) -> None:
            async with limit:
                try:
                    entry = await self._screen.onggi.calls.document("images", other)
                except EngineError:
                    return
                self._layers_of[other] = tuple((entry.get("RootFS") or {}).get("Layers") or ())

        there = {image.id for image in self._screen.world.images}
        await asyncio.gather(*(look(other) for other in there - self._layers_of.keys() - {image_id}))
        others = {other: found for other, found in self._layers_of.items() if other in there and other != image_id}
        return shared_with((known.entry.get("RootFS") or {}).get("Layers") or (), others)

    def _fill(self, known: Known) -> None:
        self.list.set_rows(layer_rows(known.layers, known.shared, self._screen.onggi.glyphs))
        if not known.layers:
            self.list.set_empty(join(("This image tells nothing of how it was made.", "$muted")))

    def moved(self) -> None:
        """The cursor is on another layer."""
        known, layer = self.known, self.layer
        if known is None or layer is None:
            return
        if layer.index < 0:
            self.pane.wait_for(layer, "It changed no file.")
        elif not known.own:
            self.pane.wait_for(layer, _FOREIGN)
        else:
            self._screen.work(self.show_files, group="files", exclusive=True)

    async def show_files(self) -> None:
        """The files of the layer under the cursor, or of all up to it."""
        known, layer = self.known, self.layer
        if known is None or layer is None or layer.index < 0:
            return
        first = 0 if self.pane.all_up_to else layer.index
        try:
            if any(index not in known.files for index in range(first, layer.index + 1)):
                self.pane.wait_for(layer, "Reading the files of this layer.")
            for index in range(first, layer.index + 1):
                await self._files(known, index)
        except (EngineError, OSError) as error:
            self.pane.wait_for(layer, safe_plain(str(error)))
            return
        if self.layer != layer or self.known is not known:
            return
        top = known.files[layer.index]
        if self.pane.all_up_to:
            top = merged([known.files[index] for index in range(layer.index)], top)
        self.pane.show_files(layer, top)
        if known.waste is not None:
            self._show_waste(known)

    async def _files(self, known: Known, index: int) -> None:
        if index not in known.files:
            known.files[index] = entries_of(await self._screen.onggi.calls.layer_files(known.name, index))

    def toggle_up_to(self) -> None:
        """This layer alone, or all up to it."""
        self.pane.all_up_to = not self.pane.all_up_to
        self._screen.work(self.show_files, group="files", exclusive=True)

    def next_order(self) -> None:
        """By size, or by name."""
        self.pane.files.next_order()
        self.pane.retitle()

    def view(self, node: Node) -> None:
        """Show what is in a file."""
        known, layer = self.known, self.layer
        if known is None or layer is None:
            return
        if node.entry is None or node.entry.kind not in ("file", "hardlink") or node.change == "removed":
            why = "was removed by this layer" if node.change == "removed" else "is not a file to read"
            self._screen.line.say(join(safe(node.path), (f" {why}.", "$muted")))
            return
        self._screen.work(partial(self._view, known, node.path, layer.index), group="viewer", exclusive=True)

    async def _view(self, known: Known, path: str, index: int) -> None:
        from tui.layers.viewer import Viewer

        screen = self._screen
        try:
            data = await screen.onggi.calls.file(known.name, path, index)
        except (EngineError, OSError) as error:
            screen.say_error(f"read {path}: {error}")
            return
        screen.line.show(commands.line(("run", "--rm", "--entrypoint", "cat"), (known.name, path)))
        screen.app.push_screen(Viewer(known.name, path, data))

    def arrange(self) -> None:
        """The two frames share the height; without the tab there is but one."""
        detail = self._screen.detail
        shown = detail.tab == "Layers" and detail.subject.kind == "images" and not detail.welcoming
        self.pane.set_class(shown, "-shown")
        if not shown:
            detail.styles.height = "1fr"
            return
        height = self._screen.right.size.height
        if not height:
            return  # not on the screen yet; a resize will come
        wanted = len(self.list.row_ids) + 1 + 2 + (2 if height >= 30 else 1)
        detail.styles.height = max(min(wanted, height * 2 // 5), min(_LEAST, height // 2))


def _named(entries: Sequence[Json]) -> tuple[Layer, ...]:
    words = [images.made_by(str(entry.get("CreatedBy") or entry.get("Comment") or "")) for entry in entries]
    return layers_of(entries, words)


def foreign_layers(history: Sequence[Json]) -> list[Json]:
    """The layers as an engine that knows only Docker's API tells them: by the history, newest first."""
    return [{**entry, "Empty": not entry.get("Size")} for entry in reversed(history)]
