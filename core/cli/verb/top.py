"""`onggi top`"""

from __future__ import annotations

import sys

from core.cli import output
from core.cli.context import Context
from core.cli.parser import Arguments, Command
from core.client.address import quote


def top(context: Context, given: Arguments) -> int:
    """The processes of a container, as ps(1) with these options lists them."""
    name, *options = given.operands
    query = {"ps_args": " ".join(options) or None}
    found = context.engine.get(f"/containers/{quote(name)}/top", query)
    rows = found.get("Processes") or ()
    sys.stdout.write(output.table(found["Titles"], rows, min_width=20, padding=3))
    return 0


TOP = Command(
    top,
    "Display the running processes of a container",
    "CONTAINER [ps OPTIONS]",
    least=1,
    most=None,
    stop_early=True,
)
