"""JSON <-> model where Docker's wire differs from plain structs."""

from __future__ import annotations

import datetime
import time
from typing import Any

import msgspec

from core.errors import EngineError, InvalidArgument
from core.model.container import ContainerConfig, ExecConfig, HostConfig
from core.model.events import Event, Progress
from core.oci.document import convert, encode

API_VERSION = "1.47"
MINIMUM_API_VERSION = "1.24"
_INT64 = 1 << 63
_LAST_SECOND = 253402300799  # of the year 9999, after which RFC 3339 has no words


def error_body(error: EngineError) -> bytes:
    """The body that tells a client of `error`; its status is `error.status`.

    A message is one line, whatever a request or an image has put into it: it ends on somebody's terminal.
    """
    return encode({"message": one_line(error.message)})


def one_line(text: str) -> str:
    """`text` with its control characters written as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class CreateRequest(msgspec.Struct, frozen=True):
    """What POST /containers/create asks for. `networks` are the names in NetworkingConfig.EndpointsConfig."""

    config: ContainerConfig
    host: HostConfig
    networks: tuple[str, ...] = ()


def parse_object(body: bytes, *, what: str, optional: bool = False) -> dict[str, Any]:
    """A body that must be one JSON object. Raises InvalidArgument."""
    if not body and optional:
        return {}
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"{what} is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidArgument(f"{what} must be a JSON object")
    _check_values(document, what)
    return document


def _check_values(value: Any, what: str) -> None:
    """Refuse what JSON can say and neither the kernel nor SQLite can: numbers beyond 64 bits, NUL in a text."""
    if isinstance(value, dict):
        for name, member in value.items():
            _check_values(name, what)
            _check_values(member, what)
    elif isinstance(value, list):
        for item in value:
            _check_values(item, what)
    elif isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise InvalidArgument(f"{what} is not acceptable: {str(value)[:24]} is out of range")
    elif isinstance(value, str) and "\0" in value:
        raise InvalidArgument(f"{what} is not acceptable: {value[:80]!r} holds a NUL byte")


def parse_create(body: bytes) -> CreateRequest:
    """Parse the body of a create request. Raises InvalidArgument naming what is wrong."""
    document = parse_object(body, what="create request")
    host = _member(document, "HostConfig")
    networking = _member(document, "NetworkingConfig")
    for member in ("Cmd", "Entrypoint"):
        document[member] = _words(document.get(member))
    endpoints = networking.get("EndpointsConfig") or {}
    policy = host.get("RestartPolicy")
    if isinstance(policy, dict) and policy.get("Name") == "":
        policy["Name"] = "no"
    log = host.get("LogConfig")
    if isinstance(log, dict) and not log.get("Type"):
        log["Type"] = "json-file"
    bindings = host.get("PortBindings")
    if isinstance(bindings, dict):
        host["PortBindings"] = {port: hosts for port, hosts in bindings.items() if hosts}
    if host.get("NetworkMode") == "":
        del host["NetworkMode"]
    return CreateRequest(
        convert(document, ContainerConfig, what="create request"),
        convert(host, HostConfig, what="create request's HostConfig"),
        tuple(endpoints) if isinstance(endpoints, dict) else (),
    )


def _member(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Take an object out of a request; null = empty."""
    value = document.pop(name, None)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidArgument(f"create request is not acceptable: {name} must be an object")
    return value


def parse_exec(body: bytes) -> ExecConfig:
    """Parse the body of an exec request. Raises InvalidArgument naming what is wrong."""
    document = parse_object(body, what="exec request")
    document["Cmd"] = _words(document.get("Cmd"))
    return convert(document, ExecConfig, what="exec request")


def _words(value: Any) -> Any:
    """Docker's strslice: a list, or one string that stands for a list of one."""
    return [value] if isinstance(value, str) else value


def parse_filters(text: str) -> dict[str, tuple[str, ...]]:
    """The `filters` query: `{"status": ["exited"]}`, or Docker's old `{"status": {"exited": true}}`.

    Raises InvalidArgument.
    """
    if not text:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for name, values in parse_object(text.encode(), what="filters").items():
        if isinstance(values, dict):
            values = [value for value, wanted in values.items() if wanted]
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InvalidArgument(f"invalid filter {name!r}: must be a list of strings")
        found[name] = tuple(values)
    return found


def timestamp(time_ns: int) -> str:
    """Nanoseconds since the epoch as Docker writes times: RFC 3339 in UTC, trailing zeros cut."""
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    fraction = f"{nanoseconds:09d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def parse_timestamp(text: str) -> int:
    """Nanoseconds since the epoch from RFC 3339 or `SECONDS[.NANOSECONDS]`. Raises InvalidArgument."""
    whole, _, fraction = text.partition(".")
    if whole.isascii() and whole.removeprefix("-").isdecimal() and (fraction or "0").isdecimal():
        if len(whole) > 13 or abs(int(whole)) > _LAST_SECOND:
            raise InvalidArgument(f"invalid time {text[:80]!r}")
        return int(whole) * 1_000_000_000 + int((fraction + "0" * 9)[:9])
    digits = ""
    if fraction:
        digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
        whole, fraction = whole, fraction[len(digits) :]
    try:
        moment = datetime.datetime.fromisoformat(whole + (fraction or ""))
    except ValueError as error:
        raise InvalidArgument(f"invalid time {text!r}") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return int(moment.timestamp()) * 1_000_000_000 + int((digits + "0" * 9)[:9])


def event_json(event: Event, *, legacy: bool = True) -> dict[str, Any]:
    """An event as a line of `GET /events`; `legacy` adds the members that old clients read."""
    document: dict[str, Any] = {
        "Type": event.type,
        "Action": event.action,
        "Actor": {"ID": event.id, "Attributes": event.attributes},
        "scope": "local",
        "time": event.time_ns // 1_000_000_000,
        "timeNano": event.time_ns,
    }
    if legacy and event.type in ("container", "image"):
        old = {"status": event.action, "id": event.id}
        if event.type == "container":
            old["from"] = event.attributes.get("image", "")
        document = {**old, **document}
    return document


_HEADING = "Pulling from "
_WAITING = frozenset(("Preparing", "Waiting", "Pulling fs layer"))


def progress_json(progress: Progress) -> dict[str, Any]:
    """A step of long work as a line of a progress stream.

    Docker's client keeps the lines of things in place only as long as each of them has a `progressDetail`, if an
    empty one; a heading has none (cli, jsonstream). Off a terminal it leaves out lines with figures: what has not
    begun has its bytes in `size`, which only our own clients read.
    """
    line: dict[str, Any] = {"status": progress.status}
    if progress.id:
        line["id"] = progress.id
    if progress.status in _WAITING:
        line["progressDetail"] = {}
        if progress.total:
            line["size"] = progress.total
    elif progress.current or progress.total:
        line["progressDetail"] = {"current": progress.current, "total": progress.total}
    elif progress.id and not progress.status.startswith(_HEADING):
        line["progressDetail"] = {}
    return line


def json_line(value: Any) -> bytes:
    """`value` as one line of a JSON stream."""
    return encode(value) + b"\r\n"
