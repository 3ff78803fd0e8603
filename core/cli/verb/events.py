"""`onggi events`"""

from __future__ import annotations

import json
import sys

from core.cli import listing, output, values, words
from core.cli.context import Context
from core.cli.parser import Arguments, Command, moment, option, several

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def events(context: Context, given: Arguments) -> int:
    """What happens, as it happens, until --until or for ever."""
    query = {
        "since": moment(given, "since"),
        "until": moment(given, "until"),
        "filters": values.filters(given.texts("filter")),
    }
    template = given.text("format")
    for event in context.engine.open("GET", "/events", query).values():
        if template in ("json", "{{json .}}"):
            output.line(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
        elif template:
            output.line(listing.document(event, template))
        else:
            output.line(_line(event))
        sys.stdout.flush()
    return 0


def _line(event: dict[str, Any]) -> str:
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    details = ", ".join(f"{name}={attributes[name]}" for name in sorted(attributes))
    more = f" ({details})" if details else ""
    return f"{_moment(event['timeNano'])} {event['Type']} {event['Action']} {actor.get('ID', '')}{more}"


def _moment(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    return words.rfc3339(seconds, f".{rest:09d}")


EVENTS = Command(
    events,
    "Get real time events from the server",
    "",
    (
        several(
            "filter", "f", "Filter output based on conditions provided", metavar="filter", parse=values.filter_
        ),
        option("format", "", "Format output using a custom template: 'json' or TEMPLATE"),
        option("since", "", "Show all events created since timestamp"),
        option("until", "", "Stream events until this timestamp"),
    ),
)
