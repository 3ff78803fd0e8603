"""A record as an OCI runtime Spec: what was asked for, laid over Docker's defaults. Pure.

runtime-spec config.md, config-linux.md; moby daemon/oci_linux.go for what Docker makes of each option.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.engine import pid1
from core.engine.devices import HostDevice
from core.engine.merge import overlay_env
from core.engine.validate import parse_capability
from core.model.container import ContainerRecord, ExecConfig, HostConfig, MountPoint
from core.oci.runtime import (
    Capabilities,
    ConsoleSize,
    Cpu,
    Device,
    Linux,
    Memory,
    Mount,
    Namespace,
    Pids,
    Process,
    Resources,
    Rlimit,
    Root,
    Spec,
)
from core.runtime import spec_defaults as defaults

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEFAULT_SHM = 64 * 1024 * 1024  # bytes
CPU_PERIOD = 100_000  # microseconds, the kernel's own default and Docker's for --cpus
SECCOMP_ANNOTATION = "io.onggi.seccomp.program"
INIT_ANNOTATION = "io.onggi.init"


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What of the host a Spec depends on."""

    devices: Mapping[str, HostDevice]
    cgroup_version: int = 2
    init: str = ""  # the program that `--init` makes the first process, where the container is to have it


def build(
    record: ContainerRecord, bundle: Path, facts: HostFacts, *, cgroups_path: str, seccomp_program: str
) -> Spec:
    """The whole Spec. `bundle` holds the files that are bound over /etc; `seccomp_program` "" = unconfined."""
    host = record.host_config
    annotations = {SECCOMP_ANNOTATION: seccomp_program} if seccomp_program else {}
    init = [Mount(pid1.PLACE, "bind", facts.init, ("bind", "ro", "rprivate"))] if facts.init else []
    return Spec(
        root=Root(str(bundle / "rootfs"), readonly=host.readonly_rootfs),
        process=process(record),
        hostname="" if host.uts_mode == "host" else record.config.hostname,
        domainname="" if host.uts_mode == "host" else record.config.domainname,
        mounts=(*mounts(record, bundle), *init),
        linux=_linux(record, facts, cgroups_path),
        annotations=annotations | ({INIT_ANNOTATION: pid1.PLACE} if facts.init else {}),
    )


def process(record: ContainerRecord) -> Process:
    """The container's first process. Its user is a name yet; the shim turns it into numbers."""
    config, host = record.config, record.host_config
    height, width = host.console_size
    return Process(
        args=record.args,
        cwd=config.working_dir or "/",
        env=environment(record, tty=config.tty),
        terminal=config.tty,
        console_size=ConsoleSize(height, width) if config.tty and height and width else None,
        capabilities=capabilities(host),
        rlimits=tuple(Rlimit(f"RLIMIT_{item.name.upper()}", item.soft, item.hard) for item in host.ulimits),
        no_new_privileges=no_new_privileges(host),
        oom_score_adj=host.oom_score_adj,
    )


def exec_process(record: ContainerRecord, config: ExecConfig) -> Process:
    """One more process in the same container."""
    base = process(record)
    env = overlay_env(environment(record, tty=config.tty), config.env)
    size = config.console_size
    everything = Capabilities(*(defaults.ALL_CAPABILITIES,) * 3) if config.privileged else None
    return replace(
        base,
        args=config.cmd,
        cwd=config.working_dir or base.cwd,
        env=env,
        terminal=config.tty,
        console_size=ConsoleSize(*size) if config.tty and size and all(size) else None,
        capabilities=everything or base.capabilities,
        oom_score_adj=base.oom_score_adj,
    )


def environment(record: ContainerRecord, *, tty: bool) -> tuple[str, ...]:
    """PATH, HOSTNAME and TERM as Docker gives them, under what image and request say. HOME is the shim's."""
    base = [DEFAULT_PATH]
    if record.config.hostname:
        base.append(f"HOSTNAME={record.config.hostname}")
    if tty:
        base.append("TERM=xterm")
    return overlay_env(base, record.config.env)


def capabilities(host: HostConfig) -> Capabilities:
    """The default set with what is added and dropped; `ALL` first, single names after it."""
    if host.privileged:
        kept = set(defaults.ALL_CAPABILITIES)
    else:
        kept = set(defaults.CAPABILITIES)
        add = [parse_capability(name) for name in host.cap_add]
        drop = [parse_capability(name) for name in host.cap_drop]
        if "ALL" in add:
            kept = set(defaults.ALL_CAPABILITIES)
        if "ALL" in drop:
            kept = set(defaults.ALL_CAPABILITIES) if "ALL" in add else set()
        kept |= {name for name in add if name != "ALL"}
        kept -= {name for name in drop if name != "ALL"}
    names = tuple(sorted(kept))
    # Inheritable and ambient stay empty: CVE-2022-24769.
    return Capabilities(bounding=names, effective=names, permitted=names)


def no_new_privileges(host: HostConfig) -> bool:
    """`--security-opt no-new-privileges[:true]`."""
    options = [option.replace("=", ":") for option in host.security_opt]
    return "no-new-privileges" in options or "no-new-privileges:true" in options


def mounts(record: ContainerRecord, bundle: Path) -> list[Mount]:
    """Docker's own mounts, the files over /etc, then the container's, those nearer to the root first."""
    host = record.host_config
    base = list(
        defaults.mounts(
            shm_size=host.shm_size or DEFAULT_SHM,
            privileged=host.privileged,
            host_ipc=host.ipc_mode == "host",
        )
    )
    base += [
        Mount(f"/etc/{name}", "bind", str(bundle / name), ("rbind", "rprivate"))
        for name in ("resolv.conf", "hostname", "hosts")
    ]
    own = [_mount(point) for point in record.mounts]
    own += [_tmpfs(path, options) for path, options in host.tmpfs.items()]
    own.sort(key=lambda mount: mount.destination.count("/"))
    covered = {mount.destination for mount in own}
    return [mount for mount in base if mount.destination not in covered] + own


def _mount(point: MountPoint) -> Mount:
    access = "rw" if point.rw else "ro"
    if point.type == "tmpfs":
        return Mount(point.destination, "tmpfs", "tmpfs", ("nosuid", "nodev", "noexec", access))
    return Mount(point.destination, "bind", point.source, ("rbind", point.propagation or "rprivate", access))


def _tmpfs(path: str, options: str) -> Mount:
    asked = tuple(option for option in options.split(",") if option)
    return Mount(path, "tmpfs", "tmpfs", (*_TMPFS_DEFAULTS, *asked))


_TMPFS_DEFAULTS = ("noexec", "nosuid", "nodev", "rw")


def _linux(record: ContainerRecord, facts: HostFacts, cgroups_path: str) -> Linux:
    host = record.host_config
    open_paths = host.privileged or "systempaths=unconfined" in host.security_opt
    masked = () if open_paths else defaults.MASKED_PATHS
    readonly = () if open_paths else defaults.READONLY_PATHS
    return Linux(
        namespaces=tuple(namespaces(host, facts.cgroup_version)),
        devices=tuple(_devices(host, facts)),
        cgroups_path=cgroups_path,
        resources=resources(host, facts),
        sysctl=dict(host.sysctls),
        rootfs_propagation=_propagation(record.mounts),
        masked_paths=masked if host.masked_paths is None else host.masked_paths,
        readonly_paths=readonly if host.readonly_paths is None else host.readonly_paths,
    )


def _propagation(points: Sequence[MountPoint]) -> str:
    modes = {point.propagation for point in points}
    if modes & {"shared", "rshared"}:
        return "shared"
    return "rslave" if modes & {"slave", "rslave"} else ""


def namespaces(host: HostConfig, cgroup_version: int) -> list[Namespace]:
    """Namespaces of the container's own; what the request shares with the host is left out.

    Like Docker, a cgroup namespace is private on cgroup v2 and the host's on v1 unless asked for.
    """
    private_cgroup = host.cgroupns_mode == "private" or (not host.cgroupns_mode and cgroup_version == 2)
    wanted = {
        "mount": True,
        "uts": host.uts_mode != "host",
        "ipc": host.ipc_mode != "host",
        "pid": host.pid_mode != "host",
        "network": host.network_mode != "host",
        "cgroup": private_cgroup and not host.privileged,
    }
    return [Namespace(kind) for kind, own in wanted.items() if own]


def _devices(host: HostConfig, facts: HostFacts) -> list[Device]:
    if host.privileged:
        return [*defaults.DEVICES, *(item.device(item.path) for item in facts.devices.values())]
    asked = [
        facts.devices[mapping.path_on_host].device(mapping.path_in_container or mapping.path_on_host)
        for mapping in host.devices
        if mapping.path_on_host in facts.devices
    ]
    return [*defaults.DEVICES, *asked]


def resources(host: HostConfig, facts: HostFacts) -> Resources:
    """Limits, and the devices that may be used."""
    rules = list(defaults.device_rules(privileged=host.privileged))
    rules += [
        facts.devices[mapping.path_on_host].rule(mapping.cgroup_permissions)
        for mapping in host.devices
        if mapping.path_on_host in facts.devices
    ]
    return replace(limits(host), devices=tuple(rules))


def limits(host: HostConfig) -> Resources:
    """Limits alone. No swap limit given = as much swap as memory, as Docker has it; -1 = no limit."""
    memory = None
    if host.memory or host.memory_reservation or host.oom_kill_disable:
        memory = Memory(
            limit=host.memory or None,
            reservation=host.memory_reservation or None,
            swap=host.memory_swap or (host.memory * 2 if host.memory else None),
            disable_oom_killer=host.oom_kill_disable,
        )
    pids = Pids(host.pids_limit) if host.pids_limit and host.pids_limit > 0 else None
    return Resources(memory=memory, cpu=_cpu(host), pids=pids)


def _cpu(host: HostConfig) -> Cpu | None:
    quota, period = host.cpu_quota or None, host.cpu_period or None
    if host.nano_cpus:
        quota, period = host.nano_cpus * CPU_PERIOD // 1_000_000_000, CPU_PERIOD
    if not (quota or period or host.cpu_shares or host.cpuset_cpus or host.cpuset_mems):
        return None
    return Cpu(host.cpu_shares or None, quota, period, host.cpuset_cpus, host.cpuset_mems)
