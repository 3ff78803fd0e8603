"""Containers as Docker's API shows them. Pure: records in, JSON data out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.engine.system import VERSION
from core.model.container import ContainerConfig, ContainerRecord, HostConfig, MountPoint, Status
from core.oci.document import plain
from core.paths import Paths
from core.wire.codec import parse_timestamp
from core.wire.durations import human_duration

# What Docker's HostConfig has and ours does not: shown with the value that means "not set".
_HOST_DEFAULTS: dict[str, Any] = {
    "VolumeDriver": "", "VolumesFrom": None, "Cgroup": "", "Links": None, "UsernsMode": "", "Isolation": "",
    "Runtime": "onggi", "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": [], "BlkioDeviceReadBps": [],
    "BlkioDeviceWriteBps": [], "BlkioDeviceReadIOps": [], "BlkioDeviceWriteIOps": [], "CpuRealtimePeriod": 0,
    "CpuRealtimeRuntime": 0, "DeviceCgroupRules": None, "DeviceRequests": None, "MemorySwappiness": None,
    "CpuCount": 0, "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
}  # fmt: skip
_NULL_WHEN_EMPTY = ("Binds", "CapAdd", "CapDrop", "ExtraHosts", "GroupAdd", "SecurityOpt")
_LEFT_OUT_WHEN_EMPTY = ("Mounts", "Tmpfs", "Sysctls", "Init")


_HEALTH_WORDS = {"starting": "health: starting"}


def status_text(record: ContainerRecord, now_ns: int) -> str:
    """The STATUS column of `ps`."""
    state = record.state
    status = state.status
    if status in (Status.RUNNING, Status.PAUSED):
        up = f"Up {_since(state.started_at, now_ns)}"
        if status is Status.PAUSED:
            return f"{up} (Paused)"
        health = state.health.status if state.health else ""
        return f"{up} ({_HEALTH_WORDS.get(health, health)})" if health else up
    if status is Status.RESTARTING:
        return f"Restarting ({state.exit_code}) {_since(state.finished_at, now_ns)} ago"
    if status is Status.REMOVING:
        return "Removal In Progress"
    if status is Status.DEAD:
        return "Dead"
    if status is Status.CREATED:
        return "Created"
    return f"Exited ({state.exit_code}) {_since(state.finished_at, now_ns)} ago"


def _since(text: str, now_ns: int) -> str:
    return human_duration(max(0, now_ns - parse_timestamp(text)) / 1e9)


def summary(
    record: ContainerRecord, now_ns: int, *, image: str, size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """A line of GET /containers/json. `size` = bytes of the writable layer, and of everything."""
    document = {
        "Id": record.id,
        "Names": [f"/{record.name}"],
        "Image": image,
        "ImageID": record.image_id,
        "Command": " ".join(f"'{word}'" if " " in word else word for word in record.args),
        "Created": parse_timestamp(record.created) // 1_000_000_000,
        "Ports": _port_list(record),
        "Labels": record.config.labels,
        "State": str(record.state.status),
        "Status": status_text(record, now_ns),
        "HostConfig": {"NetworkMode": record.host_config.network_mode},
        "NetworkSettings": {"Networks": _networks(record)},
        "Mounts": [_mount(point) for point in record.mounts],
    }
    if size is not None:
        document["SizeRw"], document["SizeRootFs"] = size
    return document


def _port_list(record: ContainerRecord) -> list[dict[str, Any]]:
    if not record.running:
        return []
    published = record.endpoint.ports if record.endpoint else {}
    lines: list[dict[str, Any]] = []
    for port in dict.fromkeys([*published, *record.config.exposed_ports]):
        number, _, protocol = port.partition("/")
        line = {"PrivatePort": int(number), "Type": protocol or "tcp"}
        hosts = published.get(port, ())
        lines += [{"IP": host.host_ip or "0.0.0.0", "PublicPort": int(host.host_port), **line} for host in hosts]
        if not hosts:
            lines.append(line)
    return lines


def _mount(point: MountPoint) -> dict[str, Any]:
    document = plain(point)
    for member in ("Name", "Driver", "Source"):
        if not document[member] and member != "Source":
            del document[member]
    return dict(document)


def _networks(record: ContainerRecord) -> dict[str, Any]:
    endpoint = record.endpoint
    mode = record.host_config.network_mode
    name = endpoint.network if endpoint else ("bridge" if mode == "default" else mode)
    return {
        name: {
            "IPAMConfig": None,
            "Links": None,
            "Aliases": None,
            "MacAddress": endpoint.mac_address if endpoint else "",
            "DriverOpts": None,
            "NetworkID": endpoint.network_id if endpoint else "",
            "EndpointID": endpoint.endpoint_id if endpoint else "",
            "Gateway": endpoint.gateway if endpoint else "",
            "IPAddress": endpoint.ip_address if endpoint else "",
            "IPPrefixLen": endpoint.ip_prefix_len if endpoint else 0,
            "IPv6Gateway": "",
            "GlobalIPv6Address": "",
            "GlobalIPv6PrefixLen": 0,
            "DNSNames": None,
        }
    }


def inspect(
    record: ContainerRecord,
    paths: Paths,
    *,
    rootfs: Mapping[str, Any],
    execs: Sequence[str],
    size: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The body of GET /containers/{id}/json."""
    bundle = paths.bundle(record.id)
    document = {
        "Id": record.id,
        "Created": record.created,
        "Path": record.args[0] if record.args else "",
        "Args": list(record.args[1:]),
        "State": _state(record),
        "Image": record.image_id,
        "ResolvConfPath": str(bundle / "resolv.conf"),
        "HostnamePath": str(bundle / "hostname"),
        "HostsPath": str(bundle / "hosts"),
        "LogPath": str(paths.log(record.id)),
        "Name": f"/{record.name}",
        "RestartCount": record.state.restart_count,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": list(execs) or None,
        "HostConfig": host_config(record.host_config),
        "GraphDriver": {"Name": "overlay2", "Data": _graph(rootfs)},
        "Mounts": [_mount(point) for point in record.mounts],
        "Config": container_config(record.config),
        "NetworkSettings": _network_settings(record),
        "Onggi": {"CommandLine": list(record.command_line), "Version": VERSION, **_moments(record)},
    }
    if size is not None:
        document["SizeRw"], document["SizeRootFs"] = size
    return document


def _moments(record: ContainerRecord) -> dict[str, str]:
    """Since when it is paused, or when it is started again: Docker's document has neither."""
    if record.state.status is Status.PAUSED:
        return {"PausedAt": record.state.paused_at}
    if record.state.status is Status.RESTARTING:
        return {"RestartsAt": record.state.restarts_at}
    return {}


def _state(record: ContainerRecord) -> dict[str, Any]:
    state = record.state
    document: dict[str, Any] = {
        "Status": str(state.status),
        "Running": record.running,
        "Paused": state.status is Status.PAUSED,
        "Restarting": state.status is Status.RESTARTING,
        "OOMKilled": state.oom_killed,
        "Dead": state.status is Status.DEAD,
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": state.started_at,
        "FinishedAt": state.finished_at,
    }
    if state.health is not None:
        document["Health"] = plain(state.health)
    return document


def host_config(host: HostConfig) -> dict[str, Any]:
    """A HostConfig as Docker shows it."""
    document = {**_HOST_DEFAULTS, **plain(host)}
    for member in _NULL_WHEN_EMPTY:
        document[member] = document[member] or None
    for member in _LEFT_OUT_WHEN_EMPTY:
        if not document[member]:
            del document[member]
    document["OomKillDisable"] = host.oom_kill_disable or None
    document["Ulimits"] = [plain(limit) for limit in host.ulimits]
    return document


def container_config(config: ContainerConfig) -> dict[str, Any]:
    """A ContainerConfig as Docker shows it."""
    document = plain(config)
    document["OnBuild"] = None
    for member in ("Cmd", "Entrypoint", "Volumes"):
        document[member] = document[member] or None
    for member in ("ExposedPorts", "Healthcheck", "StopSignal", "StopTimeout", "NetworkDisabled"):
        if not document[member]:
            del document[member]
    return dict(document)


def _graph(rootfs: Mapping[str, Any]) -> dict[str, str]:
    data = {"LowerDir": ":".join(rootfs.get("lower", ()))}
    if rootfs.get("upper"):
        data |= {"UpperDir": rootfs["upper"], "WorkDir": rootfs.get("work") or ""}
    return data


def _network_settings(record: ContainerRecord) -> dict[str, Any]:
    networks = _networks(record)
    first = next(iter(networks.values()))
    return {
        "Bridge": "",
        "SandboxID": first["EndpointID"],
        "SandboxKey": "",
        "Ports": _port_map(record),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **{
            member: first[member]
            for member in (
                "EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPAddress", "IPPrefixLen",
                "IPv6Gateway", "MacAddress",
            )
        },
        "Networks": networks,
    }  # fmt: skip


def _port_map(record: ContainerRecord) -> dict[str, Any]:
    if not record.running:
        return {}
    published = record.endpoint.ports if record.endpoint else {}
    ports: dict[str, Any] = dict.fromkeys(record.config.exposed_ports)
    for port, hosts in published.items():
        ports[port] = [{"HostIp": host.host_ip or "0.0.0.0", "HostPort": host.host_port} for host in hosts] or None
    return ports
