"""What is wrong with a Dockerfile, and where."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Range:
    """Lines `first` to `last`, counted from 1."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


class DockerfileError(InvalidArgument):
    """One line as Docker words it. `range` is None where the whole file is meant."""

    def __init__(self, reason: str, where: Range | None = None) -> None:
        self.reason = reason
        self.range = where
        super().__init__(f"dockerfile parse error line {where}: {reason}" if where else reason)
