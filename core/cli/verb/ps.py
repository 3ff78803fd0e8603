"""`onggi ps`"""

from __future__ import annotations

from core.cli import listing, preferences, units, values, words
from core.cli.context import Context, warn
from core.cli.parser import Arguments, Command, number, option, several, switch
from core.cli.verb.portlist import displayable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

_COMMAND_WIDTH, _MOUNT_WIDTH = 20, 15

HEADERS = {
    "ID": "CONTAINER ID", "Image": "IMAGE", "Command": "COMMAND", "RunningFor": "CREATED", "Status": "STATUS",
    "Ports": "PORTS", "Names": "NAMES", "Size": "SIZE", "CreatedAt": "CREATED AT", "State": "STATE",
    "Labels": "LABELS", "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES", "Networks": "NETWORKS",
    "Platform": "PLATFORM",
}  # fmt: skip
COLUMNS = ("ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names")


def ps(context: Context, given: Arguments) -> int:
    """List containers, newest first."""
    template = preferences.template(given, "ps")
    last = 1 if given.on("latest") else given.number("last")
    query = {
        "all": given.on("all") or None,
        "limit": last if last is not None and last > 0 else None,
        "size": given.on("size") or ".Size" in template or "{{json .}}" in template or None,
        "filters": values.filters(given.texts("filter")),
    }
    found = context.engine.get("/containers/json", query)
    rows = [row(entry, full=given.on("no-trunc")) for entry in found]
    if given.on("quiet"):
        if template:
            warn("WARNING: Ignoring custom format, because both --format and --quiet are set.")
        listing.show_ids(rows)
        return 0
    columns = (*COLUMNS, "Size") if given.on("size") else COLUMNS
    listing.show(rows, HEADERS, columns, template)
    return 0


def row(entry: Mapping[str, Any], *, full: bool) -> dict[str, Any]:
    """What one container of the list shows. Without `full`, long things are cut."""
    command = entry["Command"]
    created = entry["Created"]
    mounts = entry.get("Mounts") or ()
    names = [name.lstrip("/") for name in entry.get("Names") or () if full or "/" not in name[1:]]
    labels = entry.get("Labels") or {}
    return {
        "Command": words.quoted(command if full else words.ellipsis(command, _COMMAND_WIDTH)),
        "CreatedAt": words.calendar(created),
        "ID": entry["Id"] if full else words.short_id(entry["Id"]),
        "Image": _image(entry, full=full),
        "Label": listing.label_of(labels),
        "Labels": ",".join(f"{name}={labels[name]}" for name in sorted(labels)),
        "LocalVolumes": str(sum(mount.get("Driver") == "local" for mount in mounts)),
        "Mounts": ",".join(_mounts(mounts, full=full)),
        "Names": ",".join(names),
        "Networks": ",".join((entry.get("NetworkSettings") or {}).get("Networks") or {}),
        "Platform": None,
        "Ports": displayable(entry.get("Ports") or ()),
        "RunningFor": words.ago(created),
        "Size": _size(entry),
        "State": entry["State"],
        "Status": entry["Status"],
    }


def _image(entry: Mapping[str, Any], *, full: bool) -> str:
    image = str(entry.get("Image") or "<no image>")
    if full:
        return image
    if words.short_id(image) == words.short_id(entry.get("ImageID") or ""):
        return words.short_id(image)
    return image.partition("@")[0] if "@" in image else image


def _mounts(mounts: Iterable[Mapping[str, Any]], *, full: bool) -> Sequence[str]:
    found = [str(mount.get("Name") or mount.get("Source") or "") for mount in mounts]
    return found if full else [words.ellipsis(name, _MOUNT_WIDTH) for name in found]


def _size(entry: Mapping[str, Any]) -> str:
    size = units.human_size(entry.get("SizeRw") or 0, 3)
    whole = entry.get("SizeRootFs") or 0
    return f"{size} (virtual {units.human_size(whole, 3)})" if whole else size


PS = Command(
    ps,
    "List containers",
    "",
    (
        switch("all", "a", "Show all containers (default shows just running)"),
        several(
            "filter", "f", "Filter output based on conditions provided", metavar="filter", parse=values.filter_
        ),
        option(
            "format", "", "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE"
        ),
        number("last", "n", "Show n last created containers (includes all states)"),
        switch("latest", "l", "Show the latest created container (includes all states)"),
        switch("no-trunc", "", "Don't truncate output"),
        switch("quiet", "q", "Only display container IDs"),
        switch("size", "s", "Display total file sizes"),
    ),
)
