"""Spec -> plan: every decision about a container's first process, taken before it exists. Pure and printable.

runtime-spec config.md and config-linux.md. What a Spec may ask is checked here; what only the kernel knows
(does a path exist, is a terminal a terminal) is checked by init while it does the steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.cgroups.model import CgroupView
from core.errors import InvalidSpec, Unsupported
from core.linux import constants as k
from core.oci.runtime import Device, Linux, Mount, Namespace, Spec
from core.runtime import steps as do
from core.runtime.options import Attributes, MountOptions, parse
from core.runtime.processplan import open_console, program_steps
from core.runtime.rootfs import parts
from core.runtime.steps import Plan, Step
from core.runtime.sysctls import check_sysctls

INIT_ANNOTATION = "io.onggi.init"  # the path, inside, of what is to be the first process and to start the program
KINDS = ("user", "mount", "uts", "ipc", "network", "pid", "cgroup", "time")
BORN_WITH = ("pid", "time")  # these hold for children: the launcher's work, not init's

# Files of procfs that lxcfs and its like lay over (runc has the same list); nothing else may cover /proc.
_OVER_PROC = frozenset(
    f"/proc/{name}"
    for name in (
        "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev",
        "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled",
    )
)  # fmt: skip
_LINKS = (
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
    ("/dev/ptmx", "pts/ptmx"),
)
_PATH_LIMIT = 4095  # PATH_MAX
_MAJORS, _MINORS, _IDS = 1 << 12, 1 << 20, (1 << 32) - 1  # what the kernel's dev_t and uid_t hold
_PROPAGATION = {"private": k.MS_PRIVATE, "slave": k.MS_SLAVE, "shared": k.MS_SHARED, "unbindable": k.MS_UNBINDABLE}


def plan(spec: Spec, *, bundle: str, cgroup: CgroupView, seccomp: bytes | None, gate: bool = False) -> Plan:
    """All steps from a fork inside the right pid namespace to the program.

    `seccomp` is a program to load, `gate` whether to wait for `start`. Raises InvalidSpec, Unsupported.
    """
    _check_namespaces(spec.linux.namespaces)
    own = {item.type for item in spec.linux.namespaces}
    check_sysctls(spec.linux.sysctl, own)
    steps: list[Step] = [*_namespaces(spec.linux.namespaces), do.OpenRoot()]
    for mount in spec.mounts:
        steps += _mount(mount, bundle, cgroup)
    if not _dev_is_bound(spec.mounts):
        steps += [_node(device) for device in spec.linux.devices]
        steps += [do.MakeLink(path, target) for path, target in _LINKS]
    if spec.process.terminal:
        steps.append(open_console(spec.process, show=True))
    steps.append(do.MakeFolder(spec.process.cwd))
    steps += [do.Protect(path) for path in spec.linux.readonly_paths]
    steps += [do.Mask(path) for path in spec.linux.masked_paths]
    steps += _seal(spec)
    steps.append(do.PivotRoot())
    if spec.hostname or spec.domainname:
        if "uts" not in own:
            raise InvalidSpec("hostname needs a uts namespace of the container's own")
        steps.append(do.SetHostname(spec.hostname, spec.domainname))
    steps += [do.SetSysctl(name.replace(".", "/"), value) for name, value in spec.linux.sysctl.items()]
    steps += program_steps(
        spec.process,
        seccomp=seccomp,
        flags=_filter_flags(spec.linux),
        gate=gate,
        init=spec.annotations.get(INIT_ANNOTATION),
    )
    return tuple(steps)


def _check_namespaces(namespaces: tuple[Namespace, ...]) -> None:
    kinds = [item.type for item in namespaces]
    for kind in kinds:
        if kind not in KINDS:
            raise InvalidSpec(f"unknown namespace {kind!r}")
        if kinds.count(kind) > 1:
            raise InvalidSpec(f"namespace {kind} is given twice")
    if "user" in kinds:
        raise Unsupported("run in a user namespace: not supported yet")
    if not any(item.type == "mount" and not item.path for item in namespaces):
        raise InvalidSpec("a container needs a new mount namespace")


def _namespaces(namespaces: tuple[Namespace, ...]) -> Iterator[Step]:
    mine = [item for item in namespaces if item.type not in BORN_WITH]
    yield from (do.Join(item.type, item.path) for item in mine if item.path)
    yield do.Unshare(tuple(item.type for item in mine if not item.path))


def _dev_is_bound(mounts: tuple[Mount, ...]) -> bool:
    """Whether /dev is a folder of the host's: what is in it is then not ours to make."""
    dev = [mount for mount in mounts if parts(mount.destination) == ["dev"]]
    return bool(dev) and (dev[-1].type == "bind" or parse(dev[-1].options).bind)


def _node(device: Device) -> Step:
    kinds = {"c": "c", "u": "c", "b": "b", "p": "p"}
    if device.type not in kinds:
        raise InvalidSpec(f"unknown device type {device.type!r}")
    if not (0 <= device.major < _MAJORS and 0 <= device.minor < _MINORS):
        raise InvalidSpec(f"device {device.path}: number {device.major}:{device.minor} is out of range")
    if not (0 <= device.uid < _IDS and 0 <= device.gid < _IDS):
        raise InvalidSpec(f"device {device.path}: owner {device.uid}:{device.gid} is out of range")
    mode = 0o666 if device.file_mode is None else device.file_mode & 0o777
    return do.MakeNode(device.path, kinds[device.type], device.major, device.minor, mode, device.uid, device.gid)


def _mount(mount: Mount, bundle: str, cgroup: CgroupView) -> list[Step]:
    destination = "/" + "/".join(parts(mount.destination))
    options = parse(mount.options)
    if max(len(destination), len(mount.source)) > _PATH_LIMIT:
        raise InvalidSpec("mount has a path that is longer than 4095 bytes")
    if destination == "/":
        raise InvalidSpec("mount destination must not be the root")
    if mount.type in ("cgroup", "cgroup2"):
        return _cgroup(destination, options, cgroup)
    if mount.type == "bind" or options.bind:
        return [_bind(destination, mount.source, options, bundle)]
    if not mount.type:
        raise InvalidSpec(f"mount at {destination} has no type")
    if destination.startswith("/proc/") or (destination == "/proc" and mount.type != "proc"):
        raise InvalidSpec(f"mount {mount.type} at {destination}: nothing may cover /proc")
    ordinary = mount.type in ("proc", "sysfs")
    source = mount.source or mount.type
    return [do.MakeMount(destination, mount.type, source, options.data, options.attributes, ordinary)]


def _bind(destination: str, source: str, options: MountOptions, bundle: str) -> Step:
    in_proc = destination in _OVER_PROC
    if destination == "/proc" or (destination.startswith("/proc/") and not in_proc):
        raise InvalidSpec(f"mount {source} at {destination}: nothing may cover /proc")
    if not source:
        raise InvalidSpec(f"mount at {destination} has no source")
    path = source if source.startswith("/") else f"{bundle}/{source}"
    return do.BindMount(destination, path, options.recursive, options.attributes, in_proc)


def _cgroup(destination: str, options: MountOptions, cgroup: CgroupView) -> list[Step]:
    if cgroup.version == 2:
        return [do.MakeMount(destination, "cgroup2", "cgroup", (), options.attributes)]
    # As Docker has it on v1: a writable tmpfs that holds one folder for each hierarchy.
    around = replace(options.attributes, set=options.attributes.set & ~k.MOUNT_ATTR_RDONLY, propagation=0)
    found: list[Step] = [do.MakeMount(destination, "tmpfs", "cgroup", (("mode", "755"),), around)]
    for name, folder in cgroup.folders:
        found.append(do.BindMount(f"{destination}/{name}", folder, False, options.attributes))
        if "," in name:
            found += [do.MakeLink(f"{destination}/{controller}", name) for controller in name.split(",")]
    return found


def _seal(spec: Spec) -> Iterator[Step]:
    name = spec.linux.rootfs_propagation
    if name.removeprefix("r") in _PROPAGATION and name != "r":
        kind = _PROPAGATION[name.removeprefix("r")]
        yield do.SealRoot(Attributes(propagation=kind, deep_propagation=name.startswith("r")))
    elif name:
        raise InvalidSpec(f"unknown propagation {name!r}")
    if spec.root.readonly:
        yield do.SealRoot(Attributes(set=k.MOUNT_ATTR_RDONLY))


def _filter_flags(linux: Linux) -> tuple[str, ...]:
    return linux.seccomp.flags if linux.seccomp else ()
