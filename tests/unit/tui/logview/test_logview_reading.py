"""What a reader does with a log of one container or several, by keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from textual import events
from textual.app import App, ComposeResult

from tui.logview import LogView
from tui.logview.moments import moment
from tui.logview.sources import Sources
from tui.logview.unfold import fields

SECOND = 10**9


class Host(App[None]):
    def compose(self) -> ComposeResult:
        yield LogView(id="log")

    def on_mount(self) -> None:
        self.view.focus()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)


def rows(view: LogView) -> list[str]:
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


def merged(view: LogView) -> None:
    view.sources = Sources(["web", "옹기", "a-name-that-is-too-long"])
    for n in range(6):
        view.append("stderr" if n == 4 else "stdout", n * SECOND, b"line %d\n" % n, n % 3)


async def test_lines_say_whose_they_are() -> None:
    app = Host()
    async with app.run_test(size=(60, 9)) as pilot:
        merged(app.view)
        await pilot.pause(0.1)
        assert rows(app.view) == [
            " │1 web │2 옹기 │3 a-name…-long   m mutes · M alone",
            "│ web          │ line 0",
            "│ 옹기         │ line 1",
            "│ a-name…-long │ line 2",
            "│ web          │ line 3",
            "│ 옹기         ┃ line 4",
            "│ a-name…-long │ line 5",
            "",
            "",
        ]


async def test_mute_and_alone() -> None:
    app = Host()
    async with app.run_test(size=(60, 9)) as pilot:
        view = app.view
        merged(view)
        await pilot.pause(0.1)
        await pilot.press("m", "1")
        assert [row[-6:] for row in rows(view)[1:5]] == ["line 1", "line 2", "line 4", "line 5"]
        await pilot.press("M", "2")
        assert [row[-6:] for row in rows(view)[1:4]] == ["line 1", "line 4", ""]
        assert view.command == ("logs", "-f", "옹기")
        await pilot.press("m", "2")
        assert view.sources.heard == (1,)  # the last one that is heard stays
        await pilot.press("M", "2")
        assert view.sources.heard == (0, 1, 2)
        await pilot.press("m", "9")
        await pilot.click("#log", offset=(3, 0))
        assert view.sources.heard == (1, 2)
        await pilot.press("m", "a")
        assert view.sources.heard == (0, 1, 2)


async def test_other_containers_are_given_by_who_can() -> None:
    app = Host()
    async with app.run_test(size=(60, 9)) as pilot:
        told: list[tuple[int, ...]] = []
        merged(app.view)
        app.view.on_heard = lambda: told.append(app.view.sources.heard)
        await pilot.press("m", "2", "m", "x")
        assert told == [(0, 2)]


async def test_lines_are_selected_and_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Host()
    async with app.run_test(size=(60, 9)) as pilot:
        view, copied = app.view, []
        monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
        merged(view)
        view.append("stdout", None, b"\x1b[31mred\x1b[m\n")
        await pilot.pause(0.1)
        await pilot.press("v", "k", "k", "y")
        assert copied == ["line 4\nline 5\nred"] and view.cursor is None
        assert rows(view)[-1] == "copied 3 lines"
        await pilot.press("v", "escape", "y")
        assert len(copied) == 1 and rows(view)[-1] == ""


async def test_the_mouse_selects_text_without_gutters(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Host()
    async with app.run_test(size=(60, 9)) as pilot:
        view, copied = app.view, []
        monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
        for n in range(3):
            view.append("stdout", None, b"line %d\n" % n)
        await pilot.pause(0.1)
        await pilot.mouse_down("#log", offset=(4, 0))
        await pilot.hover("#log", offset=(5, 2))
        await pilot.mouse_up("#log", offset=(5, 2))
        await pilot.pause()
        assert not view.follow
        await pilot.press("y")
        assert copied == ["ne 0\nline 1\nline"]


async def test_to_a_time() -> None:
    app = Host()
    async with app.run_test(size=(60, 6)) as pilot:
        view = app.view
        for n in range(100):
            view.append("stdout", 1_700_000_000 * SECOND + n * SECOND, b"line %d\n" % n)
        await pilot.pause(0.1)
        view.began_ns = 1_700_000_050 * SECOND
        await pilot.press("{")
        assert rows(view)[0] == "│ line 50" and not view.follow
        await pilot.press("@", *"zz", "enter")
        assert rows(view)[-1].startswith("zz is no time")
        view.go_to_time(1_700_000_007 * SECOND)
        assert rows(view)[0] == "│ line 7"
        await pilot.press("@", *"1s", "enter")
        assert "│ line 99" in rows(view)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 72_600), ("1.5h ago", 67_800), ("20:00", 72_000), ("20:20:05,5", -13_194.5), ("1970-01-01 00:01", 60),
     ("1970-01-01T00:00:07.25", 7.25), ("25:00", None), ("noon", None), ("", None), ("1970-13-01 00:00", None)],
)  # fmt: skip
def test_moments(text: str, seconds: float | None) -> None:
    from datetime import UTC

    found = moment(text, 73_200 * SECOND, UTC)  # 20:20:00 of the first day
    assert found == (None if seconds is None else int(seconds * SECOND))


async def test_json_unfolds_in_place() -> None:
    app = Host()
    async with app.run_test(size=(40, 9)) as pilot:
        view = app.view
        view.append("stdout", None, b'{"level":"warn","msg":"kiln [b]busy","order":{"id":1041}}\nplain\n[1]\n')
        await pilot.pause(0.1)
        assert rows(view)[0] == '│ {"level":"warn","msg":"kiln [b]busy"…'
        await pilot.click("#log", offset=(6, 0))
        unfolded = ["│ ▿ { level warn  msg kiln [b]busy", '│     order {"id": 1041}  }', "│ plain", "│ [1]"]
        assert rows(view)[:4] == unfolded
        await pilot.click("#log", offset=(6, 0))
        assert rows(view)[1] == "│ plain"
        await pilot.press("x")
        assert rows(view)[:4] == unfolded
        await pilot.click("#log", offset=(6, 0))
        assert rows(view)[1] == "│ plain"


@pytest.mark.parametrize("data", [b"", b"{}x", b"[1]", b"{", b'{"a":' * 2000 + b"}" * 2000, b"{'a':1}"])
def test_what_is_no_object_stays_as_it_is(data: bytes) -> None:
    assert fields(data) is None


async def test_clear_and_back() -> None:
    app = Host()
    async with app.run_test(size=(60, 6)) as pilot:
        view = app.view
        view.append("stdout", None, b"old\n")
        await pilot.pause(0.1)
        await pilot.press("ctrl+l")
        assert rows(view)[0] == " Cleared; esc brings 1 line back."
        view.append("stdout", None, b"new\n")
        await pilot.pause(0.1)
        assert rows(view)[:2] == ["│ new", ""] and view.shown == "1 line since it was cleared"
        await pilot.press("escape")
        assert rows(view)[:2] == ["│ old", "│ new"]


async def test_what_is_no_pattern_is_searched_as_it_is_and_that_is_said() -> None:
    app = Host()
    async with app.run_test(size=(60, 6)) as pilot:
        view = app.view
        view.append("stdout", None, b"order [1]\norder 1\n")
        await pilot.press("/", *"order [1")
        await pilot.pause(0.1)
        assert view.shown == "1 hit in 2 lines, as plain text"
        await pilot.press("]", "enter")
        await pilot.pause(0.1)
        assert view.shown == "1 of 1 hit in 2 lines" and view.command[2:4] == ("--grep", "(?i)order [1]")


async def test_its_words_name_the_keys_that_hold() -> None:
    app = Host()
    async with app.run_test(size=(60, 6)) as pilot:
        view = app.view
        merged(view)
        view.key_of = {
            "last": "",
            "log_keep": "K",
            "log_mute": "Q",
            "log_solo": "",
            "log_save": "W",
            "back": "q",
        }.get  # type: ignore[assignment]
        await pilot.press("g", "ctrl+l")
        assert rows(view)[1] == " Cleared; q brings 6 lines back."
        await pilot.press("escape", "&", *"nothing", "enter")
        assert rows(view)[:2] == [" │1 web │2 옹기 │3 a-name…-long   Q mutes", " 0 of 6 lines match; K shows all."]


async def test_what_is_shown_is_saved(tmp_path: Path) -> None:
    app = Host()
    async with app.run_test(size=(90, 6)) as pilot:
        view = app.view
        view.append("stdout", 1_500_000_000, b"a \x1b[31m1\x1b[m\nb\na 2\n")
        await pilot.press("&", "a", "enter")
        await pilot.pause(0.1)
        path = tmp_path / "saved.log"

        async def save() -> None:
            await pilot.press("S", "ctrl+u")
            view.post_message(events.Paste(str(path)))
            await pilot.press("enter")
            async with asyncio.timeout(60):
                while not view._note:
                    await pilot.pause(0.01)

        await save()
        assert path.read_bytes() == b"a \x1b[31m1\x1b[m\na 2\n" and view._note == f"saved 2 lines as {path}"
        path.write_bytes(b"mine")
        await save()
        assert path.read_bytes() == b"mine" and "is there already" in view._note


async def test_levels_are_coloured_only_where_they_are_claimed() -> None:
    app = Host()
    async with app.run_test(size=(60, 6)) as pilot:
        view = app.view
        view.append("stdout", None, b"ERROR one\nno error\n\x1b[32mERROR\x1b[m own\n")
        await pilot.pause(0.1)
        bold = [[s.text for s in view.render_line(y) if s.style and s.style.bold] for y in range(3)]
        assert bold == [["ERROR"], [], []]


async def test_very_many_lines_wrap_without_being_measured() -> None:
    app = Host()
    async with app.run_test(size=(30, 6)) as pilot:
        view = app.view
        for n in range(12_000):
            view.append("stdout", None, b"%d " % n + b"x" * (n % 50) + b"\n")
        await pilot.press("w")
        await pilot.pause(0.1)
        assert view._layout.lines == 4000 and any(row.startswith("│ 11999") for row in rows(view))
        await pilot.press("g")
        assert rows(view)[0] == "│ 0"
        for _ in range(3):
            view.go_to_line(3990, top=True)
            await pilot.press(*["ctrl+d"] * 3)
        assert view._windowed is not None and view._windowed[0] > 0
        assert not view.follow
        await pilot.press("G")
        assert view.follow and any(row.startswith("│ 11999") for row in rows(view))
