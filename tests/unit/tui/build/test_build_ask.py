"""Builds typed by hand and by form: the wish, the command, what is judged."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from core.model.buildrecord import BuildRecord
from tui.build.ask import Fields, Reader, folders, of_values, plan, typed
from tui.build.editing import editor
from tui.build.past import build_of
from tui.state import World

VALUES = {"folder": ".", "file": "", "tag": "", "args": "", "target": ""}


@pytest.mark.parametrize(
    "line",
    [
        "build .",
        "build -t a:1 -t b --build-arg A=1 --build-arg B --target x --no-cache --pull ctx",
        "build -f other/Dockerfile .",
        "build -t 'a b' 'a folder'",
    ],
)
def test_a_typed_build_shows_the_command_that_was_typed(line: str) -> None:
    found = typed(shlex.split(line))
    assert found is not None
    assert found.line() == f"onggi {line}"


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("image build --tag=a --file=f --target=t .", Fields(".", "f", ["a"], [], "t")),
        ("builder build -ta .", Fields(".", "", ["a"])),
        ("build", Fields("")),
    ],
)
def test_other_spellings_mean_the_same(line: str, fields: Fields) -> None:
    assert typed(line.split()) == fields


@pytest.mark.parametrize(
    "line",
    ["run x", "build -", "build -f - .", "build --secret id=a .", "build a b", "build -q .", "build https://a/b.git",
     "build . -t"],
)  # fmt: skip
def test_what_the_form_cannot_say_is_left_to_the_command_line(line: str) -> None:
    assert typed(line.split()) is None


def test_a_wish_takes_paths_from_here_on_and_values_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE", "yes")
    monkeypatch.delenv("NOWHERE", raising=False)
    wish = Fields("../x", "sub/D", ["a"], ["A=1=2", "HERE", "NOWHERE"]).wish(tmp_path)
    assert wish.folder == str(tmp_path.parent / "x")
    assert wish.path == str(tmp_path / "sub/D")
    assert wish.args == {"A": "1=2", "HERE": "yes"}


async def test_a_dockerfile_is_judged_while_its_name_is_typed(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("ARG V\nFROM a AS one\nFROM b AS two\nARG W=1\nRUN c\n")
    reader, values = Reader(tmp_path), dict(VALUES)
    assert not plan(World(), reader, tmp_path, values).remarks["file"].text
    assert await reader.look(values)
    assert not await reader.look(values)
    judged = plan(World(), reader, tmp_path, values)
    assert judged.ready
    assert judged.remarks["file"].text == "4 steps in 2 stages"
    assert judged.remarks["args"].text == "without a value: V"
    assert list(judged.known["target"]) == ["one", "two"]
    assert list(judged.known["args"]) == ["V=", "W="]
    bad = plan(World(), reader, tmp_path, {**values, "target": "three", "args": "X=1"})
    assert bad.remarks["target"].bad and not bad.ready
    assert bad.remarks["args"].text == "no ARG X in the Dockerfile"


async def test_what_is_wrong_with_a_dockerfile_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\nRUNN b\n")
    reader = Reader(tmp_path)
    await reader.look(VALUES)
    judged = plan(World(), reader, tmp_path, VALUES)
    assert (judged.remarks["file"].text, judged.ready) == ("line 2 is wrong", False)
    assert "did you mean RUN" in judged.hint


async def test_a_pipe_in_the_place_of_a_dockerfile_holds_nobody_up(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "Dockerfile")
    reader = Reader(tmp_path)
    await reader.look(VALUES)
    assert not plan(World(), reader, tmp_path, VALUES).ready


def test_quotes_that_are_not_closed_are_no_fault() -> None:
    assert of_values({**VALUES, "args": "A='x y"}).args == ["A='x", "y"]


def test_folders_complete_what_is_typed(tmp_path: Path) -> None:
    for name in ("shop", "sheds", ".git", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "shopfile").write_text("")
    assert folders(tmp_path, "sh") == ["sheds/", "shop/"]
    assert folders(tmp_path, "") == ["other/", "sheds/", "shop/"]
    assert folders(tmp_path, ".") == []
    assert folders(tmp_path, "nosuch/x") == []


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ("vim", ["vim", "+7", "/a b"]),
        ("/usr/bin/nano -w", ["/usr/bin/nano", "-w", "+7", "/a b"]),
        ("code --wait", ["code", "--wait", "/a b"]),
        ("", ["vi", "+7", "/a b"]),
        ("'unclosed", ["vi", "+7", "/a b"]),
    ],
)
def test_the_editor_opens_at_the_line_where_it_can(
    chosen: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", chosen)
    assert editor("/a b", 7) == words


def test_a_build_of_the_list_can_be_begun_again_where_its_folder_is_known() -> None:
    build = build_of(BuildRecord("1", 0.0, place="/shop", dockerfile="sub/D", names=("a",), target="t"), 5.0)
    assert build.wish is not None
    assert build.wish.path == "/shop/sub/D"
    assert build.command == "onggi build -t a -f /shop/sub/D --target t /shop"
    assert build_of(BuildRecord("1", 0.0), 5.0).wish is None
