"""`# check=skip=RULE,…;error=true`: which hints count. docs.docker.com/reference/dockerfile, "check". Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.dockerfile.errors import DockerfileError
from core.dockerfile.instructions import Hint

_TRUE = frozenset({"true", "1"})


@dataclass(frozen=True, slots=True)
class Check:
    """Rules to leave out ("all" = each), in lower case; `error` = what is left makes the build fail."""

    skip: frozenset[str] = frozenset()
    error: bool = False

    def kept(self, hints: Iterable[Hint]) -> tuple[Hint, ...]:
        """The hints that count."""
        if "all" in self.skip:
            return ()
        return tuple(hint for hint in hints if hint.rule.lower() not in self.skip)


def parse_check(text: str) -> Check:
    """The directive's value. Raises DockerfileError."""
    skip: frozenset[str] = frozenset()
    error = False
    for part in text.split(";"):
        name, equals, value = (word.strip() for word in part.partition("="))
        if not name and not equals:
            continue
        if name.lower() == "skip":
            skip |= {rule.strip().lower() for rule in value.split(",") if rule.strip()}
        elif name.lower() == "error":
            error = value.lower() in _TRUE
        elif name.lower() != "experimental":
            raise DockerfileError(f"invalid check option {name!r}: it is skip=RULE,… or error=true")
    return Check(skip, error)
