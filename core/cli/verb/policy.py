"""`onggi system policy`: cleaning up by itself, off until it is asked for."""

from __future__ import annotations

import sys

from core.cli import output, units, values, words
from core.cli.context import Context
from core.cli.parser import Arguments, Command, number, option, switch
from core.wire.durations import human_duration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PATH = "/onggi/v1/policy"
_SETTINGS = ("unused-for", "keep", "high-water", "low-water")


def policy(context: Context, given: Arguments) -> int:
    """Show the policy and what it would remove now; change it; or do it now."""
    engine = context.engine
    if given.on("run"):
        done = engine.post(f"{_PATH}/run")
        for line in done["ImagesDeleted"]:
            for what, name in line.items():
                output.line(f"{what.lower()}: {name}")
        print(f"Total reclaimed space: {units.human_size(done['SpaceReclaimed'])}")
        return 0
    changed = given.on("off") or any(given.given(name) for name in _SETTINGS)
    if not changed:
        _show(engine.get(_PATH))
        return 0
    wanted = _wanted(given, {} if given.on("off") else engine.get(_PATH))
    _show(engine.post(f"{_PATH}/plan" if given.on("dry-run") else _PATH, None, wanted))
    return 0


def _wanted(given: Arguments, now: dict[str, Any]) -> dict[str, Any]:
    """What is in force with what was given instead."""
    wanted = {name: now.get(name, 0) for name in ("UnusedFor", "Keep", "HighWater", "LowWater")}
    if given.given("unused-for"):
        wanted["UnusedFor"] = given.value("unused-for") / 1e9
    if given.given("keep"):
        wanted["Keep"] = given.number("keep")
    for name, member in (("high-water", "HighWater"), ("low-water", "LowWater")):
        if given.given(name):
            wanted[member] = given.value(name)
    if wanted["HighWater"] and not given.given("low-water"):
        wanted["LowWater"] = min(wanted["LowWater"] or wanted["HighWater"] - 10, wanted["HighWater"])
    return wanted


def _show(found: dict[str, Any]) -> None:
    if not found["Active"]:
        print("The policy is off: nothing is removed by itself.")
        return
    print("Images without a container go")
    if found["UnusedFor"]:
        print(f"  - when they were not used for {human_duration(found['UnusedFor']).lower()}")
    if found["Keep"]:
        print(f"  - when {found['Keep']} of their repository were used later")
    if found["HighWater"]:
        print(f"  - while the disk is more than {found['HighWater']:g}% full, down to {found['LowWater']:g}%")
    print()
    if not found["Images"]:
        print("Nothing to remove now.")
        return
    rows = [
        (
            ", ".join(item["Names"] or ["<none>"]),
            words.short_id(item["Id"]),
            units.human_size(item["Size"]),
            item["Why"],
        )
        for item in found["Images"]
    ]
    sys.stdout.write(output.table(("IMAGES", "ID", "SIZE", "WHY"), rows))
    print(f"\nSpace that this frees: {units.human_size(found['SpaceReclaimed'])}")


def _percent(text: str) -> float:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        raise ValueError("must be a percentage") from None
    if not 0 <= value <= 100:
        raise ValueError("must be between 0 and 100")
    return value


def _age(text: str) -> int:
    """A duration in nanoseconds; `30d` besides what Go knows."""
    if text.endswith("d") and text[:-1].isdecimal():
        return int(text[:-1]) * 86400 * 10**9
    return values.duration(text)


POLICY = Command(
    policy,
    "Show or change what the engine removes by itself",
    "",
    (
        switch("dry-run", "", "Only show what the settings given would remove"),
        option(
            "high-water", "", "Remove images while the disk is fuller than this", metavar="percent", parse=_percent
        ),
        number("keep", "", "Keep so many images of a repository, those used last"),
        option(
            "low-water", "", "Stop removing when the disk is emptier than this", metavar="percent", parse=_percent
        ),
        switch("off", "", "Remove nothing by itself"),
        switch("run", "", "Do now what the policy says"),
        option("unused-for", "", "Remove images not used for so long (30d, 12h)", metavar="duration", parse=_age),
    ),
)
