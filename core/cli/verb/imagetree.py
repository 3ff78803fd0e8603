"""`onggi images --tree`: which image stands on which, and what each adds."""

from __future__ import annotations

from core.cli import output, units, words
from core.client.address import quote
from core.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, TypeAlias

    from core.cli.context import Context

    Row: TypeAlias = "tuple[str, str, str, str, str]"


class Node:
    """One image; `layers` are the digests of its layers, bottom first."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.id = str(found["Id"])
        self.names = [str(name) for name in found.get("RepoTags") or ()] or ["<none>"]
        self.size = int(found.get("Size") or 0)
        self.layers = tuple((found.get("RootFS") or {}).get("Layers") or ())
        self.children: list[Node] = []

    def stands_on(self, other: Node) -> bool:
        """Whether the other's layers are the lowest of ours, and not all of them."""
        count = len(other.layers)
        return 0 < count < len(self.layers) and self.layers[:count] == other.layers


def show(context: Context, images: Sequence[dict[str, Any]], *, full: bool) -> str:
    """The table. An engine shows the layers of an image only by itself, so each is asked for."""
    nodes = []
    for image in images:
        try:
            found = context.engine.get(f"/images/{quote(image['Id'])}/json")
        except NotFound:
            continue  # removed meanwhile
        nodes.append(Node({**found, "RepoTags": image.get("RepoTags")}))
    head = ("IMAGE", "ID", "SIZE", "OWN SIZE", "LAYERS")
    return output.table(head, [row for root in grow(nodes) for row in _rows(root, "", "", 0, full)])


def grow(nodes: Sequence[Node]) -> list[Node]:
    """Hang every image under the one that has most of its layers; those that stand on none."""
    roots: list[Node] = []
    for node in nodes:
        below = max(
            (other for other in nodes if node.stands_on(other)), key=lambda one: len(one.layers), default=None
        )
        (roots if below is None else below.children).append(node)
    return roots


def _rows(node: Node, lead: str, below: str, inherited: int, full: bool) -> Iterable[Row]:
    ident = node.id if full else words.short_id(node.id)
    own = max(node.size - inherited, 0)
    sizes = units.human_size(node.size, 3), units.human_size(own, 3)
    yield lead + ", ".join(node.names), ident, *sizes, str(len(node.layers))
    for number, child in enumerate(node.children, 1):
        last = number == len(node.children)
        yield from _rows(
            child, f"{below}{'└─ ' if last else '├─ '}", f"{below}{'   ' if last else '│  '}", node.size, full
        )
