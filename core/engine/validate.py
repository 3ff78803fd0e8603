"""Checks of a create request that need no look at the host, in Docker's words. Pure.

What has passed here is trusted inside: no NUL, no newline in a line-oriented file, no unknown capability.
"""

from __future__ import annotations

import ipaddress
import re

from core.engine import binds, ports
from core.engine.logoptions import rotation
from core.engine.seccomp import check_security_options
from core.errors import InvalidArgument, Unsupported
from core.linux.capnames import NAMES
from core.model.container import ContainerConfig, HostConfig, RestartPolicy
from core.model.signals import parse_signal
from core.oci.image import Healthcheck

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
NAME_LIMIT = 255  # bytes; it becomes a file name and a host name alias
_HOSTNAME = re.compile(r"[a-zA-Z0-9_.-]{1,253}")
_SYSCTL = re.compile(
    r"(?:kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\.[\w.]+|net\.[\w./-]+)"
)
_TEXT_LIMIT = 128 * 1024 - 1  # bytes of one argument or variable; execve(2), MAX_ARG_STRLEN less its NUL
_MILLISECOND = 1_000_000  # nanoseconds
RLIMITS = frozenset(
    """
    core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack
    """.split()  # noqa: SIM905
)


def check_name(name: str) -> str:
    """A container's name without its leading slash. Raises InvalidArgument."""
    bare = name.removeprefix("/")
    if not NAME.fullmatch(bare) or len(bare) > NAME_LIMIT:
        raise InvalidArgument(
            f"Invalid container name ({name[:NAME_LIMIT]}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )
    return bare


def check_config(config: ContainerConfig) -> None:
    """Raises InvalidArgument for the first member of `config` that cannot be."""
    for variable in config.env:
        _check_text(variable, "environment variable")
        if not variable.partition("=")[0]:
            raise InvalidArgument(f"invalid environment variable: {variable}")
    for argument in (*(config.cmd or ()), *(config.entrypoint or ())):
        _check_text(argument, "argument")
    for text, what in ((config.user, "user"), (config.working_dir, "working directory")):
        _check_text(text, what)
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidArgument(
            f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path"
        )
    for word in config.healthcheck.test if config.healthcheck else ():
        _check_text(word, "health check")
    if config.hostname and not _HOSTNAME.fullmatch(config.hostname):
        raise InvalidArgument(f"invalid hostname format: {config.hostname!r}")
    if config.domainname and not _HOSTNAME.fullmatch(config.domainname):
        raise InvalidArgument(f"invalid domainname format: {config.domainname!r}")
    if config.stop_signal:
        parse_signal(config.stop_signal)
    ports.parse_exposed(config.exposed_ports)


def check_healthcheck(check: Healthcheck) -> None:
    """Raises InvalidArgument for what a request may not ask; an image may, and is read as if it had not."""
    for name, value in (
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ):
        if value and value < _MILLISECOND:
            raise InvalidArgument(f"{name} in Healthcheck cannot be less than 1ms")
    if check.retries < 0:
        raise InvalidArgument("Retries in Healthcheck cannot be negative")


def check_host(host: HostConfig) -> None:
    """Raises InvalidArgument (or Unsupported) for the first member of `host` that cannot be."""
    check_restart_policy(host.restart_policy)
    if host.auto_remove and host.restart_policy.name != "no":
        raise InvalidArgument("can't create 'AutoRemove' container with restart policy")
    ports.check_bindings(host.port_bindings)
    binds.mount_points(host, ())
    _check_modes(host)
    _check_names(host)
    check_security_options(host.security_opt)
    for line in host.extra_hosts:
        parse_extra_host(line)
    for name in host.sysctls:
        if not _SYSCTL.fullmatch(name) or "\0" in host.sysctls[name]:
            raise InvalidArgument(f"invalid sysctl '{name}': not one that belongs to a container alone")
    for limit in host.ulimits:
        if limit.name not in RLIMITS:
            raise InvalidArgument(f"invalid ulimit type: {limit.name}")
        if limit.hard != -1 and limit.soft > limit.hard:
            raise InvalidArgument(
                f"ulimit soft limit must be less than or equal to hard limit: {limit.soft} > {limit.hard}"
            )
    rotation(host.log_config)


def check_restart_policy(policy: RestartPolicy) -> None:
    """Raises InvalidArgument."""
    if policy.name not in ("", "no", "always", "unless-stopped", "on-failure"):
        raise InvalidArgument(f"invalid restart policy '{policy.name}'")
    if policy.maximum_retry_count < 0:
        raise InvalidArgument("maximum retry count cannot be negative")
    if policy.maximum_retry_count and policy.name != "on-failure":
        raise InvalidArgument(f"maximum retry count cannot be used with restart policy '{policy.name}'")


def parse_capability(name: str) -> str:
    """A capability as `CAP_NAME`, or `ALL`. Raises InvalidArgument."""
    bare = name.upper().removeprefix("CAP_")
    if bare == "ALL":
        return bare
    if bare not in NAMES:
        raise InvalidArgument(f'unknown capability: "CAP_{bare}"')
    return f"CAP_{bare}"


def parse_extra_host(text: str) -> tuple[str, str]:
    """`name:address` or `name=address` as (name, address); `host-gateway` stays a word. Raises InvalidArgument."""
    separator = "=" if "=" in text and ":" not in text.partition("=")[0] else ":"
    name, found, address = text.partition(separator)
    if not found or not _HOSTNAME.fullmatch(name):
        raise InvalidArgument(f'bad format for add-host: "{text}"')
    address = address.removeprefix("[").removesuffix("]")
    if address != "host-gateway":
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise InvalidArgument(f'invalid IP address in add-host: "{address}"') from error
    return name, address


def _check_modes(host: HostConfig) -> None:
    network = host.network_mode
    if network.startswith("container:"):
        raise Unsupported("joining another container's network is not supported yet")
    if network not in ("default", "bridge", "host", "none"):
        # Not a 404: to `docker run` that would mean that the image is missing, and it would pull.
        raise InvalidArgument(f"network {network} not found")
    for mode, allowed, what in (
        (host.pid_mode, ("", "host"), "PID mode"),
        (host.ipc_mode, ("", "private", "shareable", "host", "none"), "IPC mode"),
        (host.uts_mode, ("", "host"), "UTS mode"),
        (host.cgroupns_mode, ("", "private", "host"), "cgroup namespace mode"),
    ):
        if mode.startswith("container:"):
            raise Unsupported(f"{what} {mode}: joining another container is not supported yet")
        if mode not in allowed:
            raise InvalidArgument(f"invalid {what}: {mode}")


def _check_names(host: HostConfig) -> None:
    for capability in host.cap_add:
        _prefixed("invalid CapAdd", capability)
    for capability in host.cap_drop:
        _prefixed("invalid CapDrop", capability)
    for server in host.dns:
        try:
            ipaddress.ip_address(server)
        except ValueError as error:
            raise InvalidArgument(f"invalid IP address: {server}") from error
    for word in (*host.dns_search, *host.dns_options):
        if not re.fullmatch(r"[A-Za-z0-9._:-]+", word):
            raise InvalidArgument(f"invalid DNS option: {word!r}")
    for device in host.devices:
        for path in (device.path_on_host, device.path_in_container or device.path_on_host):
            if not path.startswith("/") or "\0" in path:
                raise InvalidArgument(f"invalid device path: {path!r}")
        if not device.cgroup_permissions or set(device.cgroup_permissions) - set("rwm"):
            raise InvalidArgument(f"invalid device mode: {device.cgroup_permissions}")


def _prefixed(prefix: str, capability: str) -> None:
    try:
        parse_capability(capability)
    except InvalidArgument as error:
        raise InvalidArgument(f"{prefix}: {error}") from error


def _check_text(text: str, what: str) -> None:
    if "\0" in text:
        raise InvalidArgument(f"invalid {what}: it holds a NUL byte")
    if len(text.encode()) > _TEXT_LIMIT:
        raise InvalidArgument(f"invalid {what}: longer than {_TEXT_LIMIT} bytes")
