"""`prune` of containers, images and volumes"""

from __future__ import annotations

from core.cli import output, units, values
from core.cli.context import Context
from core.cli.parser import Arguments, Command, Run, several, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FLAGS = (
    several("filter", "", "Provide filter values", metavar="filter", parse=values.filter_),
    switch("force", "f", "Do not prompt for confirmation"),
)


def _confirmed(given: Arguments, warning: str) -> bool:
    if given.on("force"):
        return True
    try:
        answer = input(f"WARNING! {warning}\nAre you sure you want to continue? [y/N] ")
    except EOFError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")


def _reclaimed(found: dict[str, Any]) -> None:
    print(f"Total reclaimed space: {units.human_size(found.get('SpaceReclaimed') or 0)}")


def _pruning(path: str, warning: str, title: str, member: str) -> Run:
    def run(context: Context, given: Arguments) -> int:
        filters: dict[str, Any] = values.filters(given.texts("filter"))
        text = warning
        if "all" in given.names and given.on("all"):
            text = _ALL[path][0]
            filters |= _ALL[path][1]
        if not _confirmed(given, text):
            return 0
        found = context.engine.post(path, {"filters": filters}) or {}
        lines = [
            line
            for entry in found.get(member) or ()
            for line in (
                [entry] if isinstance(entry, str) else [f"{what.lower()}: {name}" for what, name in entry.items()]
            )
        ]
        if lines:
            print(title)
            for line in lines:
                output.line(line)
            print()
        _reclaimed(found)
        return 0

    return run


_ALL: dict[str, tuple[str, dict[str, list[str]]]] = {
    "/images/prune": (
        "This will remove all images without at least one container associated to them.", {"dangling": ["false"]},
    ),
    "/volumes/prune": ("This will remove all local volumes not used by at least one container.", {"all": ["true"]}),
}  # fmt: skip

PRUNE_CONTAINERS = Command(
    _pruning(
        "/containers/prune", "This will remove all stopped containers.", "Deleted Containers:", "ContainersDeleted"
    ),
    "Remove all stopped containers",
    "",
    _FLAGS,
)
PRUNE_IMAGES = Command(
    _pruning("/images/prune", "This will remove all dangling images.", "Deleted Images:", "ImagesDeleted"),
    "Remove unused images",
    "",
    (*_FLAGS, switch("all", "a", "Remove all unused images, not just dangling ones")),
)
PRUNE_VOLUMES = Command(
    _pruning(
        "/volumes/prune",
        "This will remove anonymous local volumes not used by at least one container.",
        "Deleted Volumes:",
        "VolumesDeleted",
    ),
    "Remove unused local volumes",
    "",
    (*_FLAGS, switch("all", "a", "Remove all unused volumes, not just anonymous ones")),
)
