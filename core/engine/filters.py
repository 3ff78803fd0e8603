"""Which containers a list asks for: `ps --filter`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from core.engine.ports import parse_exposed
from core.errors import InvalidArgument
from core.model.container import ContainerRecord, HealthStatus, Status

Filters = Mapping[str, Sequence[str]]
Ancestors = Callable[[str], set[str]]
Lookup = Callable[[str], ContainerRecord]

KNOWN = frozenset(
    {"ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name", "network"}
    | {"publish", "since", "status", "volume", "until"}
)


def check(filters: Filters) -> None:
    """Raises InvalidArgument for a filter or value that containers do not have."""
    for name in filters:
        if name not in KNOWN:
            raise InvalidArgument(f"invalid filter '{name}'")
    for value in filters.get("status", ()):
        if value not in set(Status):
            raise InvalidArgument(f"Unrecognised filter value for status: {value}")
    for value in filters.get("health", ()):
        if value not in ("none", *HealthStatus):
            raise InvalidArgument(f"Unrecognised filter value for health: {value}")
    for value in filters.get("exited", ()):
        if not value.lstrip("-").isdigit():
            raise InvalidArgument(f"invalid filter 'exited={value}'")


def select(
    records: Sequence[ContainerRecord],
    filters: Filters,
    *,
    all_states: bool,
    limit: int,
    lookup: Lookup,
    ancestors: Ancestors,
) -> list[ContainerRecord]:
    """The wanted ones of `records` (newest first). `limit` > 0 counts those in any state, as Docker does.

    `lookup` finds a container for before and since; `ancestors` gives the ids of images named by an ancestor.
    """
    check(filters)
    if "status" in filters or limit > 0 or "exited" in filters:
        all_states = True
    images = {ident for value in filters.get("ancestor", ()) for ident in ancestors(value)}
    before = [lookup(value).created for value in filters.get("before", ())]
    since = [lookup(value).created for value in filters.get("since", ())]
    found = []
    for record in records:
        if not all_states and not record.running:
            continue
        if any(record.created >= moment for moment in before) or any(record.created <= moment for moment in since):
            continue
        if "ancestor" in filters and record.image_id not in images:
            continue
        if matches(record, filters):
            found.append(record)
    return found[:limit] if limit > 0 else found


def matches(record: ContainerRecord, filters: Filters) -> bool:
    """Whether a record passes the filters that need nothing but the record."""
    for name, values in filters.items():
        test = _TESTS.get(name)
        if not values or test is None:
            continue
        wanted = all if name == "label" else any
        if not wanted(test(record, value) for value in values):
            return False
    return True


def has_label(labels: Mapping[str, str], value: str) -> bool:
    """Whether `labels` have `key` or `key=value`."""
    key, equals, wanted = value.partition("=")
    return key in labels and (not equals or labels[key] == wanted)


def _by_name(record: ContainerRecord, value: str) -> bool:
    try:
        expression = re.compile(value)
    except re.error as error:
        raise InvalidArgument(f"invalid filter 'name={value}': {error}") from error
    # Docker's names begin with a slash, and people anchor at either.
    return bool(expression.search(record.name) or expression.search(f"/{record.name}"))


def _by_network(record: ContainerRecord, value: str) -> bool:
    mode = record.host_config.network_mode
    name = "bridge" if mode == "default" else mode
    ident = record.endpoint.network_id if record.endpoint else ""
    return value == name or bool(ident and ident.startswith(value))


def _by_volume(record: ContainerRecord, value: str) -> bool:
    return any(value in (point.name, point.destination, point.source) for point in record.mounts)


def _by_publish(record: ContainerRecord, value: str) -> bool:
    ports = record.endpoint.ports if record.endpoint else {}
    return any(
        port in parse_exposed([value]) or value.partition("/")[0] in {host.host_port for host in hosts}
        for port, hosts in ports.items()
        if hosts
    )


_TESTS: dict[str, Callable[[ContainerRecord, str], bool]] = {
    "id": lambda record, value: record.id.startswith(value),
    "name": _by_name,
    "label": lambda record, value: has_label(record.config.labels, value),
    "status": lambda record, value: record.state.status == value,
    "exited": lambda record, value: record.state.status is Status.EXITED and str(record.state.exit_code) == value,
    "health": lambda record, value: value == (record.state.health.status if record.state.health else "none"),
    "network": _by_network,
    "volume": _by_volume,
    "publish": _by_publish,
    "expose": lambda record, value: bool(set(parse_exposed([value])) & set(record.config.exposed_ports)),
    "is-task": lambda record, value: value.lower() in ("false", "0"),
    "isolation": lambda record, value: value in ("", "default"),
}
