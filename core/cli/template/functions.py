"""The functions a template may call: Go's own and those Docker adds. They raise ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from core.cli.template.display import go_json, shown

_VERB = re.compile(r"%(?P<flags>[-+# 0]*)(?P<width>\d+)?(?:\.(?P<precision>\d+))?(?P<verb>[a-zA-Z%])")


def truth(value: Any) -> bool:
    """Whether Go takes a value for true: not false, 0, nil or empty."""
    return bool(value)


def _and(*values: Any) -> Any:
    return next((value for value in values if not truth(value)), values[-1])


def _or(*values: Any) -> Any:
    return next((value for value in values if truth(value)), values[-1])


def index(value: Any, *keys: Any) -> Any:
    """`index X 1 "a"` is X[1]["a"]; a key that a map lacks gives nothing."""
    for key in keys:
        if value is None:
            raise ValueError("index of untyped nil")
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence):
            if not isinstance(key, int) or isinstance(key, bool):
                raise ValueError(f"cannot index slice/array with type {_type(key)}")
            if not 0 <= key < len(value):
                raise ValueError(f"index out of range: {key}")
            value = value[key]
        else:
            raise ValueError(f"can't index item of type {_type(value)}")
    return value


def _slice(value: Any, *ends: int) -> Any:
    if not isinstance(value, Sequence):
        raise ValueError(f"can't slice item of type {_type(value)}")
    low, high = (*ends, *(0, len(value))[len(ends) :])[:2]
    if not 0 <= low <= high <= len(value):
        raise ValueError(f"index out of range: {high}")
    return value[low:high]


def _len(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Sequence | Mapping):
        return len(value)
    raise ValueError(f"len of type {_type(value)}" if value is not None else "len of nil pointer")


def _type(value: Any) -> str:
    names = {bool: "bool", int: "int", float: "float64", str: "string", list: "[]interface {}"}
    return "nil" if value is None else names.get(type(value), "map[string]interface {}")


def printf(template: str, *values: Any) -> str:
    """Go's fmt.Sprintf for the verbs that matter in a template."""
    rest = list(values)

    def one(match: re.Match[str]) -> str:
        verb = match["verb"]
        if verb == "%":
            return "%"
        if not rest:
            return f"%!{verb}(MISSING)"
        text = _formatted(rest.pop(0), verb, match["precision"], "+" in match["flags"])
        width = int(match["width"] or 0)
        if "-" in match["flags"]:
            return text.ljust(width)
        return text.rjust(width, "0" if "0" in match["flags"] and verb in "dfxX" else " ")

    return _VERB.sub(one, template)


def _formatted(value: Any, verb: str, precision: str | None, plus: bool) -> str:
    match verb:
        case "d" if isinstance(value, int | float):
            return f"{int(value):+d}" if plus else str(int(value))
        case "f" | "e" | "g" if isinstance(value, int | float):
            return f"{float(value):{'+' if plus else ''}.{precision or 6}{verb}}"
        case "x" | "X" if isinstance(value, int):
            return f"{value:{verb}}"
        case "q":
            return quoted(shown(value))
        case "t" if isinstance(value, bool):
            return shown(value)
        case "s" | "v":
            text = shown(value)
            return text[: int(precision)] if precision is not None else text
        case "T":
            return _type(value)
    return f"%!{verb}({_type(value)}={shown(value)})"


def quoted(text: str) -> str:
    """Go's strconv.Quote."""
    named = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char in named:
            out.append(named[char])
        elif char.isprintable():
            out.append(char)
        else:
            code = ord(char)
            out.append(
                f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
            )
    return '"' + "".join(out) + '"'


def _joined(values: Sequence[Any], between: str) -> str:
    return between.join(shown(value) for value in values)


def _print(*values: Any) -> str:
    out = ""
    for at, value in enumerate(values):
        both_numbers = at and not isinstance(value, str) and not isinstance(values[at - 1], str)
        out += (" " if both_numbers else "") + shown(value)
    return out


def _compare(act: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        if isinstance(left, str) != isinstance(right, str):
            raise ValueError("incompatible types for comparison")
        try:
            return act(left, right)
        except TypeError:
            raise ValueError("invalid type for comparison") from None

    return compare


def _equal(left: Any, *others: Any) -> bool:
    if not others:
        raise ValueError("missing argument for comparison")
    for other in others:
        simple = left is not None and other is not None
        if simple and isinstance(left, str | bool) and type(left) is not type(other):
            raise ValueError("incompatible types for comparison")
    return any(left == other for other in others)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": _and,
    "eq": _equal,
    "ge": _compare(lambda left, right: left >= right),
    "gt": _compare(lambda left, right: left > right),
    "html": lambda *values: _print(*values).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    "index": index,
    "join": _joined,
    "json": go_json,
    "le": _compare(lambda left, right: left <= right),
    "len": _len,
    "lower": lambda text: str(text).lower(),
    "lt": _compare(lambda left, right: left < right),
    "ne": lambda left, right: not _equal(left, right),
    "not": lambda value: not truth(value),
    "or": _or,
    "pad": lambda text, before, after: " " * before + text + " " * after if text else text,
    "print": _print,
    "printf": printf,
    "println": lambda *values: " ".join(shown(value) for value in values) + "\n",
    "slice": _slice,
    "split": lambda text, between: str(text).split(between) if between else list(str(text)),
    "title": lambda text: re.sub(r"(^|\s)(\w)", lambda match: match[1] + match[2].upper(), str(text)),
    "truncate": lambda text, length: str(text)[:length] if length > 0 else str(text),
    "upper": lambda text: str(text).upper(),
    "urlquery": lambda *values: quote_plus(_print(*values)),
}
