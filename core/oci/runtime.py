"""The runtime specification's config.json, as far as Linux and we go. runtime-spec config.md, config-linux.md.

Stdlib only, because the shim and the container's first process read it. `Spec.from_json` is the door: what
has passed it has the right shapes. Sizes are bytes, CPU times microseconds, modes octal numbers.
"""

from __future__ import annotations

import json
import types
import typing
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

from core.errors import InvalidSpec

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class User:
    uid: int = 0
    gid: int = 0
    umask: int | None = None
    additional_gids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsoleSize:
    height: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Names with the CAP_ prefix."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rlimit:
    type: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True)
class Process:
    args: tuple[str, ...] = ()
    cwd: str = "/"
    env: tuple[str, ...] = ()
    terminal: bool = False
    console_size: ConsoleSize | None = None
    user: User = User()
    capabilities: Capabilities | None = None
    rlimits: tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    oom_score_adj: int | None = None


@dataclass(frozen=True, slots=True)
class Root:
    path: str
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Namespace:
    """A new namespace, or with `path` an existing one to join. `type` is the spec's word: `network`, `mount` …"""

    type: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class IdMapping:
    container_id: int = field(metadata={"name": "containerID"})
    host_id: int = field(metadata={"name": "hostID"})
    size: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    path: str
    type: str
    major: int = 0
    minor: int = 0
    file_mode: int | None = None
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """A line of the device cgroup; None = any number."""

    allow: bool
    type: str = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


@dataclass(frozen=True, slots=True)
class Memory:
    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    swappiness: int | None = None
    disable_oom_killer: bool = field(default=False, metadata={"name": "disableOOMKiller"})


@dataclass(frozen=True, slots=True)
class Cpu:
    shares: int | None = None
    quota: int | None = None
    period: int | None = None
    cpus: str = ""
    mems: str = ""


@dataclass(frozen=True, slots=True)
class Pids:
    limit: int = 0


@dataclass(frozen=True, slots=True)
class BlockIO:
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    devices: tuple[DeviceRule, ...] = ()
    memory: Memory | None = None
    cpu: Cpu | None = None
    pids: Pids | None = None
    block_io: BlockIO | None = field(default=None, metadata={"name": "blockIO"})
    unified: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SyscallArg:
    index: int
    value: int
    value_two: int = 0
    op: str = "SCMP_CMP_EQ"


@dataclass(frozen=True, slots=True)
class SyscallRule:
    names: tuple[str, ...]
    action: str
    errno_ret: int | None = None
    args: tuple[SyscallArg, ...] = ()


@dataclass(frozen=True, slots=True)
class Seccomp:
    default_action: str
    default_errno_ret: int | None = None
    architectures: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    syscalls: tuple[SyscallRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Linux:
    namespaces: tuple[Namespace, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    devices: tuple[Device, ...] = ()
    cgroups_path: str = ""
    resources: Resources | None = None
    sysctl: dict[str, str] = field(default_factory=dict)
    seccomp: Seccomp | None = None
    rootfs_propagation: str = ""
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spec:
    """One container, whole."""

    root: Root
    process: Process
    oci_version: str = "1.1.0"
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[Mount, ...] = ()
    linux: Linux = Linux()
    annotations: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, data: bytes) -> Spec:
        """Parse a config.json. Raises InvalidSpec naming the member that is wrong."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise InvalidSpec(f"config.json is not valid JSON: {error}") from error
        return decode(document, cls)

    def to_json(self) -> bytes:
        """The same as a config.json."""
        return json.dumps(encode(self), separators=(",", ":")).encode()


def encode(value: Any) -> Any:
    """A dataclass of this file as plain JSON data, members that have their default left out."""
    if is_dataclass(value) and not isinstance(value, type):
        return {
            _json_name(item): encode(member)
            for item in fields(value)
            if (member := getattr(value, item.name)) not in (None, (), {}, "")
        }
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    return value


def decode(value: Any, kind: type[T], where: str = "config.json") -> T:
    """Plain JSON data as `kind`, strictly; null = not given, unknown members are ignored."""
    return typing.cast(T, _decode(value, kind, where))


_hints: dict[type, dict[str, Any]] = {}


def _json_name(item: Any) -> str:
    name: str = item.metadata.get("name", "")
    if name:
        return name
    head, *tail = str(item.name).split("_")
    return head + "".join(word.title() for word in tail)


def _decode(value: Any, kind: Any, where: str) -> Any:
    if is_dataclass(kind):
        return _decode_struct(value, typing.cast(type, kind), where)
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        inner = next(option for option in typing.get_args(kind) if option is not type(None))
        return None if value is None else _decode(value, inner, where)
    if origin is tuple:
        if not isinstance(value, list):
            raise InvalidSpec(f"{where} must be a list")
        inner = typing.get_args(kind)[0]
        return tuple(_decode(item, inner, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise InvalidSpec(f"{where} must be an object of strings")
        return dict(value)
    if type(value) is not kind:
        raise InvalidSpec(f"{where} must be a {kind.__name__}")
    if kind is str and "\0" in value:
        raise InvalidSpec(f"{where} must not contain a NUL byte")
    return value


def _decode_struct(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, dict):
        raise InvalidSpec(f"{where} must be an object")
    if kind not in _hints:
        _hints[kind] = typing.get_type_hints(kind)
    members = {}
    for item in fields(kind):
        name = _json_name(item)
        if value.get(name) is not None:
            members[item.name] = _decode(value[name], _hints[kind][item.name], f"{where}.{name}")
    try:
        return kind(**members)
    except TypeError as error:
        raise InvalidSpec(f"{where} lacks a member: {error}") from error
