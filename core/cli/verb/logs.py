"""`onggi logs`"""

from __future__ import annotations

import os
import sys

from core.cli.context import Context
from core.cli.parser import Arguments, Command, moment, option, switch
from core.client.address import quote
from core.wire.streams import STDERR, Unframer


def logs(context: Context, given: Arguments) -> int:
    """A container's output so far, each stream to its own; with --follow until the container ends."""
    name = given.operands[0]
    container = context.engine.get(f"/containers/{quote(name)}/json")
    query = {
        "stdout": True,
        "stderr": True,
        "follow": given.on("follow") or None,
        "timestamps": given.on("timestamps") or None,
        "details": given.on("details") or None,
        "tail": given.text("tail") or "all",
        "since": moment(given, "since"),
        "until": moment(given, "until"),
    }
    response = context.engine.open("GET", f"/containers/{container['Id']}/logs", query)
    sys.stdout.flush()
    unframer = None if container["Config"]["Tty"] else Unframer()
    for piece in response:
        if unframer is None:
            _write(1, piece)
            continue
        for stream, data in unframer.feed(piece):
            _write(2 if stream == STDERR else 1, data)
    return 0


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


LOGS = Command(
    logs,
    "Fetch the logs of a container",
    "CONTAINER",
    (
        switch("details", "", "Show extra details provided to logs"),
        switch("follow", "f", "Follow log output"),
        option("since", "", "Show logs since timestamp (2013-01-02T13:23:37Z) or relative (42m for 42 minutes)"),
        option("tail", "n", "Number of lines to show from the end of the logs (default all)"),
        switch("timestamps", "t", "Show timestamps"),
        option("until", "", "Show logs before a timestamp (2013-01-02T13:23:37Z) or relative (42m for 42 minutes)"),
    ),
    least=1,
    most=1,
)
