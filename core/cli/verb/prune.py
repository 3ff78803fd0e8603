"""`prune` of containers, images, volumes and of all: what would go is shown, and that goes and nothing else."""

from __future__ import annotations

import sys

from core.cli import output, units, values, words
from core.cli.context import Context, warn
from core.cli.parser import Arguments, Command, Run, several, switch
from core.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    Plan: TypeAlias = "dict[str, Any]"

_FLAGS = (
    several("filter", "", "Provide filter values", metavar="filter", parse=values.filter_),
    switch("force", "f", "Do not prompt for confirmation"),
    switch("dry-run", "", "Only show what would be removed"),
)
_NAMES = {"containers": "Name", "images": "Names", "volumes": "Name"}
_DELETED = {"containers": "ContainersDeleted", "images": "ImagesDeleted", "volumes": "VolumesDeleted"}
_WARNINGS = {
    "containers": "This will remove all stopped containers.",
    "images": "This will remove all dangling images.",
    "volumes": "This will remove anonymous local volumes not used by at least one container.",
}
_ALL = {
    "images": (
        "This will remove all images without at least one container associated to them.",
        "dangling",
        "false",
    ),
    "volumes": ("This will remove all local volumes not used by at least one container.", "all", "true"),
}


def _pruning(kind: str) -> Run:
    def run(context: Context, given: Arguments) -> int:
        filters = values.filters(given.texts("filter"))
        warning = _WARNINGS[kind]
        if kind in _ALL and given.on("all"):
            warning, name, value = _ALL[kind]
            filters[name] = [value]
        return _prune(context, given, (kind,), filters, warning)

    return run


def prune_system(context: Context, given: Arguments) -> int:
    """Everything that nothing needs."""
    filters = values.filters(given.texts("filter"))
    kinds = ["containers", "images"]
    lines = ["all stopped containers", "all networks not used by at least one container"]
    if given.on("volumes"):
        kinds.append("volumes")
        lines.append("all anonymous volumes not used by at least one container")
    if given.on("all"):
        filters["dangling"] = ["false"]
        lines.append("all images without at least one container associated to them")
    else:
        lines.append("all dangling images")
    warning = "\n".join(["This will remove:", *(f"  - {line}" for line in lines), ""])
    return _prune(context, given, kinds, filters, warning)


def _prune(
    context: Context, given: Arguments, kinds: Sequence[str], filters: dict[str, list[str]], warning: str
) -> int:
    plan = _plan(context, kinds, filters)
    if given.on("dry-run"):
        sys.stdout.write(_shown(plan))
        return 0
    if not given.on("force") and not _confirmed(warning, plan):
        return 0
    if plan is None:
        _show(_prune_one_by_one(context, kinds, filters))
        return 0
    command = f"{given.path}{' -a' if 'all' in given.names and given.on('all') else ''}"
    found = context.engine.post("/onggi/v1/prune", {"command": command}, plan)
    _show(found)
    for kept in found["Kept"]:
        warn(f"{words.short_id(kept['Id'])} stays: {kept['Why']}")
    if any(found.get(member) for member in _DELETED.values()):
        warn("onggi undo brings this back, onggi undo --forget has the space at once")
    return 0


def _plan(context: Context, kinds: Sequence[str], filters: dict[str, list[str]]) -> Plan | None:
    """What would go; None where the engine (another than ours) cannot tell."""
    try:
        found: Plan = context.engine.get("/onggi/v1/prune", {"what": list(kinds), "filters": filters})
    except NotFound:
        return None
    return found


def _shown(plan: Plan | None) -> str:
    if plan is None:
        return "This engine does not tell beforehand what it would remove.\n"
    text = ""
    for kind, key in _NAMES.items():
        rows = [
            (
                ", ".join(item[key] or ["<none>"])
                if isinstance(item[key], list)
                else words.ellipsis(item[key], 40),
                words.short_id(item.get("Id", "")),
                units.human_size(item["Size"]),
            )
            for item in plan[kind.capitalize()]
        ]
        if rows:
            head = (kind.upper(), "ID", "SIZE") if kind != "volumes" else ("VOLUMES", "", "SIZE")
            text += output.table(head, rows) + "\n"
    if not text:
        return "Nothing to remove.\n"
    return f"{text}Space that this frees: {units.human_size(plan['SpaceReclaimed'])}\n"


def _confirmed(warning: str, plan: Plan | None) -> bool:
    sys.stdout.write(f"WARNING! {warning}\n")
    if plan is not None:
        sys.stdout.write(f"\n{_shown(plan)}\n")
    try:
        answer = input("Are you sure you want to continue? [y/N] ")
    except EOFError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")


def _prune_one_by_one(context: Context, kinds: Sequence[str], filters: dict[str, list[str]]) -> Plan:
    """By Docker's own calls, which tell what went when it has."""
    found: Plan = {"SpaceReclaimed": 0}
    for kind in kinds:
        own = {"images": "dangling", "volumes": "all"}.get(kind)
        fits = {name: value for name, value in filters.items() if name not in ("dangling", "all") or name == own}
        answer = context.engine.post(f"/{kind}/prune", {"filters": fits}) or {}
        found[_DELETED[kind]] = answer.get(_DELETED[kind]) or []
        found["SpaceReclaimed"] += answer.get("SpaceReclaimed") or 0
    return found


def _show(found: Plan) -> None:
    for kind, member in _DELETED.items():
        entries = found.get(member) or ()
        if not entries:
            continue
        print(f"Deleted {kind.capitalize()}:")
        for entry in entries:
            for line in (
                [entry] if isinstance(entry, str) else [f"{what.lower()}: {name}" for what, name in entry.items()]
            ):
                output.line(line)
        print()
    print(f"Total reclaimed space: {units.human_size(found.get('SpaceReclaimed') or 0)}")


PRUNE_CONTAINERS = Command(_pruning("containers"), "Remove all stopped containers", "", _FLAGS)
PRUNE_IMAGES = Command(
    _pruning("images"),
    "Remove unused images",
    "",
    (*_FLAGS, switch("all", "a", "Remove all unused images, not just dangling ones")),
)
PRUNE_VOLUMES = Command(
    _pruning("volumes"),
    "Remove unused local volumes",
    "",
    (*_FLAGS, switch("all", "a", "Remove all unused volumes, not just anonymous ones")),
)
PRUNE_SYSTEM = Command(
    prune_system,
    "Remove unused data",
    "",
    (
        *_FLAGS,
        switch("all", "a", "Remove all unused images not just dangling ones"),
        switch("volumes", "", "Prune anonymous volumes"),
    ),
)
