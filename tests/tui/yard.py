"""A stage on which images are built: recordings of two real builds, played up to a moment of one's choice."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import IO, Any

from stage import NOW, Stage, StageClient, potters_shop
from textual.pilot import Pilot

from core.errors import Conflict, EngineUnreachable, NotFound
from tui.app import OnggiApp
from tui.build.past import PastBuilds
from tui.build.screen import BuildScreen
from tui.screens.form import Form

HERE = Path(__file__).parent / "builds"
_FOLDERS: dict[str, tempfile.TemporaryDirectory[str]] = {}


def recording(name: str) -> dict[str, Any]:
    """A build as the engine told it: `record`, `events`."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.json").read_text("utf-8"))
    return found


def folder_of(name: str) -> Path:
    """A folder with the Dockerfile of a recording; the same one each time."""
    if name not in _FOLDERS:
        _FOLDERS[name] = tempfile.TemporaryDirectory(prefix="onggi-yard-")
        folder = Path(_FOLDERS[name].name) / "shop"
        folder.mkdir()
        (folder / "Dockerfile").write_text(recording(name)["record"]["Source"], "utf-8")
    return Path(_FOLDERS[name].name) / "shop"


class Yard(Stage):
    """The shop, whose engine has builds. The first of `names` is what a build that begins turns out to be.

    Events come up to `until` seconds; the rest when `go_on` is set.
    """

    def __init__(self, *names: str, until: float = 1e9) -> None:
        super().__init__()
        self.__dict__.update(potters_shop().__dict__)
        self.client = YardClient
        self.builds = {recording(name)["record"]["Id"]: recording(name) for name in names}
        self.next = next(iter(self.builds), "")
        self.until = until
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.breaks = False
        self.kept: dict[int, dict[str, Any]] = {}
        """The steps that the engine still has, by number."""
        for ago, build in enumerate(self.builds.values(), 1):
            build["record"]["Started"] = NOW - ago * 1900


class YardClient(StageClient):
    """What the engine answers about builds."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        assert isinstance(stage, Yard)
        self.yard = stage

    def _build(self, path: str) -> dict[str, Any]:
        found = self.yard.builds.get(path.split("/")[4])
        if found is None:
            raise NotFound(f"No such build: {path.split('/')[4]}")
        return found

    async def get(self, path: str, **query: Any) -> Any:
        if path == "/onggi/v1/builds":
            return [_summary(one["record"]) for one in self.yard.builds.values()]
        if path.startswith("/onggi/v1/builds/"):
            return self._build(path)["record"]
        return await super().get(path, **query)

    async def post(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None, /, **query: Any
    ) -> Any:
        if path.startswith("/onggi/v1/builds/") and path.endswith("/shell"):
            if query["step"] not in self.yard.kept:
                raise NotFound("the file system is not here any more")
            return self.yard.kept[query["step"]]
        if path.startswith("/onggi/v1/builds/"):
            if self._build(path)["record"]["Outcome"] not in ("running", "done", "failed"):
                raise Conflict("build is not running")
            self.yard.calls.append(("POST", path, query))
            self.yard.cancelled.set()
            return None
        return await super().post(path, body, headers, **query)

    async def delete(self, path: str, **query: Any) -> Any:
        if path.startswith("/onggi/v1/builds/"):
            self.yard.calls.append(("DELETE", path, query))
            del self.yard.builds[path.split("/")[4]]
            return None
        return await super().delete(path, **query)

    async def upload(
        self,
        path: str,
        file: IO[bytes],
        progress: Callable[[int, int], None] | None = None,
        headers: Any = None,
        **query: Any,
    ) -> AsyncGenerator[Any, None]:
        self.yard.calls.append(("UPLOAD", path, query))
        if progress is not None:
            progress(2_202_009, 2_202_009)
        yield {"Id": self.yard.next}

    async def stream(
        self, path: str, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
    ) -> AsyncGenerator[Any, None]:
        if not path.startswith("/onggi/v1/builds/"):
            async for value in super().stream(path, method=method, body=body, headers=headers, **query):
                yield value
            return
        build, yard = self._build(path), self.yard
        for event in build["events"]:
            if event.get("At", 0.0) > yard.until and not yard.go_on.is_set():
                going = [asyncio.ensure_future(one.wait()) for one in (yard.go_on, yard.cancelled)]
                await asyncio.wait(going, return_when=asyncio.FIRST_COMPLETED)
                for one in going:
                    one.cancel()
            if yard.cancelled.is_set():
                build["record"] |= {"Outcome": "cancelled", "Error": "the build was cancelled", "Image": ""}
                yield {"error": "the build was cancelled", "At": yard.until}
                return
            if yard.breaks and event["Event"] == "finished":
                build["record"] |= {"Outcome": "lost", "Error": "the engine ended before the build was done"}
                raise EngineUnreachable("the engine closed the connection")
            yield event


def _summary(record: Mapping[str, Any]) -> dict[str, Any]:
    states = [step["State"] for step in record["Steps"]]
    kept = {key: value for key, value in record.items() if key not in ("Steps", "Source")}
    done = sum(state in ("done", "cached") for state in states)
    return {**kept, "Total": len(states), "Done": done, "Cached": states.count("cached")}


async def until(what: Callable[[], bool]) -> None:
    """Wait for what the app has no event for."""
    async with asyncio.timeout(60):
        while not what():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def builds(app: OnggiApp) -> None:
    """The build that the yard has, begun by hand, as far as it goes."""
    yard = app.calls.client.stage  # type: ignore[attr-defined]
    app.main.builder.here = folder_of("fails")
    app.main.acts.general.typed("build -t shop/api:2.5 .")
    await until(lambda: isinstance(app.screen, BuildScreen))
    view = app.screen
    assert isinstance(view, BuildScreen)
    wanted = [event for event in recording_of(yard)["events"] if event.get("At", 0.0) <= yard.until]
    await until(lambda: not view.build.live or view.build.revision >= len(wanted))
    await asyncio.sleep(0.15)


async def looks_at_output(app: OnggiApp) -> None:
    """On a narrow screen: into the output."""
    await builds(app)
    await Pilot[None](app).press("enter")


async def asks(app: OnggiApp) -> None:
    """The form, over a folder with the yard's Dockerfile."""
    app.main.builder.here = folder_of("fails")
    pilot: Pilot[None] = Pilot(app)
    await pilot.press("2", "m")
    await until(lambda: isinstance(app.screen, Form))
    await pilot.press(*"shop/api:2.5", "tab", "tab", *"DB")
    form = app.screen
    assert isinstance(form, Form)
    await until(lambda: "target" in form.plan(form.values).known)
    await asyncio.sleep(0.4)


async def lists(app: OnggiApp) -> None:
    """The list of builds is there."""
    await until(lambda: isinstance(app.screen, PastBuilds))


def recording_of(yard: Yard) -> dict[str, Any]:
    """The build that begins next."""
    return yard.builds[yard.next]
