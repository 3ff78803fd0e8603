"""Help texts, made from the same data the parser reads."""

from __future__ import annotations

from core.cli.failure import PROGRAM
from core.cli.parser import Command, Flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH = 80
_GAP = 3
_MOST_INDENT = 38

GLOBAL_FLAGS = (
    Flag(
        "host",
        "H",
        "Engine to talk to: unix:///path or tcp://address:port (default ONGGI_HOST, else this machine's)",
    ),
    Flag("version", "v", "Print version information and quit", metavar=""),
    Flag("help", "", "Print usage", metavar=""),
)


def of_command(path: str, command: Command, aliases: Sequence[str] = ()) -> str:
    """The whole help of one verb."""
    parts = [f"Usage:  {command.usage_line(path)}", command.summary]
    if aliases:
        parts.append("Aliases:\n  " + ", ".join(f"{PROGRAM} {name}" for name in aliases))
    if command.flags:
        parts.append("Options:\n" + options(command.flags))
    return "\n\n".join(parts) + "\n"


def of_group(path: str, summary: str, verbs: Iterable[tuple[str, str]]) -> str:
    """The help of `onggi container` and its like."""
    listed = _columns([(f"  {name}", text) for name, text in verbs])
    more = f"Run '{PROGRAM} {path} COMMAND --help' for more information on a command."
    return f"Usage:  {PROGRAM} {path} COMMAND\n\n{summary}\n\nCommands:\n{listed}\n\n{more}\n"


def of_program(sections: Iterable[tuple[str, Sequence[tuple[str, str]]]]) -> str:
    """`onggi --help`."""
    parts = [
        f"Usage:  {PROGRAM} [OPTIONS] [COMMAND]",
        "A container manager with its own engine; without a command, the app opens.",
    ]
    for title, verbs in sections:
        parts.append(f"{title}:\n" + _columns([(f"  {name}", text) for name, text in verbs]))
    parts.append("Global Options:\n" + options(GLOBAL_FLAGS))
    parts.append(f"Run '{PROGRAM} COMMAND --help' for more information on a command.")
    return "\n\n".join(parts) + "\n"


def options(flags: Iterable[Flag]) -> str:
    """The table of flags, sorted by name."""
    rows = []
    for flag in sorted(flags, key=lambda flag: flag.name):
        short = f"-{flag.short}, " if flag.short else "    "
        metavar = f" {flag.metavar}" if flag.metavar else ""
        default = " (default true)" if flag.is_switch and flag.default else ""
        rows.append((f"  {short}--{flag.name}{metavar}", flag.help + default))
    return _columns(rows)


def _columns(rows: Sequence[tuple[str, str]]) -> str:
    from textwrap import wrap

    indent = min(max((len(left) for left, _ in rows), default=0) + _GAP, _MOST_INDENT)
    lines: list[str] = []
    for left, right in rows:
        first, *rest = wrap(right, WIDTH - indent) or [""]
        lines.append(f"{left:<{indent}}{first}".rstrip())
        lines += [" " * indent + line for line in rest]
    return "\n".join(lines)
