from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.layers.folding import PAGE, Folding
from tui.layers.model import (
    Entry,
    Waste,
    changes_of,
    counts,
    entries_of,
    layers_of,
    merged,
    shared_with,
    tree_of,
    waste_of,
)
from tui.layers.paint import mode_words
from tui.layers.waste import cures

STEPS = [
    {"DiffID": "a", "Size": 7, "Empty": False},
    {"DiffID": "", "Size": 0, "Empty": True},
    {"DiffID": "", "Size": 0, "Empty": True},
    {"DiffID": "b", "Size": 3, "Empty": False},
    {"DiffID": "", "Size": 0, "Empty": True},
]


def test_neighbours_without_files_are_one_row_and_do_not_count() -> None:
    layers = layers_of(STEPS, ["ADD", "ENV", "USER", "RUN", "CMD"])
    assert [(one.number, one.index, one.size, one.made_by) for one in layers] == [
        (1, 0, 7, ("ADD",)),
        (2, -1, 0, ("ENV", "USER")),
        (3, 1, 3, ("RUN",)),
        (4, -1, 0, ("CMD",)),
    ]


def test_a_whiteout_hides_what_lies_below_it() -> None:
    below = [(Entry("/a/x", size=1), Entry("/a/y", size=2), Entry("/ab", size=4)), (Entry("/b", size=8),)]
    top = (Entry("/a", kind="dir", change="removed"), Entry("/b", size=9, change="changed"))
    found = {one.path: one.change for one in merged(below, top)}
    assert found == {"/ab": "", "/b": "changed", "/a": "removed"}


def test_a_removal_in_the_middle_leaves_nothing_of_what_was_there() -> None:
    below = [(Entry("/a/x"),), (Entry("/a", change="removed"),)]
    assert merged(below, (Entry("/c"),)) == (Entry("/c"),)


def test_a_tree_adds_up_and_says_what_is_in_a_folder() -> None:
    root = tree_of(
        [
            Entry("/usr", kind="dir", change="changed"),
            Entry("/usr/lib/a", size=5),
            Entry("/usr/lib/b", size=6, change="removed"),
            Entry("/opt/only", size=1),
            Entry("/gone", change="removed", size=2),
        ]
    )
    assert (root.size, root.files) == (14, 4)
    usr = root.children["usr"]
    assert (usr.change, usr.size, usr.children["lib"].change) == ("changed", 11, "changed")
    assert root.children["opt"].change == "added"
    assert root.children["gone"].change == "removed"


def test_thousands_of_nested_folders_are_no_stack_overflow() -> None:
    root = tree_of([Entry("/" + "d/" * 20_000 + "f", size=1)])
    assert root.size == 1
    (only,) = Folding(root).rows()
    assert only.node.children.keys() == {"f"}


def test_lone_folders_stand_in_one_row_and_the_biggest_unfold_first() -> None:
    folding = Folding(tree_of([Entry("/usr/lib/big", size=9), Entry("/usr/lib/small", size=1), Entry("/etc/x")]))
    assert [row.label for row in folding.rows()] == ["/usr/lib", "/etc"]
    folding.unfold(4)
    assert [row.label for row in folding.rows()] == ["/usr/lib", "big", "small", "/etc"]
    folding.order = "name"
    assert [row.label for row in folding.rows()] == ["/etc", "/usr/lib", "big", "small"]
    folding.toggle("/usr/lib")
    assert [row.label for row in folding.rows()] == ["/etc", "/usr/lib"]


_PATHS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))
_ENTRIES = st.lists(
    st.builds(
        Entry,
        path=_PATHS,
        kind=st.sampled_from(["file", "dir", "link"]),
        size=st.integers(0, 99),
        change=st.sampled_from(["added", "changed", "removed"]),
    )
)


def test_a_folder_of_very_many_names_says_how_many_are_left_out_and_shows_them_in_turn() -> None:
    names = [f"/many/f{number:05}" for number in range(2 * PAGE + 7)]
    folding = Folding(tree_of(Entry(name, size=1) for name in [*names, "/other/a", "/other/b"]), order="name")
    folding.toggle("/many")
    rows = folding.rows()
    assert [row.more for row in rows if row.more] == [PAGE + 7]
    last = next(row for row in rows if row.more)
    assert (rows.index(last), last.depth) == (1 + PAGE, 1)
    assert rows[-1].node.path == "/other"
    assert len({row.id for row in rows}) == len(rows)
    folding.show_more("/many")
    assert [row.more for row in folding.rows() if row.more] == [7]
    folding.show_more("/many")
    shown = [row.node.path for row in folding.rows()]
    assert shown == ["/many", *names, "/other"]


@given(_ENTRIES, st.integers(0, 30))
def test_every_path_is_shown_once_when_all_is_unfolded(entries: list[Entry], room: int) -> None:
    folding = Folding(tree_of(entries))
    folding.unfold(room)
    first = len(Folding(folding.root).rows())
    assert len(folding.rows()) <= max(room, first)
    folding.unfold(10_000)
    shown = [row.node.path for row in folding.rows()]
    assert len(shown) == len(set(shown))
    leaves = {e.path for e in entries if not any(o.path.startswith(e.path + "/") for o in entries)}
    assert leaves <= set(shown)


@given(_ENTRIES, _ENTRIES)
def test_nothing_that_was_removed_is_there(below: list[Entry], top: list[Entry]) -> None:
    there = merged([below], top)
    gone = [one.path for one in top if one.change == "removed"]
    later = {one.path for one in top}
    assert not [
        e for e in there if any(e.path == g or e.path.startswith(g + "/") for g in gone) and e.path not in later
    ]


def test_what_docker_tells_of_a_container() -> None:
    changes = changes_of([{"Path": "/etc", "Kind": 0}, {"Path": "/new", "Kind": 1}, {"Path": "/old", "Kind": 2}])
    assert [one.change for one in changes] == ["changed", "added", "removed"]
    assert changes_of(None) == ()


def test_a_folder_that_is_only_passed_through_is_not_counted_as_changed() -> None:
    entries = entries_of(
        [
            {"Path": "etc", "Kind": "dir", "Change": "changed"},
            {"Path": "etc/passwd", "Kind": "file", "Change": "changed"},
            {"Path": "./x", "Kind": "file", "Change": "added"},
        ]
    )
    assert counts(entries) == {"added": 1, "changed": 1, "removed": 0}


def test_who_shares_a_layer_shares_all_below_it() -> None:
    others = {"one": ["a", "b", "x"], "two": ["a"], "three": ["z", "b"]}
    assert shared_with(["a", "b", "c"], others) == [2, 1, 0]


def test_waste_names_the_dearest_first_and_what_helps() -> None:
    waste = waste_of(
        {
            "Wasted": 30,
            "Efficiency": 0.5,
            "Files": [
                {"Path": "/opt/twice", "Bytes": 5, "Times": 3},
                {"Path": "/var/lib/apt/lists/a", "Bytes": 10, "Times": 2},
                {"Path": "/var/lib/apt/lists/b", "Bytes": 15, "Times": 2},
            ],
        }
    )
    layers = layers_of(STEPS, [""] * 5)
    assert cures(waste, layers, {"/opt/twice": (0, 1), "/var/lib/apt/lists/b": (1,)}) == [
        ("/var/lib/apt/lists", 25, "layer 3: remove it in the same RUN"),
        ("/opt/twice", 5, "came in layer 1, hidden in 3"),
    ]
    assert waste_of(None) == Waste()


def test_modes_are_written_as_ls_writes_them() -> None:
    assert mode_words("file", 0o644) == "-rw-r--r--"
    assert mode_words("dir", 0o1777) == "drwxrwxrwt"
    assert mode_words("file", 0o4755) == "-rwsr-xr-x"
    assert mode_words("file", 0o2644) == "-rw-r-Sr--"
