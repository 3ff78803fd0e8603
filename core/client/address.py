"""Where an engine listens, and the targets of its API. Short commands pay for its imports."""

from __future__ import annotations

import os

from core.client import jsontext
from core.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

DEFAULT_RUN = "/run/onggi"  # `core.paths` says the same, but costs a short command 20 ms of imports
TCP_PORT = 2375

Value: TypeAlias = "str | int | bool | Sequence[str] | Mapping[str, object] | None"
Query: TypeAlias = "Mapping[str, Value]"

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")  # RFC 3986, 2.3


def default_host() -> str:
    """The socket of this machine's own engine: `ONGGI_RUN`/engine.sock."""
    run = os.environ.get("ONGGI_RUN") or DEFAULT_RUN
    return f"unix://{os.path.abspath(run)}/engine.sock"  # noqa: PTH100


def chosen_host(asked: str | None) -> str:
    """`--host`, else `ONGGI_HOST`, else the default."""
    return asked or os.environ.get("ONGGI_HOST") or default_host()


def parse_host(host: str) -> str | tuple[str, int]:
    """The path of a `unix://` host, or address and port of a `tcp://` one. Raises InvalidArgument."""
    if host.startswith("unix://"):
        path = host.removeprefix("unix://")
        if path.startswith("/"):
            return path
    elif host.startswith("/"):
        return host
    elif host.startswith("tcp://"):
        name, _, port = host.removeprefix("tcp://").rstrip("/").rpartition(":")
        if not name and not port.isdigit():
            name, port = port, str(TCP_PORT)
        if name and port.isdigit() and int(port) < 65536:
            return name.strip("[]"), int(port)
    raise InvalidArgument(f"invalid host {host!r}: expected unix:///path or tcp://address:port")


def quote(text: str) -> str:
    """`text` percent-encoded for one part of a path or query."""
    data = text.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in data)


def _values(value: Value) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["1" if value else "0"]
    if isinstance(value, str | int):
        return [str(value)]
    if isinstance(value, list | tuple):
        return list(value)
    return [jsontext.dumps(value)] if value else []


def target(path: str, query: Query | None = None) -> str:
    """A request target. None is left out, booleans become 1 and 0, mappings JSON, sequences repeat the name."""
    pairs = [f"{quote(name)}={quote(text)}" for name, value in (query or {}).items() for text in _values(value)]
    return f"{path}?{'&'.join(pairs)}" if pairs else path
