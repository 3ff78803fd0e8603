"""Values as Go prints them (`fmt`, verb %v) and as Go writes JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

NO_VALUE = "<no value>"

# JSON's null is a nil slice, map or pointer, which Go prints in three ways; most of Docker's nulls are slices.
_NIL_POINTERS = frozenset({
    "Health", "Healthcheck", "IPAMConfig", "Init", "MemorySwappiness", "OomKillDisable", "PidsLimit", "StopTimeout",
})  # fmt: skip
_NIL_MAPS = frozenset({
    "Annotations", "DriverOpts", "ExposedPorts", "Labels", "Options", "PortBindings", "StorageOpt", "Sysctls",
    "Tmpfs", "Volumes",
})  # fmt: skip


def shown(value: Any) -> str:
    """What an action prints."""
    return NO_VALUE if value is None else _plain(value)


def nil(name: str) -> str:
    """What a member that is null prints."""
    if not name[:1].isupper():
        return NO_VALUE
    return "<nil>" if name in _NIL_POINTERS else "map[]" if name in _NIL_MAPS else "[]"


def _member(name: object, value: Any, *, of_map: bool) -> str:
    if value is None:
        return nil(str(name))
    if of_map and isinstance(value, Mapping) and not value:
        return "{}"  # the members of ExposedPorts and Volumes are empty structs
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return go_float(value)
    if isinstance(value, Mapping):
        if value and all(isinstance(name, str) and name[:1].isupper() for name in value):
            # JSON does not tell a struct from a map; the API's structs are the ones with capital names
            return "{" + " ".join(_member(name, item, of_map=False) for name, item in value.items()) + "}"
        return (
            "map[" + " ".join(f"{name}:{_member(name, value[name], of_map=True)}" for name in sorted(value)) + "]"
        )
    if isinstance(value, list | tuple):
        return "[" + " ".join(_plain(item) for item in value) + "]"
    return str(value)


def go_float(value: float) -> str:
    """A float as Go's %v: the shortest digits, an exponent from 1e21 on."""
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    sign = "-" if exponent.startswith("-") else "+"
    return f"{mantissa}e{sign}{int(exponent.lstrip('+-')):02d}"


def go_json(value: Any, *, escape_html: bool = False) -> str:
    """Compact JSON; with `escape_html` as Go's json.Marshal writes it, `<`, `>` and `&` escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if escape_html:
        text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
