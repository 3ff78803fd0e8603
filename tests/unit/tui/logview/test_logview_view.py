import asyncio
import os

from textual.app import App, ComposeResult
from textual.widgets import Static

from core.logs.jsonfile import escape, records, timestamp
from tui.logview import LogView
from tui.logview.filestore import FileStore, step_back
from tui.logview.logfile import LogFile


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.missed: list[str] = []

    def compose(self) -> ComposeResult:
        yield Static("above")
        yield LogView(id="log")

    def on_mount(self) -> None:
        self.view.focus()

    @property
    def view(self) -> LogView:
        return self.query_one(LogView)

    def on_key(self, event: object) -> None:
        self.missed.append(event.key)  # type: ignore[attr-defined]


def rows(view: LogView) -> list[str]:
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


def numbered(count: int, start: int = 0) -> bytes:
    return b"".join(b"line %d\n" % n for n in range(start, start + count))


async def test_it_follows_until_the_reader_scrolls_up() -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        view = app.view
        view.append("stdout", None, numbered(50))
        await pilot.pause(0.1)
        assert rows(view)[-1] == "│ line 49" and view.mode == "follow · wrap off"
        await pilot.press("k", "k")
        view.append("stdout", None, numbered(12, 50))
        await pilot.pause(0.1)
        assert rows(view)[-2:] == ["│ line 46", " ▿ 12 new lines · G goes there"]
        assert view.mode == "12 new lines · wrap off"
        await pilot.press("G")
        assert rows(view)[-1] == "│ line 61" and view.mode == "follow · wrap off"
        await pilot.press("g")
        assert rows(view)[0] == "│ line 0" and not view.follow
        await pilot.press("f")
        assert rows(view)[-1] == "│ line 61" and view.follow
        assert app.missed == []


async def test_the_readers_place_stays_when_old_lines_go() -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        view = app.view
        view._store._limit = 100
        view.append("stdout", None, numbered(100))
        await pilot.pause(0.1)
        await pilot.press("ctrl+u")
        before = rows(view)
        view.append("stdout", None, numbered(40, 100))
        await pilot.pause(0.1)
        assert rows(view)[:-1] == before[:-1]


async def test_search_counts_while_typing_and_steps() -> None:
    app = Host()
    async with app.run_test(size=(60, 8)) as pilot:
        view = app.view
        view.append("stdout", None, numbered(300))
        await pilot.pause(0.1)
        await pilot.press("/", "7", "1")
        await pilot.pause(0.1)
        assert rows(view)[-1].startswith("/71▏") and rows(view)[-1].endswith("3 hits in 300 lines")
        await pilot.press("q", "backspace", "enter")
        await pilot.pause(0.1)
        assert "│ line 71" in rows(view) and view.shown == "1 of 3 hits in 300 lines"
        await pilot.press("n")
        assert "│ line 171" in rows(view)
        current = view.render_line(rows(view).index("│ line 171"))
        assert [s.style.bold for s in current if s.text == "71" and s.style] == [True]
        await pilot.press("N", "N")
        assert view.shown == "3 of 3 hits in 300 lines"
        await pilot.press("escape")
        assert view.shown == "300 lines" and app.missed == []
        await pilot.press("escape")
        assert app.missed == ["escape"]  # nothing to clear: the key is the app's


async def test_hits_stand_out_without_colour() -> None:
    app = Host()
    async with app.run_test(size=(60, 8)) as pilot:
        view = app.view
        view.append("stdout", None, b"a hit\nno\na hit\n")
        await pilot.press("/", *"hit", "enter")
        await pilot.pause(0.1)
        looks = [next(s.style for s in view.render_line(y) if s.text == "hit") for y in (0, 2)]
        assert looks[0] and looks[0].bold and looks[1] and looks[1].reverse


async def test_keep_only_and_invert() -> None:
    app = Host()
    async with app.run_test(size=(60, 8)) as pilot:
        view = app.view
        view.append("stdout", None, b"GET /\nPOST /\nGET /x\n")
        await pilot.press("&", *"get", "enter")
        await pilot.pause(0.1)
        assert rows(view)[:3] == ["│ GET /", "│ GET /x", ""] and view.shown == "2 of 3 lines"
        view.append("stdout", None, b"GET /y\nPUT /\n")
        await pilot.pause(0.1)
        assert rows(view)[:4] == ["│ GET /", "│ GET /x", "│ GET /y", ""]
        await pilot.press("!")
        await pilot.pause(0.1)
        assert rows(view)[:3] == ["│ POST /", "│ PUT /", ""]
        await pilot.press("&")
        await pilot.pause(0.1)
        assert view.shown == "5 lines"
        await pilot.press("&", *"nothing", "enter")
        await pilot.pause(0.1)
        assert rows(view)[0] == " 0 of 5 lines match; & shows all."


async def test_streams_times_wrap_and_sideways() -> None:
    app = Host()
    async with app.run_test(size=(30, 8)) as pilot:
        view = app.view
        view.append("stdout", 1_700_000_000_000_000_000, b"short\n")
        view.append("stderr", 1_700_000_000_000_000_000, b"0123456789" * 4 + b"end\n")
        await pilot.pause(0.1)
        assert rows(view)[:2] == ["│ short", "┃ 01234567890123456789012345…"]
        await pilot.press("right")
        assert rows(view)[1].endswith("end")
        await pilot.press("left", "left")
        assert rows(view)[0] == "│ short" and app.missed == ["left"]
        await pilot.press("w")
        assert rows(view)[1:3] == ["┃ 012345678901234567890123456", "┃ 7890123456789end"]
        await pilot.press("w", "t")
        assert rows(view)[0][10:] == " short" and rows(view)[0][4] == ":"


async def test_hostile_output_stays_text() -> None:
    app = Host()
    async with app.run_test(size=(70, 8)) as pilot:
        view = app.view
        view.append(
            "stdout", None, b"[@click=app.quit]x[/] \x1b]52;c;aGk=\x07 \x1b[2J\x1b[31mred\x1b[m \xe2\x80\xae\xff\n"
        )
        await pilot.pause(0.1)
        assert rows(view)[0] == "│ [@click=app.quit]x[/] ␛]52;c;aGk=␇ ␛[2Jred ␦\\xff"


async def test_an_empty_log_says_why() -> None:
    app = Host()
    async with app.run_test(size=(70, 8)) as pilot:
        view = app.view
        view.set_state("No output yet; it started 2 s ago.")
        await pilot.pause()
        assert rows(view)[0] == " No output yet; it started 2 s ago."
        view.append("stdout", None, b"x\n")
        await pilot.pause(0.1)
        assert rows(view)[0] == "│ x"
        view.clear()
        assert rows(view)[0] == " No output yet; it started 2 s ago."


async def test_a_keymap_decides() -> None:
    class Mapped(Host):
        def compose(self) -> ComposeResult:
            yield LogView(act_of=lambda event: {"x": "log_wrap", "M": "log_next"}.get(event.key), id="log")

    app = Mapped()
    async with app.run_test() as pilot:
        await pilot.press("x")
        assert app.view.wrap


async def test_a_search_goes_to_the_first_hit_that_is_found_later() -> None:
    app = Host()
    async with app.run_test(size=(60, 9)) as pilot:
        view = app.view
        view.append("stdout", 0, numbered(60_000))
        await pilot.pause(0.1)
        view.search("line 7$", keep=False)
        assert view._finder.hits is not None and not view._finder.hits.complete
        assert view.step(True) and view._finder.current is None
        async with asyncio.timeout(60):
            while view._finder.current is None:
                await pilot.pause(0.01)
        assert view._finder.current == 7 and not view.follow
        view.search("line 8$", keep=False)
        view.step(True)
        await pilot.press("G")  # something else
        async with asyncio.timeout(60):
            while not view._finder.hits.complete:
                await pilot.pause(0.01)
        assert view._finder.current is None and view.follow


async def test_new_lines_are_told_below_and_only_those_that_are_shown() -> None:
    app = Host()
    async with app.run_test(size=(60, 7)) as pilot:
        view = app.view
        view.append("stdout", 0, numbered(20))
        await pilot.pause(0.1)
        await pilot.press("k")
        view.append("stdout", 0, b"line 20\nother\nline 21\n")
        await pilot.pause(0.2)
        assert rows(view) == [*(f"│ line {n}" for n in range(13, 18)), " ▿ 3 new lines · G goes there"]
        await pilot.press("&", "l", "i", "n", "e", "enter")
        await pilot.pause(0.2)
        assert view.unseen == 2 and "2 new lines" in view.mode
        await pilot.press("&")
        await pilot.press("&", "o", "t", "h", "e", "r", "enter")
        await pilot.pause(0.2)
        assert view.unseen == 0 and view.render_line(0).text.rstrip() == "│ other"  # all that is shown is seen
        await pilot.press("escape", "G")
        await pilot.pause(0.2)
        assert view.render_line(5).text.rstrip() == "│ line 21" and view.follow


async def test_what_was_there_at_the_opening_is_wrapped_and_unfolded_too() -> None:
    """Lines of a file that were there before count down from 0."""
    fd = os.memfd_create("log")
    long = b"order placed by somebody who has a long name"
    said = [b"line %d %b" % (n, long) for n in range(40)]
    said[3] = b'{"level": "warn", "msg": "kiln busy", "order": 3, "after": "15 min", "slot": 7}'
    os.write(fd, b"".join(records("stdout", escape(text + b"\n"), timestamp(0)) for text in said))
    store = FileStore([LogFile([fd])])
    app = Host()
    async with app.run_test(size=(40, 9)) as pilot:
        view = app.view
        view.show_store(store)
        while not store.complete:
            store.look_back(step_back(store.files, store.front))
            view.more()
        await pilot.pause(0.1)
        for key in "wx":
            await pilot.press(key)
            await pilot.press("/", *"line 39", "enter")
            assert "line 39" in "".join(rows(view))
            await pilot.press("g")
            first, second, *_ = rows(view)
            assert first.startswith("│ line 0 order")
            assert second.endswith("long name") is view.wrap
            if view.wrap:  # and nothing of it lies under the scroll bar
                drawn = [strip.text[2:39] for strip in app.screen._compositor.render_strips()]
                assert drawn[1] + drawn[2].rstrip() == said[0].decode()
            await pilot.press("escape", key)
        await pilot.press("x")
        await pilot.press("g")
        assert "kiln busy" in "".join(rows(view)) and '"msg"' not in "".join(rows(view))
    store.close()


async def test_what_previous_runs_wrote_is_muted() -> None:
    app = Host()
    async with app.run_test(size=(40, 6)) as pilot:
        view = app.view
        view.began_ns = 2 * 10**9
        view.append("stdout", 10**9, b"\x1b[31mold\x1b[m one\n")
        view.append("stdout", 2 * 10**9, b"new one\n")
        await pilot.pause(0.1)
        inks = [
            {segment.text.strip(): segment.style.color for segment in view.render_line(y) if segment.style}
            for y in range(2)
        ]
        assert inks[0]["one"] != inks[1]["new one"] == view.rich_style.color
        assert inks[0]["old"] not in (inks[0]["one"], inks[1]["new one"])  # its own


async def test_a_reader_stays_at_the_time_when_the_engine_is_another_one() -> None:
    """Its files go with the old engine and come again from the new one, with other numbers."""
    fd = os.memfd_create("log")
    for n in range(3000):
        os.write(fd, records("stdout", escape(b"line %d %b\n" % (n, b"x" * 200)), timestamp(n * 10**9)))
    app = Host()
    async with app.run_test(size=(40, 9)) as pilot:
        view = app.view

        async def handed() -> FileStore:
            store = FileStore([LogFile([os.dup(fd)])])
            store.look_back(step_back(store.files, store.front))
            view.show_store(store)
            while not store.complete:
                store.look_back(step_back(store.files, store.front))
                view.more()
            await pilot.pause(0.2)
            return store

        store = await handed()
        await pilot.press("g", "pagedown")
        before = rows(view)[:7]
        assert before[0].startswith("│ line 4")
        view.show_store(None)
        store.close()
        os.write(fd, records("stdout", escape(b"line 3000\n"), timestamp(3000 * 10**9)))
        await pilot.pause(0.1)
        store = await handed()
        assert rows(view)[:7] == before and not view.follow
        view.clear()
        assert view.follow
        store.close()
    os.close(fd)


async def test_the_first_line_is_gone_to_also_while_the_index_has_not_come_so_far() -> None:
    fd = os.memfd_create("log")
    for n in range(3000):
        os.write(fd, records("stdout", escape(b"line %d %b\n" % (n, b"x" * 200)), timestamp(n * 10**9)))
    store = FileStore([LogFile([fd])])
    app = Host()
    async with app.run_test(size=(40, 9)) as pilot:
        view = app.view
        store.look_back(step_back(store.files, store.front))
        view.show_store(store)
        await pilot.press("g")
        assert not rows(view)[0].startswith("│ line 0 ")
        while not store.complete:
            store.look_back(step_back(store.files, store.front))
            view.more()
            await pilot.pause(0.05)
        await pilot.pause(0.2)
        assert rows(view)[0].startswith("│ line 0 ")
    store.close()
