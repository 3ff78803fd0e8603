"""The lower frame of an image's Layers tab: the files of the layer under the cursor, and what is wasted."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from tui.glyphs import Glyphs
from tui.layers import paint
from tui.layers.folding import ORDERS, Folding
from tui.layers.model import Entry, Layer, Node, Waste, counts, tree_of
from tui.paint import EMPTY, join
from tui.safe import safe
from tui.widgets.frame import Framed, Titles
from tui.widgets.linesview import LinesView
from tui.widgets.objectlist import ObjectList

_TALL = 30  # rows of the screen
_UNFOLDED, _UNFOLDED_SMALL = 18, 8  # rows that a tree unfolds to at first, on a tall screen and on a small one
_WASTE_SHARE = 3  # of the rows of the frame, one in so many may tell of waste


class LayerList(ObjectList):
    """The layers of an image, bottom first, without a frame of its own: it fills a tab."""

    DEFAULT_CSS = """
    LayerList, LayerList:focus { border: none !important; background: $pane; width: 1fr; height: 1fr; }
    """

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="layers", heading=paint.heading, glyphs=glyphs)
        self.scope = "layers"


class FileTree(ObjectList):
    """Paths as a tree that folds; the folds belong to the tree shown."""

    DEFAULT_CSS = """
    FileTree, FileTree:focus { border: none !important; background: $pane; width: 1fr; height: 1fr; }
    """

    class Picked(Message):
        """Enter on a file."""

        def __init__(self, node: Node) -> None:
            super().__init__()
            self.node = node

    def __init__(self, glyphs: Glyphs, *, id: str, sizes: bool = True) -> None:
        super().__init__(id=id, glyphs=glyphs)
        self.scope = "files" if sizes else "changes"
        self.sizes = sizes
        self._folding = Folding(Node("", "/"))
        self._by_path: dict[str, Node] = {}
        self._unfold = False

    def show_tree(self, root: Node, *, keep: bool = False) -> None:
        """Show another tree; `keep` the folds and the cursor."""
        before = self._folding
        self._folding = Folding(root, before.order)
        if keep:
            self._folding.open, self._folding.pages = before.open, before.pages
        else:
            self.select_first()
            self._unfold = True
        self._fill()

    def select_first(self) -> None:
        """Forget where the cursor was."""
        self.move("first")

    @property
    def node(self) -> Node | None:
        """The path under the cursor."""
        return self._by_path.get(self.cursor_id)

    @property
    def order(self) -> str:
        return self._folding.order

    def next_order(self) -> None:
        """By size, or by name."""
        names = list(ORDERS)
        self._folding.order = names[(names.index(self._folding.order) + 1) % len(names)]
        self._fill()

    def enter(self) -> None:
        """Fold or unfold the folder under the cursor; a file is picked; what was left out is shown."""
        node = self.node
        if node is None:
            if self.cursor_id.endswith("\0"):
                self._folding.show_more(self.cursor_id[:-1])
                self._fill()
            return
        if node.children:
            self._folding.toggle(node.path)
            self._fill()
        elif not node.is_folder:
            self.post_message(self.Picked(node))

    def fold(self, shut: bool) -> bool:
        """Shut or open the folder under the cursor; False where it is so already."""
        node = self.node
        if node is None or not node.children or (node.path in self._folding.open) is not shut:
            return False
        self.enter()
        return True

    def _fill(self) -> None:
        if self._unfold:
            self._unfold = False
            self._folding.unfold(_UNFOLDED if self.app.size.height >= _TALL else _UNFOLDED_SMALL)
        shown = self._folding.rows()
        self._by_path = {one.id: one.node for one in shown if not one.more}
        self.set_rows(paint.file_rows(shown, self.glyphs, sizes=self.sizes))

    def on_object_list_opened(self, event: ObjectList.Opened) -> None:
        event.stop()
        self.enter()


class FilesPane(Framed, Vertical):
    """Shows the files of one layer, or of all up to it, and below them the waste of the whole image."""

    DEFAULT_CSS = """
    FilesPane { width: 1fr; height: 1fr; display: none; }
    FilesPane.-shown { display: block; }
    FilesPane #waste { height: auto; padding: 0 0 0 1; }
    """

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="files")
        self.glyphs = glyphs
        self.all_up_to = False
        self._layer: Layer | None = None
        self._entries: Sequence[Entry] = ()
        self._waste = Waste()
        self._total = 0
        self._layers: Sequence[Layer] = ()
        self._seen: dict[str, tuple[int, ...]] = {}

    def compose(self) -> ComposeResult:
        yield FileTree(self.glyphs, id="tree")
        yield LinesView(id="waste")

    @property
    def shown(self) -> bool:
        return self.is_attached and self.has_class("-shown")

    @property
    def files(self) -> FileTree:
        return self.query_one(FileTree)

    def wait_for(self, layer: Layer | None, sentence: str) -> None:
        """Nothing to show yet, or ever: why."""
        self._layer, self._entries = layer, ()
        self.files.show_tree(tree_of(()))
        self.files.set_empty(join((sentence, "$muted")))
        self.retitle()

    def show_files(self, layer: Layer, entries: Sequence[Entry]) -> None:
        """The files of a layer."""
        same = self._layer is not None and self._layer.number == layer.number and bool(self._entries)
        self._layer, self._entries = layer, entries
        self.files.set_empty(join(("This layer has no files.", "$muted")))
        self.files.show_tree(tree_of(entries), keep=same)
        self.retitle()

    def show_waste(
        self, waste: Waste, total: int, layers: Sequence[Layer], seen: dict[str, tuple[int, ...]]
    ) -> None:
        """What of the image's `total` bytes is wasted."""
        self._waste, self._total, self._layers, self._seen = waste, total, layers, seen
        self._lay_out()

    def _lay_out(self) -> None:
        room = max(self.size.height // _WASTE_SHARE, 0)
        page = self.query_one("#waste", LinesView)
        lines = paint.waste_lines(self._waste, self._total, self._layers, self._seen, 60, room)
        page.display = bool(lines)
        page.styles.height = len(lines) + 1 if lines else 0
        page.show(self._built)

    def _built(self, width: int) -> list[Content]:
        room = max(self.size.height // _WASTE_SHARE, 0)
        return [EMPTY, *paint.waste_lines(self._waste, self._total, self._layers, self._seen, width, room)]

    def titles(self, focused: bool) -> Titles:
        if self._layer is None:
            return Titles(join(("files", "$muted")))
        what = "files up to layer" if self.all_up_to else "files of layer"
        left = join((f"{what} {self._layer.number}", "bold $focus" if focused else "$ink"))
        mode = join(("space: this layer only" if self.all_up_to else "space: all up to here", "$muted"))
        node = self.files.node if focused else None
        if node is not None:
            mode = join(*paint.node_facts(node), (f"by {self.files.order}", "$muted"))
        right = paint.legend() if self.outer_size.width >= 60 else EMPTY
        return Titles(left, right, mode, paint.tally(counts(self._entries)))

    def on_object_list_moved(self, event: ObjectList.Moved) -> None:
        event.stop()
        self.retitle()

    def on_resize(self, event: events.Resize) -> None:
        self._lay_out()

    @property
    def note(self) -> Content:
        """The path under the cursor."""
        node = self.files.node
        return safe(node.path) if node is not None else EMPTY
