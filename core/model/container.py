"""A container as asked for (ContainerConfig, HostConfig) and as stored (ContainerRecord).

Container = the record; task = its running process. Sizes are bytes, CPU in billionths of a core
(NanoCpus), times RFC 3339 with nanoseconds in UTC, "" = never.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from core.oci.image import Healthcheck

NEVER = "0001-01-01T00:00:00Z"  # what Docker prints for a time that has not come


class Status(enum.StrEnum):
    """State.Status as Docker names it."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class _Wire(msgspec.Struct, frozen=True, rename="pascal"):
    pass


class ContainerConfig(_Wire, frozen=True):
    """What runs: the portable half of a create request."""

    image: str = ""
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    hostname: str = ""
    domainname: str = ""
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    labels: dict[str, str] = {}
    volumes: dict[str, Any] = {}
    exposed_ports: dict[str, Any] = {}
    stop_signal: str = ""
    stop_timeout: int | None = None
    healthcheck: Healthcheck | None = None
    network_disabled: bool = False


class PortBinding(_Wire, frozen=True):
    """One host side of a published port; "" = any address, or a free port."""

    host_ip: str = msgspec.field(name="HostIp", default="")
    host_port: str = ""


class RestartPolicy(_Wire, frozen=True):
    """`no`, `always`, `unless-stopped` or `on-failure` (0 retries = without end)."""

    name: str = "no"
    maximum_retry_count: int = 0


class LogConfig(_Wire, frozen=True):
    type: str = "json-file"
    config: dict[str, str] = {}


class Ulimit(_Wire, frozen=True):
    name: str
    soft: int
    hard: int


class DeviceMapping(_Wire, frozen=True):
    path_on_host: str
    path_in_container: str = ""
    cgroup_permissions: str = "rwm"


class MountSpec(_Wire, frozen=True):
    """`--mount`: type is `bind`, `volume` or `tmpfs`."""

    type: str
    target: str
    source: str = ""
    read_only: bool = False


class HostConfig(_Wire, frozen=True):
    """How it meets this host: the other half of a create request."""

    binds: tuple[str, ...] = ()
    mounts: tuple[MountSpec, ...] = ()
    tmpfs: dict[str, str] = {}
    network_mode: str = "default"
    port_bindings: dict[str, tuple[PortBinding, ...]] = {}
    publish_all_ports: bool = False
    restart_policy: RestartPolicy = RestartPolicy()
    auto_remove: bool = False
    log_config: LogConfig = LogConfig()
    memory: int = 0
    memory_swap: int = 0
    memory_reservation: int = 0
    nano_cpus: int = 0
    cpu_shares: int = 0
    cpu_period: int = 0
    cpu_quota: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids_limit: int | None = None
    oom_kill_disable: bool = False
    oom_score_adj: int = 0
    shm_size: int = 0
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    privileged: bool = False
    readonly_rootfs: bool = False
    security_opt: tuple[str, ...] = ()
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None
    sysctls: dict[str, str] = {}
    ulimits: tuple[Ulimit, ...] = ()
    devices: tuple[DeviceMapping, ...] = ()
    group_add: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    init: bool | None = None
    pid_mode: str = ""
    ipc_mode: str = ""
    uts_mode: str = msgspec.field(name="UTSMode", default="")
    cgroupns_mode: str = ""
    container_id_file: str = msgspec.field(name="ContainerIDFile", default="")
    console_size: tuple[int, int] = (0, 0)  # height, width


class MountPoint(_Wire, frozen=True):
    """A mount as inspect shows it. `type` is `bind`, `volume` or `tmpfs`."""

    type: str
    destination: str
    source: str = ""
    name: str = ""
    driver: str = ""
    mode: str = ""
    rw: bool = msgspec.field(name="RW", default=True)
    propagation: str = ""


class Endpoint(_Wire, frozen=True):
    """A container's place on a network; ports as inspect shows them."""

    network: str = "bridge"
    network_id: str = msgspec.field(name="NetworkID", default="")
    endpoint_id: str = msgspec.field(name="EndpointID", default="")
    ip_address: str = msgspec.field(name="IPAddress", default="")
    ip_prefix_len: int = msgspec.field(name="IPPrefixLen", default=0)
    gateway: str = ""
    mac_address: str = ""
    host_interface: str = ""
    ports: dict[str, tuple[PortBinding, ...]] = {}


class HealthStatus(enum.StrEnum):
    """What a container's check has found so far."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Probe(_Wire, frozen=True):
    """One run of a check. Exit code 0 = healthy; -1 = it did not come to an end of its own."""

    start: str
    end: str
    exit_code: int
    output: str = ""


class Health(_Wire, frozen=True):
    """What is known by a container's check: the last probes, oldest first."""

    status: HealthStatus = HealthStatus.STARTING
    failing_streak: int = 0
    log: tuple[Probe, ...] = ()


class State(_Wire, frozen=True):
    """What is known of the last run. `pid` is 0 unless it runs."""

    status: Status = Status.CREATED
    pid: int = 0
    exit_code: int = 0
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    error: str = ""
    started_at: str = NEVER
    finished_at: str = NEVER
    paused_at: str = NEVER
    restarts_at: str = NEVER
    restart_count: int = 0
    health: Health | None = None


class ContainerRecord(_Wire, frozen=True):
    """Everything stored of one container. Its snapshot's key is its id."""

    id: str
    name: str
    created: str
    image_id: str
    image_reference: str
    config: ContainerConfig
    host_config: HostConfig
    args: tuple[str, ...] = ()  # entrypoint + command as it will run
    mounts: tuple[MountPoint, ...] = ()
    endpoint: Endpoint | None = None
    state: State = State()
    manually_stopped: bool = False
    command_line: tuple[str, ...] = ()  # the client's own argv, where it told

    @property
    def short_id(self) -> str:
        return self.id[:12]

    @property
    def running(self) -> bool:
        return self.state.status in (Status.RUNNING, Status.PAUSED, Status.RESTARTING)


class ExecConfig(_Wire, frozen=True):
    """A request to run one more program inside a running container."""

    cmd: tuple[str, ...] = ()
    user: str = ""
    env: tuple[str, ...] = ()
    working_dir: str = ""
    tty: bool = False
    attach_stdin: bool = False
    attach_stdout: bool = False
    attach_stderr: bool = False
    detach_keys: str = ""
    privileged: bool = False
    console_size: tuple[int, int] | None = None
