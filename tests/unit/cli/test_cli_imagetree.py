"""`images --tree`: an image hangs under the one that has most of its layers."""

from __future__ import annotations

from core.cli.verb.imagetree import Node, grow


def node(name: str, layers: str, size: int = 1) -> Node:
    return Node({"Id": name, "RepoTags": [name], "Size": size, "RootFS": {"Layers": list(layers)}})


def shape(nodes: list[Node]) -> dict[str, object]:
    return {one.id: shape(one.children) for one in nodes}


def test_an_image_hangs_under_the_largest_it_stands_on() -> None:
    found = grow([node("abcd", "abcd"), node("a", "a"), node("x", "x"), node("abc", "abc"), node("ay", "ay")])
    assert shape(found) == {"a": {"abc": {"abcd": {}}, "ay": {}}, "x": {}}


def test_equal_layers_and_none_at_all_make_no_family() -> None:
    assert shape(grow([node("one", "ab"), node("two", "ab"), node("empty", "")])) == {
        "one": {},
        "two": {},
        "empty": {},
    }
