"""`onggi volume create`, `ls` and `rm`"""

from __future__ import annotations

from core.cli import listing, many, output, preferences, values, words
from core.cli.context import Context
from core.cli.create import texts
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, option, several, switch
from core.client.address import quote

HEADERS = {
    "Driver": "DRIVER", "Name": "VOLUME NAME", "Scope": "SCOPE", "Mountpoint": "MOUNTPOINT", "Labels": "LABELS",
    "Links": "LINKS", "Size": "SIZE", "Availability": "AVAILABILITY", "Group": "GROUP", "Status": "STATUS",
}  # fmt: skip


def create(context: Context, given: Arguments) -> int:
    """Make a volume and print its name."""
    name = given.text("name") or (given.operands[0] if given.operands else "")
    if given.text("name") and given.operands:
        raise CommandFailed(
            "conflicting options: cannot specify a volume name through both --name and as a positional arg"
        )
    request = {
        "Name": name,
        "Driver": given.text("driver") or "local",
        "DriverOpts": texts.pairs(given.texts("opt")),
        "Labels": texts.pairs(given.texts("label")),
    }
    output.line(context.engine.post("/volumes/create", body=request)["Name"])
    return 0


def ls(context: Context, given: Arguments) -> int:
    """List volumes by name."""
    found = context.engine.get("/volumes", {"filters": values.filters(given.texts("filter"))}).get("Volumes") or ()
    rows = []
    for volume in sorted(found, key=lambda volume: words.natural(volume["Name"])):
        labels = volume.get("Labels") or {}
        rows.append(
            {
                "Availability": "N/A",
                "Driver": volume["Driver"],
                "Group": "N/A",
                "Label": listing.label_of(labels),
                "Labels": ",".join(f"{name}={value}" for name, value in sorted(labels.items())),
                "Links": "N/A",
                "Mountpoint": volume["Mountpoint"],
                "Name": volume["Name"],
                "Scope": volume.get("Scope") or "local",
                "Size": "N/A",
                "Status": "N/A",
            }
        )
    if given.on("quiet") and not given.text("format"):
        listing.show_ids(rows, "Name")
    else:
        listing.show(rows, HEADERS, ("Driver", "Name"), preferences.template(given, "volumes"))
    return 0


def rm(context: Context, given: Arguments) -> int:
    """Remove volumes."""
    query = {"force": given.on("force") or None, **many.as_one("volume rm", given.operands)}
    failed = many.each(given.operands, lambda name: context.engine.delete(f"/volumes/{quote(name)}", query))
    return 1 if failed else 0


CREATE = Command(
    create,
    "Create a volume",
    "[VOLUME]",
    (
        option("driver", "d", "Specify volume driver name"),
        several("label", "", "Set metadata for a volume", parse=values.label),
        option("name", "", "Specify volume name"),
        several("opt", "o", "Set driver specific options", metavar="map"),
    ),
    most=1,
)
LS = Command(
    ls,
    "List volumes",
    "",
    (
        several("filter", "f", "Provide filter values", metavar="filter", parse=values.filter_),
        option(
            "format", "", "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE"
        ),
        switch("quiet", "q", "Only display volume names"),
    ),
)
RM = Command(
    rm,
    "Remove one or more volumes",
    "VOLUME [VOLUME...]",
    (switch("force", "f", "Force the removal of one or more volumes"),),
    least=1,
    most=None,
)
