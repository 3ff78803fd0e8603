"""`onggi builder`: the builds that were and that go on, and what they left behind."""

from __future__ import annotations

import sys

from core.cli import listing, output, units, values, words
from core.cli.building import view
from core.cli.context import Context, warn
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, number, option, several, switch
from core.client.address import quote
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HEADERS = {
    "ID": "BUILD ID", "Name": "NAME", "Status": "STATUS", "Steps": "STEPS", "Cached": "CACHED",
    "CreatedAt": "CREATED AT", "CreatedSince": "CREATED", "Duration": "DURATION", "Error": "ERROR",
}  # fmt: skip
CACHES = {
    "ID": "ID", "Type": "TYPE", "Description": "DESCRIPTION", "Reclaimable": "RECLAIMABLE", "Size": "SIZE",
    "LastUsed": "LAST ACCESSED", "Uses": "USED",
}  # fmt: skip
_LONG = 48


def history(context: Context, given: Arguments) -> int:
    """List builds, the newest first."""
    full = given.on("no-trunc")
    rows = [_row(build, full=full) for build in context.engine.get("/onggi/v1/builds")]
    if given.on("quiet"):
        listing.show_ids(rows)
    else:
        columns = ("ID", "Name", "Status", "Steps", "CreatedSince", "Duration")
        listing.show(rows, HEADERS, columns, given.text("format"))
    return 0


def _row(build: dict[str, Any], *, full: bool) -> dict[str, Any]:
    return {
        "Cached": str(build["Cached"]),
        "CreatedAt": words.rfc3339(build["Started"]),
        "CreatedSince": words.ago(build["Started"]),
        "Duration": f"{build['Seconds']:.1f}s",
        "Error": build["Error"],
        "ID": build["Id"] if full else words.short_id(build["Id"]),
        "Name": ", ".join(build["Names"]) or build["Place"] or "<none>",
        "Status": build["Outcome"],
        "Steps": f"{build['Done']}/{build['Total']}",
    }


def inspect(context: Context, given: Arguments) -> int:
    """A build and its steps, as JSON or by a template."""
    import json

    build = _of(context, given)
    if given.text("format"):
        output.line(listing.document(build, given.text("format")))
    else:
        output.line(json.dumps(build, ensure_ascii=False, indent=4))
    return 0


def logs(context: Context, given: Arguments) -> int:
    """What a build said, as `build` shows it."""
    build = _of(context, given)
    query = {"follow": "1" if given.on("follow") else None}
    response = context.engine.open("GET", f"/onggi/v1/builds/{quote(build['Id'])}/log", query)
    if given.text("progress") in ("rawjson", "json"):
        for piece in response:
            sys.stdout.write(output.shown(piece.decode("utf-8", "replace")))
        return 0
    shown = view.make_view(given.text("progress") or "plain", sys.stdout)
    for event in response.values():
        shown.take(event)
    shown.close()
    if not shown.error:
        return 0
    source = build["Source"] or context.engine.get(f"/onggi/v1/builds/{quote(build['Id'])}")["Source"]
    for line in (*view.explain(shown, source), f"ERROR: failed to build: {shown.error}"):
        shown.say(line)
    return 1 if given.on("follow") else 0


def _of(context: Context, given: Arguments) -> dict[str, Any]:
    """The build that is meant: without an operand the newest."""
    name = given.operands[0] if given.operands else _newest(context)
    found: dict[str, Any] = context.engine.get(f"/onggi/v1/builds/{quote(name)}")
    return found


def _newest(context: Context) -> str:
    builds = context.engine.get("/onggi/v1/builds")
    if not builds:
        raise CommandFailed("there are no builds")
    return str(builds[0]["Id"])


def shell(context: Context, given: Arguments) -> int:
    """A shell in a step's file system: the failed one's, else the last one's."""
    from core.cli.building import inside

    name = given.operands[0] if given.operands else _newest(context)
    return inside.enter_step(context, name, given.value("step") or 0, given.operands[1:])


def cancel(context: Context, given: Arguments) -> int:
    """End builds that go on."""
    return _each(given.operands, lambda name: context.engine.post(f"/onggi/v1/builds/{quote(name)}/cancel"))


def remove(context: Context, given: Arguments) -> int:
    """Forget builds that have ended."""
    names = given.operands
    if given.on("all"):
        builds = context.engine.get("/onggi/v1/builds")
        names = [build["Id"] for build in builds if build["Outcome"] != "running"]
    elif not names:
        raise CommandFailed("name the builds to remove, or give --all")
    return _each(names, lambda name: context.engine.delete(f"/onggi/v1/builds/{quote(name)}"))


def _each(names: list[str], act: Any) -> int:
    failed = 0
    for name in names:
        try:
            act(name)
            output.line(name)
        except EngineError as error:
            warn(f"Error response from daemon: {error.message}")
            failed = 1
    return failed


def usage(context: Context, given: Arguments) -> int:
    """What the cache of builds takes."""
    items = context.engine.get("/onggi/v1/build/cache")
    listing.show([_item(item) for item in items], CACHES, tuple(CACHES), given.text("format"))
    if not given.text("format"):
        free = sum(item["Size"] for item in items if not item["InUse"])
        print(f"\nReclaimable:\t{units.human_size(free)}")
        print(f"Total:\t\t{units.human_size(sum(item['Size'] for item in items))}")
    return 0


def _item(item: dict[str, Any]) -> dict[str, str]:
    return {
        "Description": words.ellipsis(" ".join(item["Description"].split()), _LONG),
        "ID": words.short_id(item["ID"]),
        "LastUsed": words.ago(words.epoch(item["LastUsedAt"])),
        "Reclaimable": "false" if item["InUse"] else "true",
        "Size": units.human_size(item["Size"]),
        "Type": item["Type"],
        "Uses": str(item["UsageCount"]),
    }


def prune(context: Context, given: Arguments) -> int:
    """Remove what builds have left; the exact plan is shown first."""
    query = {"filters": values.filters(given.texts("filter")), "all": "1" if given.on("all") else None}
    if given.text("keep-storage"):
        query["keep-storage"] = str(values.size(given.text("keep-storage")))
    plan = context.engine.get("/onggi/v1/build/prune", query)
    if given.on("dry-run"):
        sys.stdout.write(_shown(plan))
        return 0
    if not given.on("force") and not _confirmed(plan, everything=given.on("all")):
        return 0
    done = context.engine.post("/onggi/v1/build/prune", body={"Items": plan["Items"]})
    if done["Items"]:
        print("Deleted build cache objects:")
        for item in done["Items"]:
            output.line(item["ID"])
        print()
    print(f"Total reclaimed space: {units.human_size(done['SpaceReclaimed'])}")
    return 0


def _shown(plan: dict[str, Any]) -> str:
    if not plan["Items"]:
        return "Nothing to remove.\n"
    rows = [(item["Description"], item["ID"], item["Size"]) for item in map(_item, plan["Items"])]
    free = units.human_size(plan["SpaceReclaimed"])
    return f"{output.table(('BUILD CACHE', 'ID', 'SIZE'), rows)}\nSpace that this frees: {free}\n"


def _confirmed(plan: dict[str, Any], *, everything: bool) -> bool:
    what = "all build cache" if everything else "all dangling build cache"
    sys.stdout.write(f"WARNING! This will remove {what}.\n\n{_shown(plan)}\n")
    try:
        answer = input("Are you sure you want to continue? [y/N] ")
    except EOFError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")


_FORMAT = option(
    "format", "", "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE"
)
HISTORY = Command(
    history,
    "List the last builds",
    "",
    (
        _FORMAT,
        switch("no-trunc", "", "Don't truncate output"),
        switch("quiet", "q", "Only show build IDs"),
    ),
)
INSPECT = Command(
    inspect,
    "Show a build and its steps",
    "[BUILD]",
    (option("format", "f", "Format output using a custom template: 'json' or TEMPLATE"),),
    most=1,
)
LOGS = Command(
    logs,
    "Show what a build said",
    "[BUILD]",
    (
        switch("follow", "f", "Follow a build that goes on"),
        option("progress", "", 'Set type of progress output ("plain", "tty", "rawjson")'),
    ),
    most=1,
)
SHELL = Command(
    shell,
    "Open a shell in the file system of a step: of the one that failed, or of the last one",
    "[BUILD] [COMMAND] [ARG...]",
    (number("step", "", "The step's number, as `builder logs` shows it"),),
    most=None,
    stop_early=True,
)
CANCEL = Command(cancel, "End builds that go on", "BUILD [BUILD...]", (), least=1, most=None)
RM = Command(
    remove,
    "Forget builds that have ended",
    "[BUILD...]",
    (switch("all", "a", "Forget all of them"),),
    most=None,
)
DU = Command(usage, "Show what the build cache takes", "", (_FORMAT,))
PRUNE = Command(
    prune,
    "Remove build cache",
    "",
    (
        switch("all", "a", "Remove all of it, not just what no image has"),
        several("filter", "", 'Provide filter values (e.g. "until=24h")', metavar="filter", parse=values.filter_),
        switch("force", "f", "Do not prompt for confirmation"),
        switch("dry-run", "", "Only show what would be removed"),
        option("keep-storage", "", "Amount of disk space to keep for cache", metavar="bytes"),
    ),
)
