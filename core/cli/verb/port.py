"""`onggi port`"""

from __future__ import annotations

from core.cli import output, words
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command
from core.cli.verb.portlist import joined
from core.client.address import quote


def port(context: Context, given: Arguments) -> int:
    """Where each published port is reached; with a port, where that one is."""
    name, *wanted = given.operands
    container = context.engine.get(f"/containers/{quote(name)}/json")
    published = (container.get("NetworkSettings") or {}).get("Ports") or {}
    if wanted:
        number, _, protocol = wanted[0].partition("/")
        if not number.isdigit():
            reason = f'strconv.ParseUint: parsing "{number}": invalid syntax'
            raise CommandFailed(f"Error: invalid port ({number}): {reason}")
        bindings = published.get(f"{number}/{protocol or 'tcp'}")
        if not bindings:
            raise CommandFailed(f"Error: No public port '{wanted[0]}' published for {name}")
        lines = [joined(one["HostIp"] or "0.0.0.0", one["HostPort"]) for one in bindings]
    else:
        lines = [
            f"{inside} -> {joined(one['HostIp'] or '0.0.0.0', one['HostPort'])}"
            for inside, bindings in published.items()
            for one in bindings or ()
        ]
    for text in sorted(lines, key=words.natural):
        output.line(text)
    return 0


PORT = Command(
    port,
    "List port mappings or a specific mapping for the container",
    "CONTAINER [PRIVATE_PORT[/PROTO]]",
    least=1,
    most=2,
)
