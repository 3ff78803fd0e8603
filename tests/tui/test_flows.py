"""What keys do: acts become calls, rows follow events, a terminal owns every key, foreign text is inert."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from stage import Stage, StageClient, app_on, one_id, potters_shop, settled
from textual.events import Key
from textual.pilot import Pilot

from core.client.aclient import HijackedSocket
from core.errors import Conflict, NotFound
from core.wire.http import ResponseHead
from tui import keymaps
from tui.actions import BY_ID
from tui.app import OnggiApp
from tui.panes.detail import TABS
from tui.screens.confirm import Confirm
from tui.screens.form import Form
from tui.screens.help import Help
from tui.screens.menu import Leave
from tui.screens.palette import Palette
from tui.widgets.fields import Entry


@asynccontextmanager
async def playing(
    stage: Stage, size: tuple[int, int] = (120, 40), **config: Any
) -> AsyncIterator[tuple[OnggiApp, Pilot[None]]]:
    app = app_on(stage, **config)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        yield app, pilot
    assert app.faults == []


def text_of(app: OnggiApp) -> str:
    """Everything on the screen, as plain text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[None], what: Any) -> None:
    async with asyncio.timeout(60):
        while not what():
            await pilot.pause(0.01)


async def test_stop_is_one_call_and_shown_as_its_command() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("s")
        await until(pilot, lambda: stage.calls)
        assert stage.calls == [("POST", f"/containers/{one_id('web')}/stop", {})]
        await until(pilot, lambda: "done, 0.0 s" in text_of(app))
        assert "$ onggi stop web" in text_of(app)


async def test_marks_make_one_act_of_many_and_bind_at_the_key_press() -> None:
    stage = potters_shop()
    async with playing(stage) as (_, pilot):
        await pilot.press("space", "space", "s")
        await until(pilot, lambda: len(stage.calls) == 2)
        assert {call[1].split("/")[2] for call in stage.calls} == {one_id("web"), one_id("api")}


async def test_start_is_not_offered_for_what_runs_and_says_so() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("S")
        await pilot.pause(0.1)
        assert not stage.calls
        assert "web runs. s stops it." in text_of(app)


async def test_enter_keeps_and_the_same_key_removes() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("G", "d")
        assert isinstance(app.screen, Confirm)
        await pilot.press("enter")
        assert not stage.calls
        await pilot.press("d", "d")
        await until(pilot, lambda: stage.calls)
        assert stage.calls == [("DELETE", f"/containers/{one_id('job')}", {"force": False})]


async def test_what_runs_is_spared_until_force_is_asked_for() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("d")
        assert "it runs; F stops it first" in text_of(app)
        await pilot.press("d")
        assert isinstance(app.screen, Confirm)
        assert not stage.calls
        await pilot.press("F")
        await until(pilot, lambda: stage.calls)
        assert stage.calls == [("DELETE", f"/containers/{one_id('web')}", {"force": True})]


async def test_an_event_changes_one_row_and_the_cursor_stays_with_its_object() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("j")
        assert app.main.lists.list_of("containers").cursor_id == one_id("api")
        new = stage.add("zither", "alpine:3.20", ago=1.0)
        stage.happen("container", "create", new)
        stage.happen("container", "start", new)
        await until(pilot, lambda: "zither" in text_of(app))
        assert app.main.lists.list_of("containers").row_ids[0] == new
        assert app.main.lists.list_of("containers").cursor_id == one_id("api")
        del stage.containers[new]
        stage.happen("container", "destroy", new)
        await until(pilot, lambda: "zither" not in text_of(app))


async def test_a_refusal_of_the_engine_is_one_line() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):

        async def refuse(path: str, body: object = None, headers: Any = None, /, **query: Any) -> Any:
            raise Conflict("cannot stop container: it is being removed")

        app.calls.client.post = refuse  # type: ignore[method-assign]
        await pilot.press("s")
        await until(pilot, lambda: "web: cannot stop container: it is being removed" in text_of(app))
        await pilot.press("exclamation_mark")
        assert "What went wrong" in text_of(app)


async def test_filter_narrows_inverts_and_escape_shows_all() -> None:
    async with playing(potters_shop()) as (app, pilot):
        rows = app.main.lists.list_of("containers")
        await pilot.press("slash", *"shop", "enter")
        assert len(rows.row_ids) == 4
        await pilot.press("slash", "home", "exclamation_mark", "enter")
        assert len(rows.row_ids) == 6
        await pilot.press("escape")
        assert len(rows.row_ids) == 10


async def test_the_run_form_makes_attaches_nothing_and_starts() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("2", "g", "r")
        await until(pilot, lambda: isinstance(app.screen, Form))
        await pilot.press(*"box", "enter")
        await until(pilot, lambda: len(stage.calls) == 2)
        (_, made, body), (_, started, _) = stage.calls
        assert made == "/containers/create" and started.endswith("/start")
        assert isinstance(body, dict) and body["Image"] == "alpine:3.20"


async def test_the_palette_finds_objects_acts_and_commands() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("colon", *"import", "enter")
        assert app.main.lists.list_of("containers").cursor_id == one_id("importer")
        await pilot.press("colon", *"this help", "enter")
        assert isinstance(app.screen, Help)
        await pilot.press("escape", "colon", *"docker psx")
        assert isinstance(app.screen, Palette)
        assert "did you mean ps?" in text_of(app)


@pytest.mark.parametrize("key", ["escape", "q"])
async def test_escape_never_quits_and_q_does(key: str) -> None:
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press(key)
        await pilot.pause(0.1)
        assert (app._exit or app.return_code is not None) is (key == "q")


async def test_every_tab_of_every_list_opens() -> None:
    async with playing(potters_shop(), (80, 24)) as (app, pilot):
        for number in "12345":
            await pilot.press(number, "enter")
            for _ in TABS[app.main.lists.current]:
                await pilot.press("right_square_bracket")
                await pilot.pause()
            await pilot.press("escape")
        assert app.main.place == "projects"


async def test_a_resize_in_the_middle_keeps_place_and_cursor() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press("j", "enter")
        for size in ((80, 24), (200, 60), (60, 12), (120, 40)):
            await pilot.resize_terminal(*size)
            await pilot.pause(0.1)
        assert app.main.lists.list_of("containers").cursor_id == one_id("api")
        await until(pilot, lambda: app.main.place == "logs")


async def test_the_first_screen_offers_what_works_and_enter_does_it() -> None:
    stage = Stage()
    asked: list[str] = []

    class Starter(StageClient):
        async def stream(
            self, path: str, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
        ) -> Any:
            if path != "/events":
                asked.append(f"{method} {path}")
                yield {"aux": {"ID": "sha256:1", "Reference": "onggi/starter:latest"}}
                return
            async for event in super().stream(path):
                yield event

    app = app_on(stage)
    app.calls.client = app.backend._client = Starter(stage)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.main.detail.welcoming)
        await pilot.pause(0.2)
        await pilot.press("enter")
        await until(pilot, lambda: asked)
        assert asked == ["POST /onggi/v1/images/starter"]
        await until(pilot, lambda: "onggi/starter:latest" in text_of(app))


# The terminal

ALL_KEYS = sorted({key for preset in keymaps.PRESETS.values() for keys in preset.values() for key in keys})
ALWAYS = [
    "ctrl+q",
    "ctrl+p",
    "ctrl+c",
    "ctrl+z",
    "ctrl+backslash",
    "tab",
    "shift+tab",
    "escape",
    "f1",
    "f10",
    "ctrl+l",
]


class Terminals(StageClient):
    """Gives each attach one end of a socket pair; the test holds the other."""

    ends: list[socket.socket]

    async def hijack(self, path: str, body: object = None, **query: Any) -> HijackedSocket:
        if path.endswith("/log"):
            raise NotFound("no files on this stage")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.settimeout(5)
        self.ends.append(theirs)
        self.stage.calls.append(("HIJACK", path, query))
        return HijackedSocket(ours, ResponseHead(101, "UPGRADED", {}), b"/ # ")


class Foreign(Terminals):
    """Another engine, which has nothing of what is ours."""

    async def get(self, path: str, **query: Any) -> Any:
        if path.startswith("/onggi/"):
            raise NotFound("page not found")
        return await super().get(path, **query)


@asynccontextmanager
async def attached(
    size: tuple[int, int] = (120, 40), *, foreign: bool = False
) -> AsyncIterator[tuple[OnggiApp, Pilot[None], list[socket.socket]]]:
    stage = Stage()
    stage.extra[f"/onggi/v1/containers/{one_id('box')}/execs"] = []
    stage.extra[f"/exec/{one_id('new')}/json"] = {"Running": True}
    stage.add("box", "busybox:1.37", tty=True, ago=5)
    app = app_on(stage)
    client = Foreign(stage) if foreign else Terminals(stage)
    client.ends = []
    app.calls.client = app.backend._client = client
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("a")
        await until(pilot, lambda: app.main.keyboard_inside)
        yield app, pilot, client.ends
    assert app.faults == []
    for end in client.ends:
        end.close()


async def test_every_mapped_key_reaches_the_container() -> None:
    async with attached() as (app, pilot, ends):
        await pilot.pause(0.1)
        for key in [*ALL_KEYS, *ALWAYS]:
            name = {" ": "space"}.get(key, key)
            await pilot.press(name)
            assert await asyncio.to_thread(ends[0].recv, 64), key
            assert app.main.keyboard_inside, key
        assert app.screen is app.main
        assert app._exit is False


async def test_attach_asks_for_history_and_tells_its_size_and_closing_detaches() -> None:
    async with attached() as (app, pilot, ends):
        stage = app.calls.client.stage  # type: ignore[attr-defined]
        path, query = next((c[1], c[2]) for c in stage.calls if c[0] == "HIJACK")
        assert path == f"/containers/{one_id('box')}/attach"
        assert query["history"] and query["viewer"] and query["stdin"]
        await until(pilot, lambda: any(call[1].endswith("/resize") for call in stage.calls))
        size = next(call[2] for call in stage.calls if call[1].endswith("/resize"))
        assert app.main.detail.pane is not None and app.main.detail.pane.current is not None
        view = app.main.detail.pane.current.view
        assert size == {"h": view.size.height, "w": view.size.width}
        assert "ctrl-p ctrl-q detaches" in text_of(app)
        assert "the keyboard is in the container" in text_of(app)
        ends[0].close()
        await until(pilot, lambda: not app.main.keyboard_inside)
        await until(pilot, lambda: app.main.place == "containers")
        assert "box · attach" in text_of(app)


async def test_a_terminal_that_has_just_been_left_is_attached_to_anew() -> None:
    """The stream is over, and nobody has been told yet: neither the pane, nor has the engine been asked."""
    async with attached() as (app, pilot, ends):
        stage = app.calls.client.stage  # type: ignore[attr-defined]
        pane = app.main.detail.pane
        assert pane is not None and pane.current is not None
        session = pane.current
        ends[0].close()
        while app.main.keyboard_inside:  # noqa: ASYNC110  # turn by turn: no message has been handled since
            await asyncio.sleep(0)
        app.main.do(BY_ID["attach"])
        await until(pilot, lambda: app.main.keyboard_inside and len(ends) == 2)
        ends[1].sendall(b"as it was")
        await until(pilot, lambda: "as it was" in text_of(app))
        await pilot.pause(0.1)
        assert pane.sessions == [session] and session.live and not session.note
        assert app.main.keyboard_inside
        await pilot.press("x")
        assert ends[1].recv(8) == b"x"
        assert len([call for call in stage.calls if call[0] == "HIJACK"]) == 2


async def test_a_shell_left_is_attached_to_again_with_its_history() -> None:
    async with attached() as (app, pilot, ends):
        stage = app.calls.client.stage  # type: ignore[attr-defined]
        app.main.go_to("containers")
        await pilot.press("E")
        await until(pilot, lambda: app.main.keyboard_inside and len(ends) == 2)
        await pilot.press("ctrl+p", "ctrl+q")
        assert ends[1].recv(10) == b"\x10\x11"  # the engine matches them
        ends[1].close()
        await until(pilot, lambda: "detached, it keeps running" in text_of(app))
        assert not app.main.keyboard_inside
        app.main.go_inside()
        assert "enter attaches again" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.main.keyboard_inside and len(ends) == 3)
        path, query = [(call[1], call[2]) for call in stage.calls if call[0] == "HIJACK"][-1]
        assert path == f"/onggi/v1/exec/{one_id('new')}/attach"
        assert query["history"] and query["viewer"] and query["stdin"]
        stage.extra[f"/exec/{one_id('new')}/json"] = {"Running": False, "ExitCode": 3}
        ends[2].close()
        await until(pilot, lambda: "ended with exit code 3" in text_of(app))
        await pilot.press("enter")
        assert "attaches again" not in text_of(app)


async def test_shells_that_others_left_are_listed_and_say_when_they_end() -> None:
    async with attached() as (app, pilot, ends):
        stage, box = app.calls.client.stage, one_id("box")  # type: ignore[attr-defined]
        shell = {"Running": True, "OpenStdin": True, "ProcessConfig": {"tty": True, "entrypoint": "vi"}}
        stage.extra[f"/onggi/v1/containers/{box}/execs"] = [
            {"ID": "one", **shell},
            {"ID": "two", **shell, "ProcessConfig": {"tty": True, "entrypoint": "sh", "arguments": ["-l\x1b]0;x"]}},
            {"ID": "probe", **shell, "ProcessConfig": {"tty": False, "entrypoint": "check"}},
        ]
        app.main.go_to("containers")
        await pilot.press("left_square_bracket", "right_square_bracket")
        await until(pilot, lambda: "vi · runs" in text_of(app))
        assert "probe" not in text_of(app)
        assert "\x1b" not in text_of(app)
        pane = app.main.detail.pane
        assert pane is not None and len(pane.sessions) == 3
        stage.happen("container", "exec_die", box, execID="one", exitCode="0")
        await until(pilot, lambda: "vi · runs" not in text_of(app))
        app.main.go_inside()
        await pilot.press("n", "enter")
        await until(pilot, lambda: len(ends) == 2 and app.main.keyboard_inside)
        assert [call[1] for call in stage.calls if call[0] == "HIJACK"][-1] == "/onggi/v1/exec/two/attach"


async def test_a_session_left_is_returned_to_and_several_live_at_once() -> None:
    async with attached(foreign=True) as (app, pilot, ends):
        ends[0].sendall(b"hello there")
        await until(pilot, lambda: "hello there" in text_of(app))
        app.main.go_to("containers")
        await pilot.press("E")
        await until(pilot, lambda: app.main.keyboard_inside and len(ends) == 2)
        assert "Terminal ● 2" in text_of(app)
        await pilot.press("ctrl+p", "ctrl+q")
        await until(pilot, lambda: not app.main.keyboard_inside)
        pane = app.main.detail.pane
        assert pane is not None and all(session.live for session in pane.sessions)
        await pilot.press("q")
        assert isinstance(app.screen, Leave)
        assert "box · attach" in text_of(app)
        await pilot.press("escape", "a")
        await until(pilot, lambda: app.main.keyboard_inside)
        assert "hello there" in text_of(app)
        assert len(ends) == 2


async def test_zoom_fills_the_screen_and_detaching_leaves_it() -> None:
    async with attached() as (app, pilot, ends):
        app.main.go_to("containers")
        await pilot.press("z", "enter")
        await until(pilot, lambda: app.main.keyboard_inside)
        pane = app.main.detail.pane
        assert pane is not None and pane.current is not None
        assert pane.current.view.size.width >= 116
        assert pane.current.view.size.height >= 34
        ends[0].close()
        await until(pilot, lambda: not app.main.has_class("-zoom"))


# Foreign text

HOSTILE = (
    "[bold red]x[/] [@click=app.quit]y[/] [/foo] \x1b[31mred\x1b]0;title\x07 \x1b]52;c;aGFjaw==\x07\x9b2J "
    "\u202egnp.exe \u200b\u2066 \r\n\t \udcff [link=file:///etc/passwd]z"
)


def forbidden(text: str) -> set[str]:
    return {
        c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066\u200b\u202a"
    }


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_hostile_image_changes_nothing_but_its_own_text(size: tuple[int, int]) -> None:
    stage = Stage()
    long = "A" * 4096
    found = stage.add(
        HOSTILE, HOSTILE, labels={HOSTILE: HOSTILE, "com.docker.compose.project": HOSTILE, "l": long}, ago=5
    )
    entry = stage.containers[found]
    entry["Path"], entry["Args"] = HOSTILE, [HOSTILE, long]
    entry["Config"]["Env"] = [f"{HOSTILE}={HOSTILE}", long]
    entry["Mounts"] = [{"Type": HOSTILE, "Name": HOSTILE, "Destination": HOSTILE}]
    dead = stage.add("b" + HOSTILE, "x", status="created")
    stage.containers[dead]["State"]["Error"] = HOSTILE
    stage.images = [(HOSTILE.replace("/", "_"), 5)]
    stage.volumes, stage.networks = [(HOSTILE, 5), (long, 1)], [(HOSTILE, HOSTILE, HOSTILE)]
    stage.logs[found] = [(1, f"2026-01-01T00:00:00Z {line}") for line in (HOSTILE.replace("\udcff", ""), long)]
    facts = {"pid": 1, "mounts": [{"target": HOSTILE, "source": HOSTILE, "type": HOSTILE, "options": HOSTILE}]}
    facts |= {"network": {"ip": HOSTILE, "mac": HOSTILE, "ports": {HOSTILE: [{"HostPort": HOSTILE}]}}}
    facts |= {"layers": [{"path": HOSTILE, "size": 1}] * 2, "masked": [HOSTILE], "cgroup": {"path": HOSTILE}}
    stage.extra[f"/onggi/v1/containers/{found}/isolation"] = facts
    async with playing(stage, size) as (app, pilot):
        seen: dict[str, set[str]] = {}

        def look(where: str) -> None:
            if found := forbidden(text_of(app)):
                seen[where] = found

        for number in "12345":
            await pilot.press(number, "enter")
            for _ in TABS[app.main.lists.current]:
                await pilot.press("right_square_bracket")
                await pilot.pause()
                look(f"list {number}, tab {app.main.detail.tab}")
            await pilot.press("escape")
        await pilot.press("1")
        for keys in (["d"], ["y"], ["r"], ["question_mark"], ["colon", "b"], ["x"]):
            await pilot.press(*keys)
            await pilot.pause()
            look(f"keys {keys}")
            await pilot.press("escape")
        app.main.say_error(HOSTILE)
        await pilot.press("exclamation_mark")
        await pilot.pause(0.1)
        look("error")
        assert seen == {}
        assert app._exit is False
        # Nothing to click on came from the container.
        for strip in app.screen._compositor.render_strips():
            assert all("@click" not in (segment.style.meta if segment.style else {}) for segment in strip)


async def test_no_color_keeps_a_second_cue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with playing(potters_shop()) as (app, _):
        assert "┏━" in text_of(app)


async def test_the_engine_going_away_is_a_banner_and_coming_back_clears_it() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):

        class Gone(StageClient):
            async def get(self, path: str, **query: Any) -> Any:
                raise OSError("connection refused")

        alive = app.backend._client
        app.backend._client = Gone(stage)
        stage.asked.put_nowait({})  # an event that makes the backend look, and find nobody
        stage.happen("container", "die", one_id("web"))
        await until(pilot, lambda: "The engine went away" in text_of(app))
        assert "web" in text_of(app)
        app.backend._client = alive
        await pilot.press("enter")
        await until(pilot, lambda: "The engine answers again." in text_of(app))
        await until(pilot, lambda: "went away" not in text_of(app))


async def test_what_is_typed_ahead_reaches_what_it_was_meant_for() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        for key in ("colon", "d", "s", "S"):  # no pause between: the palette is not there yet
            app.post_message(Key(key, ":" if key == "colon" else key))
        await until(pilot, lambda: isinstance(app.screen, Palette))
        await until(pilot, lambda: [one.value for one in app.screen.query("#wanted").results(Entry)] == ["dsS"])
        await pilot.press("escape")
        for key in ("slash", "d", "s"):
            app.post_message(Key(key, "/" if key == "slash" else key))
        await until(pilot, lambda: app.main.lists.filters.get("containers") == "ds")
        assert stage.calls == []


async def test_keys_typed_while_a_terminal_opens_are_the_terminals() -> None:
    async with attached() as (app, pilot, ends):
        app.main.go_to("containers")
        await pilot.pause(0.1)
        for key in ("E", "s", "d", "q"):
            app.post_message(Key(key, key))
        await until(pilot, lambda: len(ends) == 2)
        typed = b""
        while len(typed) < 3:
            typed += await asyncio.to_thread(ends[1].recv, 64)
        assert typed == b"sdq"
        assert not [call for call in app.calls.client.stage.calls if call[1].endswith("/stop")]  # type: ignore[attr-defined]


async def test_keys_typed_faster_than_a_dialog_goes_away_reach_what_lies_below() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press("question_mark")
        page = app.screen.focused
        assert isinstance(app.screen, Help) and page is not None
        for key in ("enter", "enter"):  # both are the page's: the app hears of neither before it has gone
            page.post_message(Key(key, None))
        await until(pilot, lambda: app.main.place == "logs")
        assert app.screen is app.main
        await pilot.press("question_mark")
        help_page = app.screen
        assert isinstance(help_page, Help)
        help_page.leave()
        help_page.leave()
        await pilot.pause()
        assert app.screen is app.main
