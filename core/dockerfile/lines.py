"""A Dockerfile as logical lines: directives, comments, continuations and heredocs are dealt with here.

docs.docker.com/reference/dockerfile, "Format", "Parser directives", "Here-documents". Comments and empty lines
inside a continued line vanish, as in BuildKit. Every line knows where it stood, so that every error can say it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from core.dockerfile.errors import DockerfileError, Range
from core.dockerfile.quoting import split_words

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$")
_DIRECTIVES = frozenset({"escape", "syntax", "check"})
_COMMENT = re.compile(r"[ \t\v\f\r]*#")
_HEREDOC = re.compile(r"(\d*)<<(-?)\s*(?P<quote>['\"]?)([a-zA-Z_][a-zA-Z0-9._-]*)(?P=quote)$")
_TAKES_HEREDOC = frozenset({"add", "copy", "run"})
LIMIT = 1 << 20  # bytes; BuildKit's own limit for a Dockerfile


@dataclass(frozen=True, slots=True)
class Heredoc:
    """`<<NAME` and what stands below it. `expand` is off where NAME was quoted, `chomp` takes leading tabs away."""

    name: str
    content: str
    expand: bool = True
    chomp: bool = False
    fd: int = 0

    @property
    def text(self) -> str:
        """The content as the program sees it."""
        return re.sub(r"^\t+", "", self.content, flags=re.MULTILINE) if self.chomp else self.content


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction: its words still unparsed, `name` in lower case."""

    name: str
    rest: str
    range: Range
    heredocs: tuple[Heredoc, ...] = ()
    comments: tuple[str, ...] = ()
    written: str = ""  # its keyword as it stands there


@dataclass(frozen=True, slots=True)
class Source:
    """A whole file. `syntax` and `check` are kept as written; onggi runs no foreign frontend."""

    lines: tuple[Line, ...]
    escape: str = "\\"
    syntax: str = ""
    check: str = ""
    warnings: tuple[tuple[Range, str], ...] = ()


def read(data: bytes, name: str = "Dockerfile") -> Source:
    """Split a Dockerfile. Raises DockerfileError with the line at fault."""
    if len(data) > LIMIT:
        raise DockerfileError(f"the Dockerfile ({name}) is larger than {LIMIT} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise DockerfileError("not UTF-8 text", Range(number, number)) from error
    if not text.strip():
        raise DockerfileError(f"the Dockerfile ({name}) cannot be empty")
    return _Reader(text.replace("\r\n", "\n").split("\n")).read()


@dataclass(slots=True)
class _Reader:
    """Walks over the physical lines; `at` is the index of the next one."""

    physical: list[str]
    at: int = 0
    directives: dict[str, str] = field(default_factory=dict)
    warnings: list[tuple[Range, str]] = field(default_factory=list)

    def read(self) -> Source:
        self._read_directives()
        escape = self.directives.get("escape", "\\")
        lines: list[Line] = []
        comments: list[str] = []
        while self.at < len(self.physical):
            text = self.physical[self.at]
            if _COMMENT.match(text):
                comments.append(text.strip()[1:].strip())
                self.at += 1
            elif not text.strip():
                comments.clear()
                self.at += 1
            else:
                if (line := self._read_instruction(escape, tuple(comments))) is not None:
                    lines.append(line)
                comments.clear()
        if not lines:
            raise DockerfileError("file with no instructions", Range(self.at, self.at))
        return Source(
            tuple(lines), escape, self.directives.get("syntax", ""), self.directives.get("check", ""),
            tuple(self.warnings),
        )  # fmt: skip

    def _read_directives(self) -> None:
        """Only the very first lines can be directives; whatever else comes ends them."""
        while self.at < len(self.physical) and (found := _DIRECTIVE.match(self.physical[self.at].strip())):
            here = Range(self.at + 1, self.at + 1)
            name, value = found[1].lower(), found[2]
            self.at += 1
            if name not in _DIRECTIVES:
                continue
            if name in self.directives:
                raise DockerfileError(f"only one {name} parser directive can be used", here)
            if name == "escape" and value not in ("\\", "`"):
                raise DockerfileError(f"invalid escape token '{value}' does not match ` or \\", here)
            self.directives[name] = value

    def _read_instruction(self, escape: str, comments: tuple[str, ...]) -> Line | None:
        first = self.at + 1
        text = self._join_continued(escape)
        if not text.strip():
            return None  # nothing but continuations
        written, rest = _split(text)
        name = written.lower()
        heredocs: tuple[Heredoc, ...] = ()
        verb = rest.split(maxsplit=1)[0].lower() if name == "onbuild" and rest else name
        if verb in _TAKES_HEREDOC and "<<" in rest:
            heredocs = tuple(self._read_heredoc(mark, first) for mark in heredoc_marks(rest, escape))
        return Line(name, rest, Range(first, self.at), heredocs, comments, written)

    def _join_continued(self, escape: str) -> str:
        continued = _continuation(escape)
        first, empty = self.at + 1, False
        pieces: list[str] = []
        text, more = continued(self.physical[self.at].lstrip())
        self.at += 1
        pieces.append(text)
        while more and self.at < len(self.physical):
            physical = self.physical[self.at]
            self.at += 1
            if _COMMENT.match(physical):
                continue
            if not physical.strip():
                empty = empty or self.at < len(self.physical)  # the file's own last newline is no empty line
                continue
            text, more = continued(physical)
            pieces.append(text)
        if empty:
            self.warnings.append((Range(first, self.at), "empty continuation line"))
        return "".join(pieces)

    def _read_heredoc(self, mark: Heredoc, first: int) -> Heredoc:
        start = self.at
        while self.at < len(self.physical):
            text = self.physical[self.at]
            self.at += 1
            if (text.lstrip("\t") if mark.chomp else text) == mark.name:
                content = "".join(f"{line}\n" for line in self.physical[start : self.at - 1])
                return Heredoc(mark.name, content, mark.expand, mark.chomp, mark.fd)
        raise DockerfileError(f"unterminated heredoc <<{mark.name}", Range(first, self.at))


def _continuation(escape: str) -> Callable[[str], tuple[str, bool]]:
    """A function that takes the escape off the end of a line: the rest, and whether there was one."""
    pattern = re.compile(rf"(^|[^{re.escape(escape)}]){re.escape(escape)}[ \t]*$")

    def cut(text: str) -> tuple[str, bool]:
        found = pattern.search(text)
        return (text[: found.end(1)], True) if found else (text, False)

    return cut


def _split(text: str) -> tuple[str, str]:
    name, *rest = text.split(maxsplit=1)
    return name, rest[0].rstrip() if rest else ""


def heredoc_marks(rest: str, escape: str) -> list[Heredoc]:
    """The `<<NAME` words of an instruction, with no content yet. Quoted text and `<<<` are none."""
    return [mark for word in split_words(rest, escape) if (mark := _mark(word)) is not None]


def _mark(word: str) -> Heredoc | None:
    found = _HEREDOC.match(word)
    if found is None:
        return None
    return Heredoc(found[4], "", expand=not found["quote"], chomp=bool(found[2]), fd=int(found[1] or 0))
