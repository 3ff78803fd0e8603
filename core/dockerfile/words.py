"""Variables and quotes in the words of an instruction.

docs.docker.com/reference/dockerfile, "Environment replacement": `$name`, `${name}` and the modifiers
`:- - :+ + :? ? # ## % %% / //`, quotes and the escape token as a shell has them. Unset names are empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.dockerfile import glob
from core.errors import InvalidArgument

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#!?$-]")
_REPLACE_LIMIT = 4096
_MODIFIER = re.compile(r":?[-+?]|##?|%%?|//?")


@dataclass(frozen=True, slots=True)
class Expander:
    """Expands with the variables of one place in the file."""

    variables: Mapping[str, str]
    escape: str = "\\"

    def word(self, text: str) -> str:
        """One word, quotes taken off. Raises InvalidArgument."""
        return "".join(self.words(text, split=False))

    def words(self, text: str, *, split: bool = True) -> list[str]:
        """`text` expanded and, outside of quotes, cut at blanks."""
        scanner = _Scanner(text, self)
        scanner.run(split=split)
        return scanner.done

    def text(self, text: str) -> str:
        """Variables expanded and nothing else: quotes are text. For what stands in a heredoc."""
        scanner = _Scanner(text, self)
        pieces: list[str] = []
        while scanner.at < len(text):
            char = text[scanner.at]
            if char == "$":
                pieces.append(scanner.variable())
                continue
            if char == self.escape and text.startswith("$", scanner.at + 1):
                scanner.at, char = scanner.at + 1, "$"
            scanner.at += 1
            pieces.append(char)
        return "".join(pieces)


class _Scanner:
    """Reads one text from left to right."""

    def __init__(self, text: str, expander: Expander) -> None:
        self.text = text
        self.at = 0
        self.expander = expander
        self.done: list[str] = []
        self._word: list[str] = []
        self._quoted = False  # an empty pair of quotes is a word too

    def run(self, *, split: bool) -> None:
        while self.at < len(self.text):
            if split and self.text[self.at] in " \t\n":
                self._end_word()
                self.at += 1
            elif self.text[self.at] == "$":
                self._add_variable(split=split)
            else:
                self._word.append(self._literal())
        self._end_word()

    def until(self, stop: str) -> str:
        """Expanded text up to an unquoted `stop`, which is read over."""
        pieces: list[str] = []
        while self.at < len(self.text):
            if self.text[self.at] == stop:
                self.at += 1
                return "".join(pieces)
            pieces.append(self.variable() if self.text[self.at] == "$" else self._literal())
        raise InvalidArgument(f"syntax error: missing '{stop}'")

    def variable(self) -> str:
        """The value of what starts with the `$` here."""
        self.at += 1
        if self.text.startswith("{", self.at):
            self.at += 1
            return self._braced()
        found = _NAME.match(self.text, self.at)
        if found is None:
            return "$"
        self.at = found.end()
        return self.expander.variables.get(found[0], "")

    def _end_word(self) -> None:
        if self._word and (any(self._word) or self._quoted):
            self.done.append("".join(self._word))
        self._word, self._quoted = [], False

    def _add_variable(self, *, split: bool) -> None:
        value = self.variable()
        if not split:
            self._word.append(value)
            return
        for index, piece in enumerate(re.split(r"[ \t\n]+", value)):
            if index:
                self._end_word()
            self._word.append(piece)

    def _literal(self) -> str:
        char = self.text[self.at]
        if char == "'":
            return self._single_quoted()
        if char == '"':
            return self._double_quoted()
        self.at += 1
        if char == self.expander.escape:
            char = self.text[self.at : self.at + 1]
            self.at += 1
            return char or self.expander.escape
        return char

    def _single_quoted(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise InvalidArgument("unexpected end of statement while looking for matching single-quote")
        piece, self.at, self._quoted = self.text[self.at + 1 : end], end + 1, True
        return piece

    def _double_quoted(self) -> str:
        self.at += 1
        self._quoted = True
        pieces: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return "".join(pieces)
            if char == "$":
                pieces.append(self.variable())
                continue
            self.at += 1
            follower = self.text[self.at : self.at + 1]
            if char == self.expander.escape and follower in ('"', "$", self.expander.escape):
                char = follower
                self.at += 1
            pieces.append(char)
        raise InvalidArgument("unexpected end of statement while looking for matching double-quote")

    def _braced(self) -> str:
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise InvalidArgument("syntax error: bad substitution")
        name, self.at = found[0], found.end()
        if self.text.startswith("}", self.at):
            self.at += 1
            return self.expander.variables.get(name, "")
        modifier = _MODIFIER.match(self.text, self.at)
        if modifier is None:
            raise InvalidArgument(f"unsupported modifier ({self.text[self.at : self.at + 2]}) in substitution")
        self.at = modifier.end()
        if modifier[0] in ("/", "//"):
            pattern = self.until("/")
            return _replaced(self._value(name), pattern, self.until("}"), every=modifier[0] == "//")
        return _modified(self.expander.variables, name, modifier[0], self.until("}"))

    def _value(self, name: str) -> str:
        return self.expander.variables.get(name, "")


def _modified(variables: Mapping[str, str], name: str, modifier: str, argument: str) -> str:
    value = variables.get(name)
    if modifier[0] in "#%":
        cut = glob.cut_front if modifier[0] == "#" else glob.cut_back
        return cut(value or "", argument, longest=len(modifier) == 2)
    present = bool(value) if modifier.startswith(":") else value is not None
    kind = modifier[-1]
    if kind == "+":
        return argument if present else ""
    if present:
        return value or ""
    if kind == "?":
        reason = argument or "is not allowed to be " + ("empty" if modifier.startswith(":") else "unset")
        raise InvalidArgument(f"{name}: {reason}")
    return argument


def _replaced(value: str, pattern: str, replacement: str, *, every: bool) -> str:
    if len(value) > _REPLACE_LIMIT:
        raise InvalidArgument(f"cannot replace in a value longer than {_REPLACE_LIMIT} characters")
    return glob.replace(value, pattern, replacement, every=every)
