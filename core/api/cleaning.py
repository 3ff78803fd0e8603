"""Routes of the clean-up policy."""

from __future__ import annotations

from typing import Any

from core.api.routing import Answer, Request, Route, json_reply
from core.engine.cleaning import Cleaner
from core.engine.engine import Engine
from core.errors import InvalidArgument
from core.images.policy import Policy
from core.wire.codec import parse_object

_MEMBERS = {"UnusedFor": "unused_for", "Keep": "keep", "HighWater": "high_water", "LowWater": "low_water"}


async def show(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/policy: what is in force, and what it would remove now"""
    return json_reply(_shown(engine.cleaner, engine.cleaner.policy))


async def plan(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/policy/plan: what a policy would remove now"""
    return json_reply(_shown(engine.cleaner, _policy(request)))


async def put(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/policy"""
    engine.cleaner.set_policy(_policy(request))
    return json_reply(_shown(engine.cleaner, engine.cleaner.policy))


async def run(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/policy/run: do now what it says"""
    done = await engine.cleaner.carry_out()
    return json_reply({"ImagesDeleted": done.images, "SpaceReclaimed": done.reclaimed})


def _policy(request: Request) -> Policy:
    asked = parse_object(request.body, what="clean-up policy")
    values: dict[str, Any] = {}
    for member, name in _MEMBERS.items():
        value = asked.get(member) or 0
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or (name == "keep" and value != int(value))
        ):
            raise InvalidArgument(f"clean-up policy is not acceptable: {member} must be a number")
        values[name] = int(value) if name == "keep" else float(value)
    return Policy(**values).checked()


def _shown(cleaner: Cleaner, policy: Policy) -> dict[str, Any]:
    due = cleaner.due(policy)
    return {
        **{member: getattr(policy, name) for member, name in _MEMBERS.items()},
        "Active": policy.active,
        "Images": [
            {"Id": item.id, "Names": item.names, "Size": item.size, "Why": one.why}
            for item, one in zip(due.plan.images, due.leaving, strict=True)
        ],
        "SpaceReclaimed": due.plan.reclaimed,
    }


ROUTES = (
    Route("GET", "/onggi/v1/policy", show),
    Route("POST", "/onggi/v1/policy", put),
    Route("POST", "/onggi/v1/policy/plan", plan),
    Route("POST", "/onggi/v1/policy/run", run),
)
