"""`onggi verify`"""

from __future__ import annotations

from core.cli import output, progress, units, words
from core.cli.context import Context, warn
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, switch


def verify(context: Context, given: Arguments) -> int:
    """Read again what images stand on. 1 when something is damaged or lost, and stays so."""
    query = {"image": given.operands, "repair": given.on("repair") or None}
    *findings, last = progress.follow(context.engine.open("POST", "/onggi/v1/verify", query).values()) or [{}]
    if "Checked" not in last:
        raise CommandFailed("the engine closed the connection inside an answer")
    bad = 0
    for found in findings:
        bad += not found["Repaired"]
        end = f"; {found['Repaired']}" if found["Repaired"] else ""
        output.line(f"{found['State']}: {found['What']} {words.short_id(found['Digest'])}: {found['Detail']}{end}")
        output.line(f"  hits {', '.join(found['Images'])}")
    print(f"{last['Checked']} things checked, {units.human_size(last['Bytes'])}: {_verdict(len(findings), bad)}")
    if bad and not given.on("repair"):
        warn("onggi verify --repair mends what can be mended")
    return 1 if bad else 0


def _verdict(findings: int, bad: int) -> str:
    if not findings:
        return "all is well"
    mended = f", {findings - bad} mended" if findings > bad else ""
    return f"{findings} damaged or lost{mended}"


VERIFY = Command(
    verify,
    "Read all that images are made of again, and tell what is damaged or lost",
    "[IMAGE...]",
    (switch("repair", "", "Mend what can be mended: from blobs that are whole, and from registries"),),
    most=None,
)
