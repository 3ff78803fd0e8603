"""`--volume`, `--mount`, `--tmpfs`, `--device`. Pure but for the current folder."""

from __future__ import annotations

import os

from core.cli import values
from core.cli.failure import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

_TRUE_WITHOUT_VALUE = ("readonly", "ro", "volume-nocopy", "bind-nonrecursive")


def volumes(specs: Iterable[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """`-v` as `HostConfig.Binds` (with a source) and `Config.Volumes` (anonymous ones)."""
    binds: list[str] = []
    anonymous: dict[str, dict[str, str]] = {}
    for spec in specs:
        source, colon, rest = spec.partition(":")
        if not colon:
            anonymous[spec] = {}
        elif source.startswith(("./", "../")) or source in (".", ".."):
            binds.append(f"{os.path.abspath(source)}:{rest}")  # noqa: PTH100
        elif source.startswith("~/"):
            binds.append(f"{os.path.expanduser(source)}:{rest}")  # noqa: PTH111
        else:
            binds.append(spec)
    return binds, anonymous


def tmpfs(specs: Iterable[str]) -> dict[str, str]:
    """`--tmpfs PATH[:OPTIONS]` as `HostConfig.Tmpfs`."""
    return {path: options for path, _, options in (spec.partition(":") for spec in specs)}


def mount(text: str) -> dict[str, Any]:
    """One `--mount` as an entry of `HostConfig.Mounts`. Raises ValueError with Docker's words."""
    found: dict[str, Any] = {"Type": "volume"}
    for field in _fields(text):
        key, equals, value = field.partition("=")
        key = key.strip().lower()
        if not equals and key not in _TRUE_WITHOUT_VALUE:
            raise ValueError(f"invalid field '{field}' must be a key=value pair")
        _set(found, key, value if equals else "true", field)
    if not found.get("Type"):
        raise ValueError("type is required")
    if not found.get("Target"):
        raise ValueError("target is required")
    _check_options(found)
    return found


def _set(found: dict[str, Any], key: str, value: str, field: str) -> None:
    match key:
        case "type":
            found["Type"] = value.lower()
        case "source" | "src":
            relative = value.startswith(("./", "../")) or value in (".", "..")
            found["Source"] = os.path.abspath(value) if relative else value  # noqa: PTH100
        case "target" | "dst" | "destination":
            found["Target"] = value
        case "readonly" | "ro":
            found["ReadOnly"] = _parsed(key, value, values.boolean)
        case "bind-propagation":
            found.setdefault("BindOptions", {})["Propagation"] = value.lower()
        case "volume-nocopy":
            found.setdefault("VolumeOptions", {})["NoCopy"] = _parsed(key, value, values.boolean)
        case "volume-label":
            name, _, text = value.partition("=")
            found.setdefault("VolumeOptions", {}).setdefault("Labels", {})[name] = text
        case "tmpfs-size":
            found.setdefault("TmpfsOptions", {})["SizeBytes"] = _parsed(key, value, values.size)
        case "tmpfs-mode":
            found.setdefault("TmpfsOptions", {})["Mode"] = _parsed(key, value, _octal)
        case _:
            raise ValueError(f"unexpected key '{key}' in '{field}'")


def _octal(text: str) -> int:
    return int(text, 8)


def _parsed(key: str, value: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(value)
    except ValueError:
        raise ValueError(f"invalid value for {key}: {value}") from None


def _check_options(found: dict[str, Any]) -> None:
    for options, kind in (("BindOptions", "bind"), ("VolumeOptions", "volume"), ("TmpfsOptions", "tmpfs")):
        if options in found and found["Type"] != kind:
            raise ValueError(f"cannot mix '{kind}-*' options with mount type '{found['Type']}'")


def _fields(text: str) -> list[str]:
    """The comma-separated fields; one in double quotes may hold commas (RFC 4180)."""
    fields, current, quoted = [], "", False
    for char in text:
        if char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            fields.append(current)
            current = ""
        else:
            current += char
    return [*fields, current]


def device(text: str) -> dict[str, str]:
    """`--device HOST[:CONTAINER[:PERMISSIONS]]` as an entry of `HostConfig.Devices`. Raises CommandFailed."""
    host, *rest = text.split(":")
    if len(rest) > 2:
        raise CommandFailed(f"invalid device specification: {text}", 125)
    if len(rest) == 1 and _is_permissions(rest[0]):
        rest = [host, rest[0]]
    inside = rest[0] if rest else host
    permissions = rest[1] if len(rest) > 1 else "rwm"
    if not host.startswith("/") or not inside.startswith("/"):
        raise CommandFailed(f"{host} is not an absolute path", 125)
    if not _is_permissions(permissions):
        raise CommandFailed(f"bad mode specified: {permissions}", 125)
    return {"PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": permissions}


def _is_permissions(text: str) -> bool:
    return bool(text) and len(set(text)) == len(text) and set(text) <= set("rwm")
