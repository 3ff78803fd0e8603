"""`onggi network ls`"""

from __future__ import annotations

from core.cli import listing, preferences, values, words
from core.cli.context import Context
from core.cli.parser import Arguments, Command, option, several, switch

HEADERS = {
    "ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER", "Scope": "SCOPE", "IPv4": "IPV4", "IPv6": "IPV6",
    "Internal": "INTERNAL", "Labels": "LABELS", "CreatedAt": "CREATED AT",
}  # fmt: skip


def ls(context: Context, given: Arguments) -> int:
    """List networks by name."""
    found = context.engine.get("/networks", {"filters": values.filters(given.texts("filter"))})
    full = given.on("no-trunc")
    rows = []
    for network in sorted(found, key=lambda network: words.natural(network["Name"])):
        labels = network.get("Labels") or {}
        rows.append(
            {
                "CreatedAt": words.calendar(words.epoch(network.get("Created") or "")),
                "Driver": network["Driver"],
                "ID": network["Id"] if full else words.short_id(network["Id"]),
                "IPv4": "true",
                "IPv6": "true" if network.get("EnableIPv6") else "false",
                "Internal": "true" if network.get("Internal") else "false",
                "Label": listing.label_of(labels),
                "Labels": ",".join(f"{name}={value}" for name, value in sorted(labels.items())),
                "Name": network["Name"],
                "Scope": network.get("Scope") or "local",
            }
        )
    if given.on("quiet") and not given.text("format"):
        listing.show_ids(rows)
    else:
        listing.show(rows, HEADERS, ("ID", "Name", "Driver", "Scope"), preferences.template(given, "networks"))
    return 0


LS = Command(
    ls,
    "List networks",
    "",
    (
        several("filter", "f", "Provide filter values", metavar="filter", parse=values.filter_),
        option(
            "format", "", "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE"
        ),
        switch("no-trunc", "", "Do not truncate the output"),
        switch("quiet", "q", "Only display network IDs"),
    ),
)
