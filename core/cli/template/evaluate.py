"""Runs a template over data that came as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from core.cli.template.display import nil, shown
from core.cli.template.functions import FUNCTIONS, truth
from core.cli.template.nodes import (
    Action,
    Command,
    Dot,
    Expression,
    Function,
    If,
    Jump,
    Literal,
    Nodes,
    Path,
    Pipeline,
    Place,
    Range,
    TemplateError,
    Text,
    Variable,
)

Functions = Mapping[str, Callable[..., Any]]
_NOTHING = object()

# Members that an engine leaves out when they are empty, and that templates ask for nevertheless.
_OPTIONAL = frozenset({
    "Annotations", "ArgsEscaped", "Author", "Comment", "ExposedPorts", "GraphDriver", "Health", "Healthcheck",
    "Init", "MacAddress", "Mounts", "OnBuild", "Options", "Shell", "SizeRootFs", "SizeRw", "StopSignal",
    "StopTimeout", "StorageOpt", "Sysctls", "Tmpfs", "Volumes",
})  # fmt: skip


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


def render(nodes: Nodes, data: Any, functions: Functions = FUNCTIONS) -> str:
    """The text of a template over `data`. Raises TemplateError."""
    run = _Run(data, functions)
    run.all(nodes, data)
    return "".join(run.out)


class _Run:
    def __init__(self, data: Any, functions: Functions) -> None:
        self.out: list[str] = []
        self._functions = functions
        self._variables: list[tuple[str, Any]] = [("$", data)]

    def all(self, nodes: Nodes, dot: Any) -> None:
        """Run nodes in a scope of their own."""
        depth = len(self._variables)
        for node in nodes:
            self._node(node, dot)
        del self._variables[depth:]

    def _node(self, node: Any, dot: Any) -> None:
        match node:
            case Text(text):
                self.out.append(text)
            case Action(pipeline):
                value = self._pipeline(pipeline, dot)
                if not pipeline.variables:
                    self.out.append(nil(_last_name(pipeline)) if value is None else shown(value))
            case If():
                self._if(node, dot)
            case Range():
                self._range(node, dot)
            case Jump("break"):
                raise _Break
            case Jump():
                raise _Continue

    def _if(self, node: If, dot: Any) -> None:
        depth = len(self._variables)
        value = self._pipeline(node.pipeline, dot)
        if truth(value):
            self.all(node.then, value if node.moves_dot else dot)
        else:
            self.all(node.otherwise, dot)
        del self._variables[depth:]

    def _range(self, node: Range, dot: Any) -> None:
        depth = len(self._variables)
        bare = node.pipeline._replace(variables=())
        pairs = list(_pairs(self._pipeline(bare, dot), node.place))
        names = node.pipeline.variables
        try:
            for key, value in pairs:
                del self._variables[depth:]
                if names:
                    self._variables += zip(names, (key, value) if len(names) > 1 else (value,), strict=True)
                try:
                    self.all(node.body, value)
                except _Continue:
                    continue
        except _Break:
            pass
        del self._variables[depth:]
        if not pairs:
            self.all(node.otherwise, dot)

    def _pipeline(self, pipeline: Pipeline, dot: Any) -> Any:
        value: Any = _NOTHING
        for command in pipeline.commands:
            value = self._command(command, dot, value)
        for name in pipeline.variables:
            if pipeline.assigns:
                self._assign(name, value)
            else:
                self._variables.append((name, value))
        return value

    def _assign(self, name: str, value: Any) -> None:
        for at in range(len(self._variables) - 1, -1, -1):
            if self._variables[at][0] == name:
                self._variables[at] = (name, value)
                return
        raise TemplateError(f'template: :1: undefined variable "{name}"')

    def _command(self, command: Command, dot: Any, piped: Any) -> Any:
        first, *rest = command.words
        arguments = [self._value(word, dot) for word in rest]
        if piped is not _NOTHING:
            arguments.append(piped)
        if isinstance(first, Function):
            return self._call(self._functions[first.name], arguments, first.name, first.place)
        value = self._value(first, dot)
        if callable(value):  # a method such as `.Label "name"`
            return self._call(value, arguments, command.place.text, command.place)
        if arguments:
            raise _failed(command.place, f"can't give argument to non-function {command.place.text}")
        return value

    def _call(self, function: Callable[..., Any], arguments: Sequence[Any], name: str, place: Place) -> Any:
        try:
            return function(*arguments)
        except TypeError:
            message = f"wrong number or type of args for {name}: got {len(arguments)}"
            raise _failed(place, message) from None
        except (ValueError, AttributeError) as error:
            raise _failed(place, f"error calling {name}: {error}") from None

    def _value(self, word: Expression, dot: Any) -> Any:
        match word:
            case Literal(value):
                return value
            case Dot():
                return dot
            case Variable(name, place):
                for known, value in reversed(self._variables):
                    if known == name:
                        return value
                raise TemplateError(f'template: :{place.line}: undefined variable "{name}"')
            case Path(base, names, place):
                value = self._value(base, dot)
                for name in names:
                    value = field(value, name, place)
                return value
            case Pipeline():
                return self._pipeline(word, dot)
            case Function(name, place):
                return self._call(self._functions[name], (), name, place)


def _last_name(pipeline: Pipeline) -> str:
    """The member that a pipeline of nothing but a path asks for, else ""."""
    match pipeline.commands:
        case (Command((Path(names=names),)),):
            return names[-1]
    return ""


def field(value: Any, name: str, place: Place) -> Any:
    """A member of a JSON object, by its name or, as Go's fields have it, by the name in other case (`ID` for `Id`).

    Raises TemplateError when there is none.
    """
    if isinstance(value, Mapping):
        if name in value:
            return value[name]
        folded = [key for key in value if isinstance(key, str) and key.lower() == name.lower()]
        if len(folded) == 1 and folded[0][:1].isupper():
            return value[folded[0]]
        if value and all(key[:1].islower() for key in value):  # a map such as labels: what it lacks is nothing
            return None
        if name in _OPTIONAL:
            return None
        raise _failed(place, f'map has no entry for key "{name}"')
    if value is None:
        raise _failed(place, f'nil data; no entry for key "{name}"')
    raise _failed(place, f"can't evaluate field {name} in type {_kind(value)}")


def _kind(value: Any) -> str:
    return {str: "string", bool: "bool", int: "int", float: "float64"}.get(type(value), "[]interface {}")


def _pairs(value: Any, place: Place) -> Iterable[tuple[Any, Any]]:
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return enumerate(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return ((number, number) for number in range(value))
    raise _failed(place, f"range can't iterate over {shown(value)}")


def _failed(place: Place, message: str) -> TemplateError:
    return TemplateError(f'template: :{place.line}:{place.column}: executing "" at <{place.text}>: {message}')
