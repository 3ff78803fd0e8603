"""JSON for short commands: `json`'s own C code without `json`.

That package imports `re`, and with it `enum` and `functools`: 9 ms, where `ps` as a whole takes 18.
"""

from __future__ import annotations

from _json import encode_basestring, make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SPACE = " \t\n\r"  # RFC 8259, section 2


class _Rules:
    """How `make_scanner` is to take what JSON leaves open: as `json.loads` does."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float


_scan = make_scanner(_Rules())  # type: ignore[arg-type]


def loads(data: bytes) -> Any:
    """The one value in `data`, which is UTF-8. Raises ValueError."""
    text = data.decode().strip(_SPACE)
    value, end = first(text)
    if end != len(text):
        raise ValueError(f"extra data after a JSON value, at character {end}")
    return value


def first(text: str) -> tuple[Any, int]:
    """The value at the beginning of `text`, and where it ends. Raises ValueError."""
    try:
        return _scan(text, 0)
    except StopIteration as error:
        raise ValueError("there is no JSON value") from error


def dumps(value: Any) -> str:
    """`value` as JSON, not limited to ASCII. Raises TypeError for what JSON does not have."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        members = (f"{encode_basestring(name)}: {dumps(member)}" for name, member in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(dumps, value)) + "]"
    raise TypeError(f"{type(value).__name__} is not a thing of JSON")
