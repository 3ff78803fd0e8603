"""`onggi search`: images of a registry that offers a search."""

from __future__ import annotations

from core.cli import listing, registries, values, words
from core.cli.context import Context
from core.cli.parser import Arguments, Command, number, option, several, switch
from core.oci.reference import HUB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_DESCRIPTION_WIDTH = 45
HEADERS = {
    "Name": "NAME", "Description": "DESCRIPTION", "StarCount": "STARS", "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}  # fmt: skip
COLUMNS = ("Name", "Description", "StarCount", "IsOfficial")


def search(context: Context, given: Arguments) -> int:
    """What a registry finds for a term; `HOST/TERM` asks that registry, else it is Docker Hub."""
    term = given.operands[0]
    response = context.engine.open(
        "GET",
        "/images/search",
        {"term": term, "limit": given.number("limit") or None, "filters": values.filters(given.texts("filter"))},
        headers=registries.headers_for(_server(term)),
    )
    rows = [_row(hit, full=given.on("no-trunc")) for hit in response.json() or ()]
    listing.show(rows, HEADERS, COLUMNS, given.text("format"))
    return 0


def _server(term: str) -> str:
    host, slash, _ = term.partition("/")
    return host if slash and ("." in host or ":" in host or host == "localhost") else HUB


def _row(hit: Mapping[str, Any], *, full: bool) -> dict[str, Any]:
    description = str(hit.get("description") or "").replace("\n", " ").replace("\r", " ")
    return {
        "Description": description if full else words.ellipsis(description, _DESCRIPTION_WIDTH),
        "IsAutomated": "[OK]" if hit.get("is_automated") else "",
        "IsOfficial": "[OK]" if hit.get("is_official") else "",
        "Name": str(hit.get("name") or ""),
        "StarCount": str(hit.get("star_count") or 0),
    }


SEARCH = Command(
    search,
    "Search a registry for images; Docker Hub unless TERM begins with a host",
    "TERM",
    (
        several(
            "filter", "f", "Filter output based on conditions provided", metavar="filter", parse=values.filter_
        ),
        option("format", "", "Pretty-print search using a Go template"),
        number("limit", "", "Max number of search results"),
        switch("no-trunc", "", "Don't truncate output"),
    ),
    least=1,
    most=1,
)
