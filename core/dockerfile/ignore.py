"""`.dockerignore`: which files of a build context stay at home.

docs.docker.com/build/concepts/context, "Syntax": patterns of Go's filepath.Match with `**`, the last one that
matches decides, `!` takes back. A pattern that matches a folder matches what lies in it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InvalidArgument

LIMIT = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line, part by part; None stands for `**`. `keep` is true for `!pattern`."""

    parts: tuple[re.Pattern[str] | None, ...]
    keep: bool

    def matches(self, path: str) -> bool:
        """The path itself, or a folder above it."""
        reached = _skip(self.parts, {0})
        for name in path.split("/"):
            if len(self.parts) in reached:
                return True
            reached = self._step(reached, name)
        return len(self.parts) in reached

    def may_match_below(self, folder: str) -> bool:
        """Whether something in `folder` can match."""
        reached = _skip(self.parts, {0})
        for name in folder.split("/"):
            reached = self._step(reached, name)
        return bool(reached)

    def _step(self, reached: set[int], name: str) -> set[int]:
        """The parts that can come next after one more name of a path; `**` stays where it is, too."""
        after = set()
        for at in reached:
            if at < len(self.parts):
                part = self.parts[at]
                if part is None:
                    after |= {at, at + 1}
                elif part.fullmatch(name):
                    after.add(at + 1)
        return _skip(self.parts, after)


@dataclass(frozen=True, slots=True)
class Ignore:
    """A whole `.dockerignore`."""

    patterns: tuple[Pattern, ...] = ()

    def ignores(self, path: str) -> bool:
        """Whether `path`, relative to the context and with `/`, is left out."""
        ignored = False
        for pattern in self.patterns:
            if pattern.keep == ignored and pattern.matches(path):
                ignored = not pattern.keep
        return ignored

    def may_hold(self, folder: str) -> bool:
        """Whether something below an ignored `folder` could be taken back by a `!` line: it must be walked then."""
        return any(pattern.keep and pattern.may_match_below(folder) for pattern in self.patterns)


def parse_ignore(text: str) -> Ignore:
    """Raises InvalidArgument for a pattern that is none."""
    if len(text) > LIMIT:
        raise InvalidArgument(f".dockerignore is larger than {LIMIT} bytes")
    lines = [line.strip() for line in text.removeprefix("\ufeff").splitlines() if not line.startswith("#")]
    return Ignore(tuple(_pattern(line) for line in lines if line))


def ignore_of(patterns: Sequence[str]) -> Ignore:
    """From patterns given one by one, as `COPY --exclude` gives them."""
    return parse_ignore("\n".join(patterns))


def _pattern(line: str) -> Pattern:
    keep = line.startswith("!")
    text = line[1:].strip() if keep else line
    if not text:
        raise InvalidArgument('illegal exclusion pattern: "!"')
    parts = posixpath.normpath(text).lstrip("/").split("/")
    if parts in ([""], ["."]):
        parts = ["**"]  # the context itself: everything
    return Pattern(tuple(None if part == "**" else compile_part(part) for part in parts), keep)


def _skip(parts: Sequence[re.Pattern[str] | None], reached: set[int]) -> set[int]:
    """`**` may stand for nothing, but at the end, where it stands for something in the folder."""
    found = set(reached)
    for at in range(len(parts) - 1):
        if at in found and parts[at] is None:
            found.add(at + 1)
    return found


def compile_part(part: str) -> re.Pattern[str]:
    """Go's filepath.Match of one part. Each `*` takes as little as it can and never gives back, so it is quick."""
    chunks = [""]
    at = 0
    while at < len(part):
        char = part[at]
        at += 1
        if char == "*":
            chunks.append("")
        elif char == "?":
            chunks[-1] += "."
        elif char == "[":
            piece, at = _class(part, at)
            chunks[-1] += piece
        elif char == "\\":
            if at == len(part):
                raise InvalidArgument(f"syntax error in pattern: {part}")
            chunks[-1] += re.escape(part[at])
            at += 1
        else:
            chunks[-1] += re.escape(char)
    if len(chunks) == 1:
        return re.compile(chunks[0], re.DOTALL)
    middle = "".join(f"(?>.*?{chunk})" for chunk in chunks[1:-1] if chunk)
    return re.compile(f"{chunks[0]}{middle}.*{chunks[-1]}", re.DOTALL)


def _class(pattern: str, at: int) -> tuple[str, int]:
    end = pattern.find("]", at + 1)
    if end < 0:
        raise InvalidArgument(f"syntax error in pattern: {pattern}")
    body = pattern[at:end]
    negated = body.startswith("^")
    inside = re.escape(body[1:] if negated else body).replace("\\-", "-")
    try:
        re.compile(f"[{inside}]")
    except re.error as error:
        raise InvalidArgument(f"syntax error in pattern: {pattern}") from error
    return f"[{'^' if negated else ''}{inside}]", end + 1
