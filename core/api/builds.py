"""Routes of the builds that were, and of those that go on."""

from __future__ import annotations

import msgspec

from core.api.routing import Answer, Request, Route, Stream, json_reply, no_content
from core.engine.buildshelf import KEPT
from core.engine.engine import Engine
from core.model.buildrecord import BuildRecord


async def listed(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/builds: the newest first, without their steps"""
    return json_reply([_summary(record) for record in engine.builds.history.all()])


async def inspect(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/builds/{id}; with `follow=1` its events from the first on, as they come"""
    if request.flag("follow"):
        return await log(engine, request)
    return json_reply(engine.builds.history.get(request.id))


async def log(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/builds/{id}/log: its events as JSON lines; with `follow=1` those that are still to come"""
    record = engine.builds.history.get(request.id)
    return Stream(engine.builds.history.lines(record.id, follow=request.flag("follow")))


async def cancel(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/builds/{id}/cancel"""
    engine.builds.cancel(request.id)
    return no_content()


async def remove(engine: Engine, request: Request) -> Answer:
    """DELETE /onggi/v1/builds/{id}"""
    await engine.builds.history.remove(request.id)
    return no_content()


async def shell(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/builds/{id}/shell?step=: an image that is what a step came to, to be run with a shell

    Without a step the one that failed, as it failed, else the last. The image has no name and goes after a while.
    """
    record = engine.builds.history.get(request.id)
    room = await engine.builds.shelf.image(record.id, request.number("step") or 0)
    return json_reply(
        {"Image": room.image, "Step": room.step, "Broken": room.broken, "Shell": room.shell, "Kept": KEPT}, 201
    )


def _summary(record: BuildRecord) -> dict[str, object]:
    whole: dict[str, object] = msgspec.to_builtins(record)
    states = [step.state for step in record.steps]
    del whole["Steps"], whole["Source"]
    return whole | {
        "Total": len(states), "Done": sum(state in ("done", "cached") for state in states),
        "Cached": states.count("cached"),
    }  # fmt: skip


ROUTES = (
    Route("GET", "/onggi/v1/builds", listed),
    Route("GET", "/onggi/v1/builds/{id}", inspect),
    Route("GET", "/onggi/v1/builds/{id}/log", log),
    Route("POST", "/onggi/v1/builds/{id}/cancel", cancel),
    Route("POST", "/onggi/v1/builds/{id}/shell", shell),
    Route("DELETE", "/onggi/v1/builds/{id}", remove),
)
