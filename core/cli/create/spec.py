"""Flags -> the body of `POST /containers/create`. What was not asked for is not sent."""

from __future__ import annotations

from core.cli.create import mounts, texts
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

Json: TypeAlias = "dict[str, Any]"


def body(given: Arguments, environment: Mapping[str, str], *, size: tuple[int, int] = (0, 0)) -> Json:
    """The request for an attached container. `size` is the terminal's (height, width).

    `environment` gives `-e NAME` its value. Reads the files that flags name. Raises CommandFailed.
    """
    image, *command = given.operands
    exposed, bindings = _ports(given)
    binds, anonymous = mounts.volumes(given.texts("volume"))
    config: Json = {"Image": image, **_streams(given), **_process(given, environment)}
    _add(config, "Cmd", command)
    _add(config, "ExposedPorts", exposed)
    _add(config, "Volumes", anonymous)
    host: Json = {**_limits(given), **_security(given), **_namespaces(given), **_lifecycle(given)}
    _add(host, "PortBindings", bindings)
    _add(host, "PublishAllPorts", given.on("publish-all"))
    _add(host, "Binds", binds)
    _add(host, "Mounts", given.value("mount"))
    _add(host, "Tmpfs", mounts.tmpfs(given.texts("tmpfs")))
    _add(host, "Devices", [mounts.device(text) for text in given.texts("device")])
    if given.on("tty"):
        host["ConsoleSize"] = list(size)
    config["HostConfig"] = host
    return config


def detached(request: Json) -> Json:
    """The same container with nobody attached at its start."""
    return {**request, "AttachStdin": False, "AttachStdout": False, "AttachStderr": False, "StdinOnce": False}


def _add(target: Json, name: str, value: Any) -> None:
    if value or (value == 0 and value is not False and not isinstance(value, dict | list | str)):
        target[name] = value


def _streams(given: Arguments) -> Json:
    asked = given.texts("attach")
    stdin = given.on("interactive")
    attach_stdin = stdin or "stdin" in asked
    return {
        "AttachStdin": attach_stdin,
        "AttachStdout": not asked or "stdout" in asked,
        "AttachStderr": not asked or "stderr" in asked,
        "OpenStdin": stdin,
        "StdinOnce": stdin and attach_stdin,
        "Tty": given.on("tty"),
    }


def _ports(given: Arguments) -> tuple[Json, Json]:
    """`ExposedPorts` and `PortBindings`."""
    if not (given.texts("publish") or given.texts("expose")):
        return {}, {}
    from core.cli.create import ports

    exposed, bindings = ports.published(given.texts("publish"))
    return exposed | ports.exposed(given.texts("expose")), bindings


def _process(given: Arguments, environment: Mapping[str, str]) -> Json:
    config: Json = {}
    variables = [line for path in given.texts("env-file") for line in texts.variables_of_file(path, environment)]
    labels = [line for path in given.texts("label-file") for line in texts.labels_of_file(path)]
    _add(config, "Env", variables + texts.variables(given.texts("env"), environment))
    _add(config, "Labels", texts.pairs(labels + given.texts("label")))
    _add(config, "Hostname", given.text("hostname"))
    _add(config, "Domainname", given.text("domainname"))
    _add(config, "User", given.text("user"))
    _add(config, "WorkingDir", given.text("workdir"))
    _add(config, "StopSignal", given.text("stop-signal"))
    _add(config, "Healthcheck", _healthcheck(given))
    if given.given("entrypoint"):
        config["Entrypoint"] = [given.text("entrypoint")]  # one empty string takes the image's away
    if given.given("stop-timeout"):
        config["StopTimeout"] = given.number("stop-timeout")
    return config


def _healthcheck(given: Arguments) -> Json:
    numbers = {
        "health-interval": "Interval",
        "health-timeout": "Timeout",
        "health-retries": "Retries",
        "health-start-period": "StartPeriod",
        "health-start-interval": "StartInterval",
    }
    asked = [name for name in ("health-cmd", *numbers) if given.given(name)]
    if given.on("no-healthcheck"):
        if asked:
            raise CommandFailed("--no-healthcheck conflicts with --health-* options", 125)
        return {"Test": ["NONE"]}
    check: Json = {}
    if given.text("health-cmd"):
        check["Test"] = ["CMD-SHELL", given.text("health-cmd")]
    for name, member in numbers.items():
        value = given.number(name) or 0
        if value < 0:
            raise CommandFailed(f"--{name} cannot be negative", 125)
        if value:
            check[member] = value
    return check


def _limits(given: Arguments) -> Json:
    host: Json = {}
    for name, member in (
        ("memory", "Memory"), ("memory-swap", "MemorySwap"), ("memory-reservation", "MemoryReservation"),
        ("cpus", "NanoCpus"), ("cpu-shares", "CpuShares"), ("cpu-period", "CpuPeriod"), ("cpu-quota", "CpuQuota"),
        ("pids-limit", "PidsLimit"), ("oom-score-adj", "OomScoreAdj"), ("shm-size", "ShmSize"),
    ):  # fmt: skip
        if given.given(name):
            host[member] = given.number(name)
    _add(host, "CpusetCpus", given.text("cpuset-cpus"))
    _add(host, "CpusetMems", given.text("cpuset-mems"))
    _add(host, "OomKillDisable", given.on("oom-kill-disable"))
    _add(host, "Ulimits", given.value("ulimit"))
    return host


def _security(given: Arguments) -> Json:
    host: Json = {}
    _add(host, "CapAdd", given.texts("cap-add"))
    _add(host, "CapDrop", given.texts("cap-drop"))
    _add(host, "Privileged", given.on("privileged"))
    _add(host, "ReadonlyRootfs", given.on("read-only"))
    _add(host, "GroupAdd", given.texts("group-add"))
    asked = given.texts("security-opt")
    _add(host, "SecurityOpt", texts.security_options(asked))
    if any(text in ("systempaths=unconfined", "systempaths:unconfined") for text in asked):
        host |= {"MaskedPaths": [], "ReadonlyPaths": []}
    return host


def _namespaces(given: Arguments) -> Json:
    host: Json = {}
    _add(host, "NetworkMode", given.text("network"))
    _add(host, "Dns", given.texts("dns"))
    _add(host, "DnsOptions", given.texts("dns-option"))
    _add(host, "DnsSearch", given.texts("dns-search"))
    _add(host, "ExtraHosts", given.texts("add-host"))
    _add(host, "Sysctls", texts.pairs(given.texts("sysctl")))
    _add(host, "PidMode", texts.mode("pid", given.text("pid"), ("", "host")))
    _add(host, "UTSMode", texts.mode("uts", given.text("uts"), ("", "host")))
    _add(host, "IpcMode", given.text("ipc"))
    _add(host, "UsernsMode", texts.mode("userns", given.text("userns"), ("", "host")))
    _add(host, "CgroupnsMode", given.text("cgroupns"))
    return host


def _lifecycle(given: Arguments) -> Json:
    host: Json = {}
    restart = texts.restart_policy(given.text("restart"))
    if given.given("restart"):
        host["RestartPolicy"] = restart
    if given.on("rm"):
        if restart["Name"] != "no":
            raise CommandFailed("conflicting options: cannot specify both --restart and --rm", 125)
        host["AutoRemove"] = True
    if given.given("init"):
        host["Init"] = given.on("init")
    if given.given("log-driver") or given.given("log-opt"):
        options = texts.pairs(given.texts("log-opt"))
        if options and given.text("log-driver") == "none":
            raise CommandFailed("invalid logging opts for driver none", 125)
        host["LogConfig"] = {"Type": given.text("log-driver") or "json-file", "Config": options}
    return host
