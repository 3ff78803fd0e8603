"""Splits a template into text and actions, and an action into words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from core.cli.template.nodes import Place, TemplateError

_SPACE = " \t\r\n"
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<comment>/\*.*?\*/)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<raw>`[^`]*`)
      | (?P<char>'(?:[^'\\\n]|\\.)+')
      | (?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?))
      | (?P<variable>\$\w*)
      | (?P<field>\.\w+)
      | (?P<dot>\.)
      | (?P<word>\w+)
      | (?P<declare>:=)
      | (?P<punctuation>[=|(),])""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    kind: str
    text: str
    place: Place
    spaced: bool  # whether a space stood before it: `.A .B` are two operands, `.A.B` is one


class Piece(NamedTuple):
    """Literal text, or the tokens of one action."""

    text: str
    tokens: list[Token] | None


def pieces(source: str) -> Iterator[Piece]:
    """Text and actions in turn; `{{-` and `-}}` have taken the space beside them. Raises TemplateError."""
    at, trim = 0, False
    while True:
        start = source.find("{{", at)
        text = source[at:] if start < 0 else source[at:start]
        if trim:
            text = text.lstrip(_SPACE)
        if start < 0:
            yield Piece(text, None)
            return
        inner = start + 2
        if source.startswith("-", inner) and source[inner + 1 : inner + 2] in tuple(_SPACE):
            text = text.rstrip(_SPACE)
            inner += 1
        yield Piece(text, None)
        tokens, at, trim = _action(source, inner)
        yield Piece("", tokens)


def _action(source: str, at: int) -> tuple[list[Token], int, bool]:
    tokens: list[Token] = []
    spaced = False
    while True:
        if source.startswith("}}", at):
            return tokens, at + 2, False
        if spaced and source.startswith("-}}", at):
            return tokens, at + 3, True
        match = _TOKEN.match(source, at)
        if not match:
            if at >= len(source):
                raise TemplateError(f"template: :{_line(source, at)}: unclosed action")
            char = source[at]
            if char in "\"'`":
                raise TemplateError(f"template: :{_line(source, at)}: unterminated quoted string")
            raise TemplateError(f"template: :{_line(source, at)}: unexpected {char!r} in operand")
        kind = match.lastgroup or ""
        if kind not in ("space", "comment"):
            tokens.append(Token(kind, match[0], place(source, at, match[0]), spaced))
        spaced = kind == "space"
        at = match.end()


def _line(source: str, at: int) -> int:
    return source.count("\n", 0, at) + 1


def place(source: str, at: int, text: str) -> Place:
    """Line and column (from 0, as Go counts them) of an offset."""
    return Place(_line(source, at), at - (source.rfind("\n", 0, at) + 1), text)
