"""The parts of a parsed template (pkg.go.dev/text/template, text/template/parse)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias


class TemplateError(Exception):
    """A template does not parse or cannot be evaluated; the message has Go's form, with line and column."""


class Place(NamedTuple):
    """Where in the template, for error texts: line and column as Go counts them, and the text there."""

    line: int
    column: int
    text: str


class Literal(NamedTuple):
    value: Any


class Path(NamedTuple):
    """Fields of something: `.A.B` (base Dot), `$x.A` (base Variable), `(…).A` (base Pipeline)."""

    base: Expression
    names: tuple[str, ...]
    place: Place


class Dot(NamedTuple):
    place: Place


class Variable(NamedTuple):
    name: str
    place: Place


class Function(NamedTuple):
    name: str
    place: Place


class Command(NamedTuple):
    """One stage of a pipeline: an operand, or a function (or method) with arguments."""

    words: tuple[Expression, ...]
    place: Place


class Pipeline(NamedTuple):
    """`commands` from left to right; the result is also bound to `variables` (declared unless `assigns`)."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...]
    assigns: bool


class Text(NamedTuple):
    text: str


class Action(NamedTuple):
    pipeline: Pipeline


class If(NamedTuple):
    """`with` is an `if` that also moves the dot."""

    pipeline: Pipeline
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    moves_dot: bool


class Range(NamedTuple):
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    place: Place


class Jump(NamedTuple):
    """`break` or `continue`."""

    word: str


Expression: TypeAlias = Literal | Path | Dot | Variable | Function | Pipeline
Node: TypeAlias = Text | Action | If | Range | Jump
Nodes: TypeAlias = Sequence[Node]
