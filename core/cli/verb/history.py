"""`onggi history`"""

from __future__ import annotations

from core.cli import listing, output, units, words
from core.cli.context import Context
from core.cli.parser import Arguments, Command, option, switch
from core.client.address import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_CREATED_BY_WIDTH, _COMMENT_WIDTH = 45, 45
HEADERS = {
    "ID": "IMAGE", "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "CreatedBy": "CREATED BY", "Size": "SIZE",
    "Comment": "COMMENT",
}  # fmt: skip
COLUMNS = ("ID", "CreatedSince", "CreatedBy", "Size", "Comment")
_EXACT = ("ID", "CreatedAt", "CreatedBy", "Size", "Comment")


def history(context: Context, given: Arguments) -> int:
    """The steps that made an image, newest first."""
    if given.text("as"):
        from core.cli.building import drafts

        drafts.check_form(given.text("as"))
        output.text(drafts.of_image(context.engine, given.operands[0]))
        return 0
    found = context.engine.get(f"/images/{quote(given.operands[0])}/history")
    rows = [_row(step, full=given.on("no-trunc"), human=given.on("human")) for step in found]
    if given.on("quiet"):
        listing.show_ids(rows)
        return 0
    listing.show(rows, HEADERS, COLUMNS if given.on("human") else _EXACT, given.text("format"))
    return 0


def _row(step: Mapping[str, Any], *, full: bool, human: bool) -> dict[str, Any]:
    created_by = step["CreatedBy"].replace("\t", " ")
    comment = step.get("Comment") or ""
    created = step["Created"]
    return {
        "Comment": comment if full else words.ellipsis(comment, _COMMENT_WIDTH),
        "CreatedAt": words.rfc3339(created),
        "CreatedBy": created_by if full else words.ellipsis(created_by, _CREATED_BY_WIDTH),
        "CreatedSince": words.ago(created) if created > 0 else "N/A",
        "ID": step["Id"] if full else words.short_id(step["Id"]),
        "Size": units.human_size(step["Size"], 3) if human else str(step["Size"]),
    }


HISTORY = Command(
    history,
    "Show the history of an image",
    "IMAGE",
    (
        option("as", "", 'Write the history as something else ("dockerfile")'),
        option(
            "format", "", "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE"
        ),
        switch("human", "H", "Print sizes and dates in human readable format", default=True),
        switch("no-trunc", "", "Don't truncate output"),
        switch("quiet", "q", "Only show image IDs"),
    ),
    least=1,
    most=1,
)
