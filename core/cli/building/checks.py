"""`build --check` and `--call`: what a Dockerfile says, without building anything."""

from __future__ import annotations

from core.cli.failure import CommandFailed
from core.dockerfile.parser import parse
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.dockerfile.instructions import Dockerfile, Hint

CALLS = ("check", "targets")


def call(method: str, source: str, *, check: str = "") -> int:
    """`method` is one of CALLS; the exit code, 1 where something was found. `check` overrides the directive."""
    try:
        file = parse(source.encode("utf-8", "surrogateescape"), check=check)
    except EngineError as error:
        raise CommandFailed(f"ERROR: {error.message}") from error
    if method == "targets":
        _targets(file)
        return 0
    if not file.hints:
        print("Check complete, no warnings found.")
        return 0
    count = len(file.hints)
    print(f"Check complete, {count} warning{'s have' if count > 1 else ' has'} been found!")
    lines = source.split("\n")
    for hint in file.hints:
        _warn(hint, lines)
    return 1


def _targets(file: Dockerfile) -> None:
    """As docker buildx prints them: a name a line, the default one marked."""
    print("TARGET")
    for stage in file.stages:
        name = stage.start.name or str(stage.index)
        print(f"{name}{' (default)' if stage is file.stages[-1] else ''}")


def _warn(hint: Hint, lines: list[str]) -> None:
    print(f"\nWARNING: {hint.rule}\n{hint.text}\nDockerfile:{hint.range.first}\n{'-' * 20}")
    for number in range(hint.range.first, min(hint.range.last, len(lines)) + 1):
        print(f"{number:4} | >>> {lines[number - 1]}")
    print("-" * 20)
