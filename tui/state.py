"""What the app knows of the engine: frozen view models by id, and the pure functions that read the engine's JSON.

Every string here is still foreign; it becomes text on the screen only through `tui.safe`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tui.text import parse_time

Json = Mapping[str, Any]

PROJECT_LABEL: Final = "com.docker.compose.project"
SERVICE_LABEL: Final = "com.docker.compose.service"
_STOP_CODES: Final = (0, 137, 143)  # SIGKILL and SIGTERM are how stop ends a container


@dataclass(frozen=True, slots=True)
class Port:
    """One container port and, where `public` is not 0, its place on the host."""

    private: int
    protocol: str = "tcp"
    public: int = 0
    address: str = ""


@dataclass(frozen=True, slots=True)
class Container:
    """One container. Times are seconds since the epoch, 0 = never; `status` is Docker's word."""

    id: str
    name: str
    image: str
    image_id: str = ""
    status: str = "created"
    health: str = ""
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    ports: tuple[Port, ...] = ()
    created: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    paused: float = 0.0
    again: float = 0.0
    """When it is started again, of one that restarts."""
    restarts: int = 0
    restart_policy: str = "no"
    command: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    address: str = ""
    pid: int = 0
    tty: bool = False
    stdin: bool = False
    auto_remove: bool = False
    whole: bool = False
    """False while only the list has been read, which lacks times and codes."""

    @property
    def up(self) -> bool:
        """It has a process: running or paused."""
        return self.status in ("running", "paused")

    @property
    def alive(self) -> bool:
        """It has a process or is about to have one again."""
        return self.up or self.status == "restarting"

    @property
    def failed(self) -> bool:
        """It went wrong, as opposed to having ended or been stopped."""
        if self.status != "exited":
            return self.status == "created" and bool(self.error)
        return self.oom_killed or bool(self.error) or self.exit_code not in _STOP_CODES

    @property
    def project(self) -> str:
        return self.labels.get(PROJECT_LABEL, "")


@dataclass(frozen=True, slots=True)
class Image:
    """One tag of an image, or one image without a tag, told apart by `key`; `shared` = bytes others have too."""

    key: str
    id: str
    reference: str
    size: int = 0
    created: float = 0.0
    shared: int = 0

    @property
    def short_id(self) -> str:
        return self.id.removeprefix("sha256:")[:12]

    @property
    def name(self) -> str:
        """What a command would call it."""
        return self.reference or self.short_id


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume; `size` is -1 where the engine did not say."""

    name: str
    mountpoint: str = ""
    created: float = 0.0
    size: int = -1

    @property
    def anonymous(self) -> bool:
        return len(self.name) == 64 and all(c in "0123456789abcdef" for c in self.name)


@dataclass(frozen=True, slots=True)
class Network:
    """One network."""

    id: str
    name: str
    driver: str = ""
    subnet: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container takes now: cpu in per cent of one core, memory in bytes (limit 0 = none)."""

    cpu: float = 0.0
    memory: int = 0
    limit: int = 0
    pids: int = 0
    rx: int = 0
    tx: int = 0
    read: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """Everything the lists show. A change makes a new World; rows are found by id, never by number."""

    containers: Mapping[str, Container] = field(default_factory=dict)
    images: tuple[Image, ...] = ()
    volumes: tuple[Volume, ...] = ()
    networks: tuple[Network, ...] = ()
    usage: Mapping[str, Usage] = field(default_factory=dict)
    loaded: bool = False

    def with_container(self, one: Container) -> World:
        """This world with `one` in place of what had its id."""
        return replace(self, containers={**self.containers, one.id: one})

    def without_container(self, container_id: str) -> World:
        """This world without that container and its figures."""
        kept = {key: value for key, value in self.containers.items() if key != container_id}
        usage = {key: value for key, value in self.usage.items() if key != container_id}
        return replace(self, containers=kept, usage=usage)

    def image_users(self, image_id: str) -> tuple[Container, ...]:
        return tuple(c for c in self.containers.values() if c.image_id == image_id)

    def volume_users(self, name: str) -> tuple[Container, ...]:
        return tuple(c for c in self.containers.values() if name in c.volumes)

    def network_users(self, name: str) -> tuple[Container, ...]:
        return tuple(c for c in self.containers.values() if name in c.networks)

    def projects(self) -> dict[str, tuple[Container, ...]]:
        """Containers by the project their labels name, in order of name."""
        found: dict[str, list[Container]] = {}
        for one in self.containers.values():
            if one.project:
                found.setdefault(one.project, []).append(one)
        return {name: tuple(found[name]) for name in sorted(found)}


def container_of_list(entry: Json) -> Container:
    """A container from one entry of `GET /containers/json`, which lacks times, codes and health."""
    names = entry.get("Names") or ()
    networks = (entry.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=str(entry.get("Id", "")),
        name=_name(names),
        image=str(entry.get("Image", "")),
        image_id=str(entry.get("ImageID", "")),
        status=str(entry.get("State", "")),
        ports=_ports_of_list(entry.get("Ports") or ()),
        created=float(entry.get("Created") or 0),
        labels=_strings(entry.get("Labels")),
        volumes=_volumes(entry.get("Mounts") or ()),
        networks=tuple(networks),
        address=_address(networks),
    )


def container_of_inspect(entry: Json) -> Container:
    """A container from `GET /containers/ID/json`."""
    state, config, host = entry.get("State") or {}, entry.get("Config") or {}, entry.get("HostConfig") or {}
    settings = entry.get("NetworkSettings") or {}
    networks = settings.get("Networks") or {}
    policy, moments = host.get("RestartPolicy") or {}, entry.get("Onggi") or {}
    retries = int(policy.get("MaximumRetryCount") or 0)
    return Container(
        id=str(entry.get("Id", "")),
        name=str(entry.get("Name", "")).removeprefix("/"),
        image=str(config.get("Image") or entry.get("Image", "")),
        image_id=str(entry.get("Image", "")),
        status=str(state.get("Status", "")),
        health=str((state.get("Health") or {}).get("Status") or "").replace("none", ""),
        exit_code=int(state.get("ExitCode") or 0),
        error=str(state.get("Error") or ""),
        oom_killed=bool(state.get("OOMKilled")),
        ports=_ports_of_inspect(settings.get("Ports") or {}, config.get("ExposedPorts") or {}),
        created=parse_time(str(entry.get("Created", ""))),
        started=parse_time(str(state.get("StartedAt", ""))),
        finished=parse_time(str(state.get("FinishedAt", ""))),
        paused=parse_time(str(moments.get("PausedAt", ""))),
        again=parse_time(str(moments.get("RestartsAt", ""))),
        restarts=int(entry.get("RestartCount") or 0),
        restart_policy=str(policy.get("Name") or "no") + (f":{retries}" if retries else ""),
        command=tuple(str(word) for word in (entry.get("Path"), *(entry.get("Args") or ())) if word is not None),
        labels=_strings(config.get("Labels")),
        volumes=_volumes(entry.get("Mounts") or ()),
        networks=tuple(networks),
        address=_address(networks),
        pid=int(state.get("Pid") or 0),
        tty=bool(config.get("Tty")),
        stdin=bool(config.get("OpenStdin")),
        auto_remove=bool(host.get("AutoRemove")),
        whole=True,
    )


def images_of_list(entries: Sequence[Json]) -> tuple[Image, ...]:
    """One row a tag from `GET /images/json`, named ones first, then by name."""
    rows: list[Image] = []
    for entry in entries:
        found = str(entry.get("Id", ""))
        tags = [str(tag) for tag in entry.get("RepoTags") or () if tag != "<none>:<none>"]
        digests = [str(d) for d in entry.get("RepoDigests") or () if not str(d).startswith("<none>")]
        size, created = int(entry.get("Size") or 0), float(entry.get("Created") or 0)
        shared = max(0, int(entry.get("SharedSize") or 0))  # -1: the engine did not count
        names = tags or digests[:1] or [""]
        rows += [Image(f"{found} {name}", found, name, size, created, shared) for name in names]
    return tuple(sorted(rows, key=lambda row: (not row.reference, row.reference, row.id)))


def volumes_of_list(answer: Json) -> tuple[Volume, ...]:
    """The rows of `GET /volumes`, named ones before anonymous ones."""
    rows = [
        Volume(
            name=str(entry.get("Name", "")),
            mountpoint=str(entry.get("Mountpoint", "")),
            created=parse_time(str(entry.get("CreatedAt", ""))),
            size=int((entry.get("UsageData") or {}).get("Size", -1)),
        )
        for entry in answer.get("Volumes") or ()
    ]
    return tuple(sorted(rows, key=lambda row: (row.anonymous, row.name)))


def networks_of_list(entries: Sequence[Json]) -> tuple[Network, ...]:
    """The rows of `GET /networks`: bridge first, host and none last."""
    rows = []
    for entry in entries:
        pools: Sequence[Json] = (entry.get("IPAM") or {}).get("Config") or ({},)
        rows.append(
            Network(
                id=str(entry.get("Id", "")),
                name=str(entry.get("Name", "")),
                driver=str(entry.get("Driver", "")),
                subnet=str(pools[0].get("Subnet", "")) if pools else "",
            )
        )
    last = ("host", "none")
    return tuple(sorted(rows, key=lambda row: (row.name in last, row.name != "bridge", row.name)))


def _name(names: Sequence[str]) -> str:
    """The container's own name: links add names with a second slash."""
    own = [str(name).removeprefix("/") for name in names if str(name).count("/") <= 1]
    return own[0] if own else ""


def _strings(labels: Json | None) -> dict[str, str]:
    return {str(key): str(value) for key, value in (labels or {}).items()}


def _volumes(mounts: Sequence[Json]) -> tuple[str, ...]:
    return tuple(str(m.get("Name")) for m in mounts if m.get("Type") == "volume" and m.get("Name"))


def _address(networks: Json) -> str:
    for endpoint in networks.values():
        if endpoint and endpoint.get("IPAddress"):
            return str(endpoint["IPAddress"])
    return ""


def _ports_of_list(entries: Sequence[Json]) -> tuple[Port, ...]:
    found = [
        Port(
            int(entry.get("PrivatePort") or 0),
            str(entry.get("Type") or "tcp"),
            int(entry.get("PublicPort") or 0),
            str(entry.get("IP") or ""),
        )
        for entry in entries
    ]
    return _unique(found)


def _ports_of_inspect(bound: Json, exposed: Json) -> tuple[Port, ...]:
    found: list[Port] = []
    for key in [*bound, *(key for key in exposed if key not in bound)]:
        number, _, protocol = str(key).partition("/")
        if not number.isdecimal():
            continue
        bindings: Sequence[Json] = bound.get(key) or ({},)
        for binding in bindings:
            public = str(binding.get("HostPort") or "0")
            host = int(public) if public.isdecimal() else 0
            found.append(Port(int(number), protocol or "tcp", host, str(binding.get("HostIp") or "")))
    return _unique(found)


def _unique(ports: Sequence[Port]) -> tuple[Port, ...]:
    """Published ones first; the IPv6 twin of an IPv4 binding says nothing new."""
    seen: dict[tuple[int, str, int], Port] = {}
    for port in sorted(ports, key=lambda p: (p.public == 0, p.private, p.protocol, ":" in p.address)):
        seen.setdefault((port.private, port.protocol, port.public), port)
    return tuple(seen.values())


def usage_of(sample: Json, before: Json | None) -> Usage:
    """What one sample of `GET /containers/ID/stats` says, with the cpu since the sample `before`."""
    memory = sample.get("memory_stats") or {}
    details = memory.get("stats") or {}
    cache = int(details.get("total_inactive_file") or details.get("inactive_file") or 0)
    used = int(memory.get("usage") or 0)
    networks = (sample.get("networks") or {}).values()
    blocks = (sample.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return Usage(
        cpu=_cpu(sample, before),
        memory=used - cache if cache < used else used,
        limit=int(memory.get("limit") or 0),
        pids=int((sample.get("pids_stats") or {}).get("current") or 0),
        rx=sum(int(n.get("rx_bytes") or 0) for n in networks),
        tx=sum(int(n.get("tx_bytes") or 0) for n in networks),
        read=sum(int(b.get("value") or 0) for b in blocks if str(b.get("op")).lower() == "read"),
        written=sum(int(b.get("value") or 0) for b in blocks if str(b.get("op")).lower() == "write"),
    )


def _cpu(sample: Json, before: Json | None) -> float:
    """Per cent of one core between two samples, by their own clock."""
    previous = before if before is not None else {}
    now = int(((sample.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage") or 0)
    then = int(((previous.get("cpu_stats") or {}).get("cpu_usage") or {}).get("total_usage") or 0)
    seconds = parse_time(str(sample.get("read", ""))) - parse_time(str(previous.get("read", "")))
    if not then or seconds <= 0 or now < then:
        return 0.0
    return (now - then) / 1e9 / seconds * 100
