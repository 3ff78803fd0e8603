"""`onggi undo`"""

from __future__ import annotations

from core.cli import listing, output, units, words
from core.cli.context import Context, warn
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, option, switch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

HEADERS = {"ID": "ID", "Command": "COMMAND", "What": "WHAT", "When": "WHEN", "Left": "LEFT", "Size": "SIZE"}


def undo(context: Context, given: Arguments) -> int:
    """Bring back what `rm`, `rmi`, `volume rm` or a prune took away, while its bytes are there."""
    if given.on("list") or given.text("format"):
        rows = [row(entry) for entry in context.engine.get("/onggi/v1/undo")]
        listing.show(rows, HEADERS, tuple(HEADERS), given.text("format"))
        return 0
    wanted = given.operands[0] if given.operands else None
    if wanted is not None and not wanted.isdecimal():
        raise CommandFailed(f"invalid id {wanted!r}: it is a number, see onggi undo --list")
    if given.on("forget"):
        freed = context.engine.delete("/onggi/v1/undo", {"id": wanted})["SpaceReclaimed"]
        print(f"Total reclaimed space: {units.human_size(freed)}")
        return 0
    done = context.engine.post("/onggi/v1/undo", {"id": wanted})
    for name in done["Names"]:
        output.line(f"Tagged: {name}")
    for image in done["Images"]:
        output.line(f"Restored: {image}")
    for name in done.get("Volumes") or ():
        output.line(f"Restored: volume {name}")
    for container in done.get("Containers") or ():
        output.line(f"Restored: container {container['Name']}")
    for name in done["Taken"]:
        warn(f"{name} is another image's name by now")
    for note in done.get("Notes") or ():
        warn(note)
    return 0


def row(entry: Mapping[str, Any]) -> dict[str, str]:
    """One removal as `undo --list` and `system df -v` show it."""
    import time

    from core.wire.durations import human_duration

    return {
        "Command": words.ellipsis(entry["Command"], 40),
        "ID": str(entry["Id"]),
        "Left": human_duration(max(0.0, words.epoch(entry["Expires"]) - time.time())),
        "Size": units.human_size(entry["Bytes"]),
        "What": words.ellipsis(entry["What"], 60),
        "When": words.ago(words.epoch(entry["When"])),
    }


UNDO = Command(
    undo,
    "Bring back what the last rm, rmi, volume rm or prune removed",
    "[ID]",
    (
        option(
            "format", "", "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE"
        ),
        switch("forget", "", "Give up what is kept for an undo, and have the space at once"),
        switch("list", "l", "Show what can be brought back, and for how long"),
    ),
    most=1,
)
