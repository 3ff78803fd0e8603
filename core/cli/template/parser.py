"""Words of a template -> nodes."""

from __future__ import annotations

import ast

from core.cli.template.functions import FUNCTIONS
from core.cli.template.lexer import Piece, Token, pieces
from core.cli.template.nodes import (
    Action,
    Command,
    Dot,
    Expression,
    Function,
    If,
    Jump,
    Literal,
    Node,
    Path,
    Pipeline,
    Place,
    Range,
    TemplateError,
    Text,
    Variable,
)

_CONSTANTS = {"true": True, "false": False, "nil": None}
Template = tuple[Node, ...]


def parse(source: str) -> Template:
    """A template. Raises TemplateError."""
    reader = _Blocks(list(pieces(source)))
    nodes, end = reader.nodes(())
    if end:
        raise TemplateError(f"template: :1: unexpected {{{{{end}}}}}")
    return nodes


class _Blocks:
    """The outer level: text, actions, and blocks that end with `else` or `end`."""

    def __init__(self, found: list[Piece]) -> None:
        self._pieces = found
        self._at = 0
        self._else_if: list[Token] | None = None

    def nodes(self, ends: tuple[str, ...]) -> tuple[Template, str]:
        """Nodes up to one of `ends`, and which it was ("" = the end of the template)."""
        found: list[Node] = []
        while self._at < len(self._pieces):
            text, tokens = self._pieces[self._at]
            self._at += 1
            if tokens is None:
                if text:
                    found.append(Text(text))
                continue
            if not tokens:
                continue
            word = tokens[0].text if tokens[0].kind == "word" else ""
            if word in ("end", "else"):
                if word not in ends:
                    raise TemplateError(f"template: :{tokens[0].place.line}: unexpected {{{{{word}}}}}")
                self._else_if = tokens[1:] or None
                return tuple(found), word
            found.append(self._node(word, tokens))
        if ends:
            raise TemplateError("template: :1: unexpected EOF")
        return tuple(found), ""

    def _node(self, word: str, tokens: list[Token]) -> Node:
        if word in ("if", "with", "range"):
            return self._block(word, tokens)
        if word in ("break", "continue"):
            return Jump(word)
        if word in ("define", "template", "block"):
            raise TemplateError(f"template: :{tokens[0].place.line}: {word} is not supported here")
        return Action(_Words(tokens).pipeline())

    def _block(self, word: str, tokens: list[Token]) -> Node:
        if len(tokens) < 2:
            raise TemplateError(f"template: :{tokens[0].place.line}: missing value for {word}")
        pipeline = _Words(tokens[1:]).pipeline()
        then, end = self.nodes(("end", "else"))
        otherwise: Template = ()
        if end == "else":
            rest = self._else_if
            if rest:
                otherwise = (self._block(rest[0].text, rest),)
            else:
                otherwise, _ = self.nodes(("end",))
        if word == "range":
            return Range(pipeline, then, otherwise, tokens[1].place)
        return If(pipeline, then, otherwise, word == "with")


class _Words:
    """The inner level: one action's pipeline."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def _peek(self, ahead: int = 0) -> Token | None:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _is(self, text: str, ahead: int = 0) -> bool:
        token = self._peek(ahead)
        return token is not None and token.text == text and token.kind in ("punctuation", "declare")

    def pipeline(self, inner: bool = False) -> Pipeline:
        """Commands joined by `|`, with the variables in front of them."""
        variables, assigns = self._variables()
        commands = [self._command()]
        while self._is("|"):
            self._at += 1
            commands.append(self._command())
        token = self._peek()
        if token and not (inner and token.text == ")"):
            raise self._unexpected(token)
        return Pipeline(tuple(commands), variables, assigns)

    def _variables(self) -> tuple[tuple[str, ...], bool]:
        names = []
        ahead = 0
        while (token := self._peek(ahead)) and token.kind == "variable":
            names.append(token.text)
            ahead += 1
            if not self._is(",", ahead):
                break
            ahead += 1
        if names and (self._is(":=", ahead) or self._is("=", ahead)):
            assigns = self._is("=", ahead)
            self._at += ahead + 1
            return tuple(names), assigns
        return (), False

    def _command(self) -> Command:
        words: list[Expression] = []
        first = self._peek()
        while (token := self._peek()) and not (token.kind == "punctuation" and token.text in "|)"):
            words.append(self._operand())
        if first is None or not words:
            line = first.place.line if first else 1
            raise TemplateError(f"template: :{line}: missing value for command")
        return Command(tuple(words), first.place)

    def _operand(self) -> Expression:
        token = self._tokens[self._at]
        base = self._base(token)
        names: list[str] = []
        while (follow := self._peek()) and follow.kind == "field" and not follow.spaced:
            names.append(follow.text[1:])
            self._at += 1
        if not names:
            return base
        text = token.text if token.kind in ("field", "variable") else ""
        place = Place(token.place.line, token.place.column, text + "".join(f".{name}" for name in names))
        if isinstance(base, Path):
            return Path(base.base, (*base.names, *names), place)
        return Path(base, tuple(names), place)

    def _base(self, token: Token) -> Expression:
        self._at += 1
        match token.kind:
            case "field":
                return Path(Dot(token.place), (token.text[1:],), token.place)
            case "dot":
                return Dot(token.place)
            case "variable":
                return Variable(token.text, token.place)
            case "string" | "char":
                return Literal(_unquote(token))
            case "raw":
                return Literal(token.text[1:-1])
            case "number":
                return Literal(_number(token.text))
            case "word" if token.text in _CONSTANTS:
                return Literal(_CONSTANTS[token.text])
            case "word" if token.text in FUNCTIONS:
                return Function(token.text, token.place)
            case "word":
                raise TemplateError(f'template: :{token.place.line}: function "{token.text}" not defined')
            case "punctuation" if token.text == "(":
                inner = self.pipeline(inner=True)
                if not self._is(")"):
                    raise TemplateError(f"template: :{token.place.line}: unclosed left paren")
                self._at += 1
                return inner
        raise self._unexpected(token)

    def _unexpected(self, token: Token) -> TemplateError:
        return TemplateError(f'template: :{token.place.line}: unexpected "{token.text}" in operand')


def _number(text: str) -> int | float:
    whole = text.lower().startswith(("0x", "-0x", "+0x")) or not set(text) & set(".eE")
    return int(text, 0) if whole else float(text)


def _unquote(token: Token) -> str | int:
    try:
        text = str(ast.literal_eval(token.text))
    except (ValueError, SyntaxError):
        raise TemplateError(f"template: :{token.place.line}: invalid syntax") from None
    return ord(text) if token.kind == "char" and len(text) == 1 else text
