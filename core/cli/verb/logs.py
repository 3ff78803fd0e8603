"""`onggi logs`"""

from __future__ import annotations

import os
import sys

from core.cli.context import Context, is_terminal
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, moment, option, switch
from core.client.address import quote
from core.errors import EngineUnreachable
from core.wire.streams import STDERR, Unframer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Sequence
    from typing import Any

    from core.cli.logstreams import Line
    from core.client.address import Value
    from core.client.transport import Response

STREAMS = ("stdout", "stderr")
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 95)  # SGR, one a container, round and round
_PATIENCE = 2.0  # seconds of matching that some hundred lines may take; they need a thousandth of one


def logs(context: Context, given: Arguments) -> int:
    """What containers have written, each stream to its own; with --follow until the last of them ends."""
    found = [context.engine.get(f"/containers/{quote(name)}/json") for name in given.operands]
    query: dict[str, Value] = {
        "stdout": given.value("stream") != "stderr",
        "stderr": given.value("stream") != "stdout",
        "follow": given.on("follow") or None,
        "timestamps": given.on("timestamps") or None,
        "details": given.on("details") or None,
        "tail": given.text("tail") or "all",
        "since": moment(given, "since"),
        "until": moment(given, "until"),
    }
    in_lines = len(found) > 1 or any(given.value(name) for name in ("grep", "exclude", "level"))
    if in_lines:
        query["timestamps"] = True
    answers = [context.engine.open("GET", f"/containers/{one['Id']}/logs", query) for one in found]
    sys.stdout.flush()
    try:
        if in_lines:
            _merge(answers, found, given)
        else:
            _copy(answers[0], tty=found[0]["Config"]["Tty"])
    except EngineUnreachable:
        if not given.on("follow"):
            raise
        raise CommandFailed(
            "follow logs: the engine went away; the containers go on, and so do their logs"
        ) from None
    return 0


def _merge(answers: Sequence[Response], found: Sequence[dict[str, Any]], given: Arguments) -> None:
    """Write lines in the order of their times, those that are wanted."""
    from core.cli.logstreams import Source, merged
    from core.cli.output import shown

    names = [shown(str(one["Name"]).removeprefix("/")) for one in found]
    ttys = [one["Config"]["Tty"] for one in found]
    sources = [Source(names[n], answer, tty=ttys[n], number=n) for n, answer in enumerate(answers)]
    prefixes = [b""] if len(sources) == 1 or given.on("no-log-prefix") else _prefixes(names)
    wanted = _filter(given)
    for batch in merged(sources, follow=given.on("follow")):
        _print(wanted(batch), prefixes, timestamps=given.on("timestamps"))


def _copy(response: Response, *, tty: bool) -> None:
    unframer = None if tty else Unframer()
    for piece in response:
        if unframer is None:
            _write(1, piece)
            continue
        for stream, data in unframer.feed(piece):
            _write(2 if stream == STDERR else 1, data)


def _prefixes(names: Sequence[str]) -> list[bytes]:
    """`name | `, as wide for each, in a colour of its own on a terminal."""
    from core.cli.words import cells

    width = max(map(cells, names))
    coloured = is_terminal(1) and not os.environ.get("NO_COLOR")
    found = []
    for number, name in enumerate(names):
        text = f"{name}{' ' * (width - cells(name))} | ".encode("utf-8", "replace")
        sgr = _COLOURS[number % len(_COLOURS)]
        found.append(b"\x1b[%dm%b\x1b[0m" % (sgr, text) if coloured else text)
    return found


def _filter(given: Arguments) -> Callable[[list[Line]], list[Line]]:
    """What --grep, --exclude and --level leave of some lines."""
    grep, exclude, level = (given.value(name) for name in ("grep", "exclude", "level"))
    if not (grep or exclude or level):
        return lambda lines: lines
    from core.cli.logfilter import LineFilter
    from core.client.limit import TooSlow, within

    wanted = LineFilter(grep, exclude, level)

    def kept(lines: list[Line]) -> list[Line]:
        try:
            with within(_PATIENCE):
                return [line for line in lines if wanted(line)]
        except TooSlow:
            raise CommandFailed("match lines: the pattern takes too long; try a simpler one") from None

    return kept


def _print(lines: Sequence[Line], prefixes: Sequence[bytes], *, timestamps: bool) -> None:
    """Neighbours of one stream in one write."""
    pieces: list[bytes] = []
    last = 0
    for line in lines:
        fd = 2 if line.stream == STDERR else 1
        if fd != last and pieces:
            _write(last, b"".join(pieces))
            pieces.clear()
        last = fd
        pieces.append(prefixes[line.source.number % len(prefixes)])
        if timestamps and line.stamp:
            pieces.append(line.stamp.encode() + b" ")
        pieces.append(line.data)
        if not line.data.endswith(b"\n") and len(prefixes) > 1:
            pieces.append(b"\n")  # the line of another container would go on in it
    if pieces:
        _write(last, b"".join(pieces))


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _pattern(text: str) -> re.Pattern[str]:
    import re

    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return text

    return parse


LOGS = Command(
    logs,
    "Fetch the logs of containers",
    "CONTAINER [CONTAINER...]",
    (
        switch("details", "", "Show extra details provided to logs"),
        option("exclude", "", "Leave out lines that match", metavar="regex", parse=_pattern),
        switch("follow", "f", "Follow log output"),
        option(
            "grep", "", "Show only lines that match; (?i) in front ignores case", metavar="regex", parse=_pattern
        ),
        option(
            "level",
            "",
            "Show only lines of this level and above (debug, info, warn, error)",
            parse=_one_of("debug", "info", "warn", "error"),
        ),
        switch("no-log-prefix", "", "Do not print names in front of the lines of several containers"),
        option("since", "", "Show logs since timestamp (2013-01-02T13:23:37Z) or relative (42m for 42 minutes)"),
        option("stream", "", "Show only one stream (stdout, stderr)", parse=_one_of(*STREAMS)),
        option("tail", "n", "Number of lines to show from the end of each log, before any filter (default all)"),
        switch("timestamps", "t", "Show timestamps"),
        option("until", "", "Show logs before a timestamp (2013-01-02T13:23:37Z) or relative (42m for 42 minutes)"),
    ),
    least=1,
    most=None,
)
