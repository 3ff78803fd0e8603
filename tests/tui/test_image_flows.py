"""What keys do on the images side: layers and files, jobs, registries, commit, prune, undo."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from stage import NOW, Stage, StageClient, app_on, image_id, one_id, potters_shop, settled, stamp
from test_flows import HOSTILE, forbidden, playing, text_of, until
from textual.events import Key
from textual.pilot import Pilot

from core.errors import NotFound, Unauthorized, Unavailable
from tui.app import OnggiApp
from tui.glyphs import UNICODE
from tui.layers.viewer import Viewer
from tui.remote.browser import Browser
from tui.screens import removal
from tui.screens.confirm import Confirm
from tui.screens.form import Form
from tui.state import Image, World

IMAGES = ("2", "j")


@pytest.fixture(autouse=True)
def docker_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nobody is logged in anywhere."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


async def at_layers(app: OnggiApp, pilot: Pilot[None]) -> None:
    await pilot.press(*IMAGES, "enter")
    await until(pilot, lambda: app.main.place == "layers")
    await until(pilot, lambda: "site-packages" in text_of(app))


async def test_the_files_of_the_layer_under_the_cursor_fold_and_open() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await at_layers(app, pilot)
        await pilot.press("enter")
        assert app.main.place == "files"
        tree = app.main.browser.pane.files
        before = tree.row_ids
        await pilot.press("h")
        await until(pilot, lambda: len(tree.row_ids) < len(before))
        await pilot.press("l")
        await until(pilot, lambda: tree.row_ids == before)
        await pilot.press("O")
        assert tree.order == "name"
        await pilot.press("escape")
        assert app.main.place == "layers"
        await pilot.press("escape")
        assert app.main.place == "images"


async def test_a_folder_with_very_many_names_is_shown_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.layers.folding.PAGE", 2)
    async with playing(potters_shop()) as (app, pilot):
        await at_layers(app, pilot)
        await pilot.press("enter")
        tree = app.main.browser.pane.files
        rest = [row for row in tree.row_ids if row.endswith("\0")]
        assert rest
        tree.select(rest[0])
        assert "more name" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: rest[0] not in tree.row_ids)
        assert tree.cursor_id.startswith(rest[0][:-1] + "/"), "it is on the first of those that came"


async def test_a_file_is_shown_and_what_is_none_says_so() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await at_layers(app, pilot)
        await pilot.press("enter")
        tree = app.main.browser.pane.files
        assert tree.select("/etc/passwd") or tree.select("/etc")
        if tree.cursor_id == "/etc":
            await pilot.press("enter")
            tree.select("/etc/passwd")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Viewer))
        assert "from gunicorn import app" in text_of(app)
        await pilot.press("escape")
        tree.select("/usr/local/lib/python3.12/site-packages/setuptools")
        await pilot.press("enter")
        await until(pilot, lambda: "was removed by this layer" in text_of(app))


async def test_all_layers_up_to_here_are_one_tree() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await at_layers(app, pilot)
        await pilot.press("space")
        await until(pilot, lambda: "files up to layer 5" in text_of(app))
        await pilot.press("space")
        await until(pilot, lambda: "files of layer 5" in text_of(app))


async def test_an_engine_of_dockers_own_has_layers_without_files() -> None:
    stage = potters_shop()

    class Docker(StageClient):
        async def get(self, path: str, **query: Any) -> Any:
            if path.startswith("/onggi/"):
                raise NotFound("page not found")
            return await super().get(path, **query)

    app = app_on(stage)
    app.calls.client = app.backend._client = Docker(stage)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press(*IMAGES, "enter")
        await until(pilot, lambda: "pip install" in text_of(app))
        await pilot.press("up")
        await until(pilot, lambda: "does not tell the files of a layer" in text_of(app))
        await pilot.press("u")
        await until(pilot, lambda: "This engine cannot undo" in text_of(app))
    assert app.faults == []


# Jobs


async def test_a_pull_is_a_job_that_pauses_goes_on_and_is_cancelled() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        app.main.acts.remote.pull("postgres:17")
        await until(pilot, lambda: "onggi pull postgres:17" in text_of(app))
        (job,) = app.main.runner.board.jobs
        await until(pilot, lambda: len(job.parts) == 5)
        asked = [call for call in stage.calls if call[1] == "/images/create"]
        assert asked[0][2] == {"fromImage": "docker.io/library/postgres", "tag": "17", "platform": None}
        await pilot.press("J")
        await until(pilot, lambda: app.main.place == "jobs")
        assert "x cancels, parts are kept for a resume" in text_of(app)
        await pilot.press("p")
        await until(pilot, lambda: "paused by you" in text_of(app))
        await until(pilot, lambda: "p go on" in text_of(app))
        await pilot.press("p")
        await until(pilot, lambda: len([call for call in stage.calls if call[1] == "/images/create"]) == 2)
        await pilot.press("x")
        await until(pilot, lambda: job.state == "cancelled")
        assert "cancelled; parts are kept" in text_of(app)
        await pilot.press("c")
        assert app.main.runner.board.jobs == []
        await pilot.press("J")
        assert app.main.place == "containers"


async def test_the_first_pull_of_all_can_be_paused_and_cancelled_too() -> None:
    async with playing(Stage()) as (app, pilot):
        await until(pilot, lambda: app.main.detail.welcoming)
        app.main.acts.remote.pull("postgres:17")
        await until(pilot, lambda: app.main.runner.board.jobs)
        await pilot.press("J")
        await until(pilot, lambda: "p pause" in text_of(app) and "x cancel" in text_of(app))


async def test_a_job_that_fails_says_why_and_stays() -> None:
    stage = potters_shop()

    class Refusing(StageClient):
        async def stream(
            self, path: str, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
        ) -> Any:
            if path == "/images/create":
                yield {"error": "manifest unknown", "errorDetail": {"message": "manifest unknown"}}
                return
            async for one in super().stream(path):
                yield one

    app = app_on(stage)
    app.calls.client = app.backend._client = Refusing(stage)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        app.main.acts.remote.pull("nosuch:1")
        await until(pilot, lambda: "pull nosuch:1: manifest unknown" in text_of(app))
        await pilot.press("J")
        await until(pilot, lambda: "Jobs" in text_of(app))
        assert "× pull nosuch:1" in text_of(app)
        await pilot.press("2")
        assert app.main.place == "images"
        assert not app.main.runner.pane.shown
    assert app.faults == []


# Registries


async def test_the_pull_form_asks_for_tags_and_pulls() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("2", "p")
        await until(pilot, lambda: isinstance(app.screen, Form))
        await pilot.press(*"shop/api", "tab", *"2.")
        await until(pilot, lambda: "not there; 2.3 2.4 are" in text_of(app))
        await pilot.press("4")
        await until(pilot, lambda: "is there" in text_of(app))
        assert "onggi pull shop/api:2.4" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: [call for call in stage.calls if call[1] == "/images/create"])


async def test_the_credentials_of_a_login_go_with_a_question_and_nowhere_else(docker_config: Path) -> None:
    stage = potters_shop()
    seen: list[Any] = []

    class Guarded(StageClient):
        async def post(self, path: str, body: object = None, headers: Any = None, /, **query: Any) -> Any:
            if path == "/auth":
                seen.append(body)
                return {"Status": "Login Succeeded", "IdentityToken": ""}
            return await super().post(path, body, headers, **query)

        async def stream(
            self, path: str, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
        ) -> Any:
            if path.startswith("/onggi/v1/registry/"):
                seen.append(dict(headers or {}))
            async for one in super().stream(path, method=method, body=body, headers=headers, **query):
                yield one

    app = app_on(stage)
    app.calls.client = app.backend._client = Guarded(stage)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("2", "L")
        await until(pilot, lambda: isinstance(app.screen, Form))
        await pilot.press(*"localhost:5000", "tab", *"potter", "tab", *"geheim")
        assert "geheim" not in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: "logged in as potter" in text_of(app))
        assert seen[0]["password"] == "geheim"
        assert "geheim" not in app.main.line.command
        kept = json.loads(docker_config.read_text())["auths"]["localhost:5000"]["auth"]
        assert base64.b64decode(kept) == b"potter:geheim"
        assert docker_config.stat().st_mode & 0o777 == 0o600
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, Browser))
        assert "localhost:5000  as potter" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: len(seen) == 2)
        assert list(seen[1]) == ["X-Registry-Auth"]
        await pilot.press("escape", "escape")
    assert app.faults == []


async def test_what_is_typed_right_behind_a_tab_is_the_next_fields() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press("2", "L")
        await until(pilot, lambda: isinstance(app.screen, Form))
        await pilot.pause(0.1)
        for key in ("tab", "b", "o", "b", "tab", "s", "3"):  # at once, as from a paste or a quick hand
            app.post_message(Key(key, key if len(key) == 1 else None))
        form = app.screen
        assert isinstance(form, Form)
        await until(pilot, lambda: form.values["password"] == "s3")
        assert form.values["user"] == "bob"


async def test_a_wrong_password_is_one_line() -> None:
    stage = potters_shop()

    class Closed(StageClient):
        async def post(self, path: str, body: object = None, headers: Any = None, /, **query: Any) -> Any:
            raise Unauthorized("unauthorized: incorrect username or password")

    app = app_on(stage)
    app.calls.client = Closed(stage)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press("2", "L")
        await until(pilot, lambda: isinstance(app.screen, Form))
        await pilot.press("tab", *"bob", "tab", *"x", "enter")
        await until(pilot, lambda: "Docker Hub does not know bob with this password" in text_of(app))
    assert app.faults == []


async def test_into_a_registry_and_a_pull_from_there() -> None:
    stage = potters_shop()
    async with playing(stage, registries=("localhost:5000",)) as (app, pilot):
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, Browser))
        await pilot.press("enter")
        await until(pilot, lambda: "shop/worker" in text_of(app))
        await pilot.press("j", "enter")
        await until(pilot, lambda: "onggi pull localhost:5000/shop/api:1.26" in text_of(app))
        await until(pilot, lambda: "linux/amd64, linux/arm64" in text_of(app))
        await pilot.press("G", "enter")
        await until(pilot, lambda: [call for call in stage.calls if call[1] == "/images/create"])
        query = next(call[2] for call in stage.calls if call[1] == "/images/create")
        assert query == {"fromImage": "localhost:5000/shop/api", "tag": "latest", "platform": None}


async def test_a_registry_is_typed_and_escape_goes_back_step_by_step() -> None:
    async with playing(potters_shop(), (80, 24)) as (app, pilot):
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, Browser))
        await pilot.press(*"http://registry.test/", "enter")
        await until(pilot, lambda: "shop/worker" in text_of(app))
        browser = app.screen
        await until(pilot, lambda: browser.focused is browser.query_one("#repositories"))
        await pilot.press("escape")
        await until(pilot, lambda: browser.focused is browser.query_one("#registries"))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)


async def test_a_push_under_another_name_tags_and_pushes() -> None:
    stage = potters_shop()

    class Taking(StageClient):
        async def stream(
            self, path: str, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
        ) -> Any:
            if path.endswith("/push"):
                self.stage.calls.append((method, path, query))
                yield {"id": "a2318d6c47ec", "status": "Pushed"}
                yield {"status": "2: digest: sha256:" + "ab" * 32 + " size: 528"}
                return
            async for one in super().stream(path):
                yield one

    app = app_on(stage)
    app.calls.client = app.backend._client = Taking(stage)
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        await pilot.press(*IMAGES, "P")
        await until(pilot, lambda: isinstance(app.screen, Form))
        await pilot.press("ctrl+u", *"localhost:5000/jar:2", "enter")
        await until(pilot, lambda: "done, sha256:abababababab" in text_of(app))
        assert [call[1] for call in stage.calls] == [
            "/images/blog:latest/tag",
            "/images/localhost:5000/jar/push",
        ]
        assert stage.calls[1][2] == {"tag": "2"}
    assert app.faults == []


# Commit, changes, prune, undo


async def test_a_container_becomes_an_image() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("C")
        await until(pilot, lambda: isinstance(app.screen, Form))
        await pilot.press(*"shop/web:2", "tab", *"first", "enter")
        await until(pilot, lambda: [call for call in stage.calls if call[1] == "/commit"])
        query = next(call[2] for call in stage.calls if call[1] == "/commit")
        assert query == {
            "container": one_id("web"), "repo": "shop/web", "tag": "2", "comment": "first", "author": None,
            "changes": [], "pause": True,
        }  # fmt: skip
        await until(pilot, lambda: "onggi commit -m first web shop/web:2" in text_of(app))


async def test_what_a_container_changed_is_a_tree() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press(*["right_square_bracket"] * 3, "enter")
        await until(pilot, lambda: app.main.place == "changes")
        await until(pilot, lambda: "default.conf" in text_of(app))
        assert "onggi diff web" in text_of(app)
        await pilot.press("h", "l", "enter")
        assert app.main.place == "changes"


async def test_a_prune_carries_out_the_plan_that_was_shown() -> None:
    stage = potters_shop()
    stage.removals = [{"Id": 7, "What": "rmi", "Expires": stamp(NOW + 3600), "Command": "onggi image prune"}]
    async with playing(stage) as (app, pilot):
        await pilot.press("2", "D")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Prune 1 image?" in text_of(app)
        await pilot.press("a")
        assert "Prune 4 images?" in text_of(app)
        assert "u undoes this" in text_of(app)
        await pilot.press("enter")
        assert not stage.calls
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("D")
        await until(pilot, lambda: stage.calls)
        ((_, path, plan),) = stage.calls
        assert path == "/onggi/v1/prune"
        assert plan == stage.prune_plan(all_of=False)
        await until(pilot, lambda: "u undoes until" in text_of(app))


async def test_a_removal_is_taken_back_with_its_command() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        await pilot.press("u")
        await until(pilot, lambda: "Nothing to undo" in text_of(app))
        stage.removals = [{"Id": 7, "What": "busybox:1.37", "Expires": stamp(NOW + 3600)}]
        await pilot.press("u")
        await until(pilot, lambda: "back: busybox:1.37" in text_of(app))
        assert "onggi undo 7" in text_of(app)
        assert stage.calls == [("POST", "/onggi/v1/undo", {"id": 7})]


async def test_a_removed_image_says_until_when_it_can_come_back() -> None:
    stage = potters_shop()
    stage.removals = [{"Id": 7, "What": "debian:12", "Expires": stamp(NOW + 3600)}]
    async with playing(stage) as (app, pilot):
        app.main.go_to("images")
        app.main.lists.list_of("images").select(f"{image_id('debian:12')} debian:12")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "u undoes this until 13:03; until then" in text_of(app)
        await pilot.press("d")
        await until(pilot, lambda: "u undoes until 13:03" in text_of(app))


def test_all_names_of_an_image_free_its_bytes_and_one_of_two_does_not() -> None:
    world = World(images=(Image("a", "sha256:1", "jar:1", 5), Image("b", "sha256:1", "jar:2", 5)), loaded=True)
    both = removal.images(world.images, world, "d", UNICODE, "u")
    assert [(victim.state, victim.frees) for victim in both.victims] == [
        ("one of its names", 0),
        ("its last name", 5),
    ]
    one = removal.images(world.images[:1], world, "d", UNICODE, "u")
    assert [(victim.state, victim.frees) for victim in one.victims] == [("one of its names", 0)]


async def test_removed_containers_come_back_with_one_key() -> None:
    stage = potters_shop()
    stage.removals = [
        {
            "Id": 9, "What": "containers job, migrate", "Expires": stamp(NOW + 1800),
            "Back": {
                "Names": [], "Containers": [{"Name": "job-2"}, {"Name": "migrate"}],
                "Notes": ["job is another container's name by now: it is back as job-2"],
            },
        }
    ]  # fmt: skip
    async with playing(stage) as (app, pilot):
        for name in ("job", "migrate"):
            app.main.lists.list_of("containers").select(one_id(name))
            await pilot.press("space")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "u undoes this until" in text_of(app)
        assert "gone for good" not in text_of(app)
        await pilot.press("d")
        await until(pilot, lambda: len(stage.calls) == 2)
        queries = [query for _, _, query in stage.calls]
        assert isinstance(queries[0], dict) and queries[0] == queries[1], "one undo brings both back"
        assert queries[0]["command"].startswith("rm ")
        assert len(queries[0]["group"]) == 16
        await until(pilot, lambda: "u undoes until 12:33" in text_of(app))
        await pilot.press("u")
        await until(pilot, lambda: "back: job is another" in text_of(app))
        del stage.removals[0]["Back"]["Notes"]
        await pilot.press("u")
        await until(pilot, lambda: "back: job-2, migrate" in text_of(app))


async def test_an_engine_whose_disk_is_short_promises_no_undo() -> None:
    stage = potters_shop()
    stage.undo_seconds = 0.0
    async with playing(stage) as (app, pilot):
        app.main.lists.list_of("containers").select(one_id("job"))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "undoes" not in text_of(app)
        assert "gone for good" in text_of(app)


# Small things


async def test_a_paused_container_says_which_key_lets_it_go_on() -> None:
    stage = potters_shop()
    async with playing(stage) as (app, pilot):
        app.main.lists.list_of("containers").select(one_id("importer"))
        await until(pilot, lambda: "p go on" in text_of(app))
        assert "p pause" not in text_of(app)
        await pilot.press("p")
        await until(pilot, lambda: stage.calls == [("POST", f"/containers/{one_id('importer')}/unpause", {})])


async def test_the_footer_names_the_next_hit_while_a_log_is_searched() -> None:
    async with playing(potters_shop()) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: app.main.place == "logs")
        assert "next hit" not in text_of(app)
        await pilot.press("slash", *"curl", "enter")
        await until(pilot, lambda: "n next hit  N previous" in text_of(app))
        await pilot.press("escape")
        await until(pilot, lambda: "next hit" not in text_of(app))


async def test_a_pattern_that_never_ends_does_not_hold_the_screen() -> None:
    stage = potters_shop()
    stage.logs[one_id("web")] = [(1, f"{stamp(NOW)} {'a' * 60}b")] * 50
    async with playing(stage) as (app, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: app.main.place == "logs")
        async with asyncio.timeout(60):
            await pilot.press("slash", *"(a+)+$", "enter")
            await until(pilot, lambda: "this pattern takes too long" in text_of(app))
        await pilot.press("1")
        assert app.main.place == "containers"


async def test_a_terminal_with_wide_marks_gets_plain_ones_and_early_keys_are_kept() -> None:
    app = OnggiApp(StageClient(Stage()), "unix:///x", lambda: asyncio.sleep(0, False), plain=True, typed=b"2")
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.main.world.loaded)
        await pilot.pause(0.2)
        assert "●" not in text_of(app) and "│" not in text_of(app)
    assert app.typed_early == b"2"


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_hostile_layers_registries_and_progress_are_inert(size: tuple[int, int]) -> None:
    stage = potters_shop()
    name = HOSTILE.replace("\udcff", "")

    class Hostile(StageClient):
        async def get(self, path: str, **query: Any) -> Any:
            if path.endswith("/layers"):
                return [{"DiffID": name, "ChainID": name, "Size": 5, "CreatedBy": name, "Empty": False}]
            if path.endswith("/files"):
                file = {"Path": name, "Kind": name, "Mode": 0, "Size": 3, "Change": "added", "Link": name}
                return [file, file | {"Path": "a/" + name, "Kind": "file", "Change": name}]
            if path.endswith("/waste"):
                return {"Wasted": 5, "Efficiency": 0.1, "Files": [{"Path": name, "Bytes": 5, "Times": 2}]}
            if path.endswith("/changes"):
                return [{"Path": f"/{name}", "Kind": 1}]
            if path.endswith("/history"):
                return [{"CreatedBy": name, "Comment": name, "Size": 1, "Created": NOW}]
            return await super().get(path, **query)

        async def stream(
            self, path: str, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
        ) -> Any:
            if path.startswith("/onggi/v1/registry/manifest"):
                yield {"Descriptor": {"digest": name, "mediaType": name}, "Size": 1, "Platforms": [name]}
            elif path.startswith("/onggi/v1/registry/"):
                yield [name]
            elif path == "/images/create":
                yield {"id": name, "status": name, "progressDetail": {"current": 1, "total": 2}}
                yield {"status": name}
                await asyncio.Event().wait()
            else:
                async for one in super().stream(path):
                    yield one

        async def pieces(
            self, path: str, /, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
        ) -> Any:
            if path.endswith("/file"):
                yield name.encode() * 9
                return
            async for piece in super().pieces(path):
                yield piece

    app = app_on(stage, registries=("localhost:5000",))
    app.calls.client = app.backend._client = Hostile(stage)
    seen: dict[str, set[str]] = {}
    async with app.run_test(size=size) as pilot:
        await settled(pilot)

        async def look(where: str) -> None:
            await pilot.pause(0.4)
            if found := forbidden(text_of(app)):
                seen[where] = found

        await pilot.press("2", "enter")
        await look("layers")
        await pilot.press("enter", "enter", "j", "enter", "j", "enter")
        await look("files")
        await pilot.press("escape", "escape", "escape", "right_square_bracket")
        await look("history")
        await pilot.press("1", *["right_square_bracket"] * 3, "enter")
        await look("changes")
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, Browser))
        await pilot.press("enter")
        await look("repositories")
        await pilot.press("enter")
        await look("tags")
        await pilot.press("escape", "escape", "escape")
        app.main.acts.remote.pull("nginx")
        await pilot.press("J")
        await look("jobs")
    assert seen == {}
    assert app.faults == []


async def test_a_registry_that_does_not_answer_says_so_on_a_narrow_screen() -> None:
    stage = potters_shop()

    class Deaf(StageClient):
        async def stream(
            self, path: str, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
        ) -> Any:
            if path.startswith("/onggi/v1/registry/"):
                raise Unavailable('Get "https://far.test/v2/": connection refused')
            async for one in super().stream(path):
                yield one

    app = app_on(stage)
    app.calls.client = app.backend._client = Deaf(stage)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("B")
        await until(pilot, lambda: isinstance(app.screen, Browser))
        await pilot.press(*"far.test", "enter")
        await until(pilot, lambda: 'Get "https://far.test/v2/": connection refused' in text_of(app))
        await pilot.press("a")
        await until(pilot, lambda: app.screen.has_class("-typing"))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is app.main)
    assert app.faults == []
