"""Docker's default confinement as pieces of a Spec. Pure but for the list of CPU folders of this machine.

moby daemon/pkg/oci/defaults.go and caps/defaults.go describe the same; the values are facts of Docker's behaviour.
"""

from __future__ import annotations

import os
from dataclasses import replace

from core.linux.capnames import ALL
from core.oci.runtime import Device, DeviceRule, Mount, Resources, Spec

ALL_CAPABILITIES = ALL
CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
        "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    )
)  # fmt: skip

_CPUS = "/sys/devices/system/cpu"
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    *(
        path
        for number in range(os.cpu_count() or 1)
        if os.path.isdir(path := f"{_CPUS}/cpu{number}/thermal_throttle")
    ),
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

_NODES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
DEVICES = tuple(Device(f"/dev/{name}", "c", major, minor, 0o666) for name, major, minor in _NODES)


def device_rules(*, privileged: bool = False) -> tuple[DeviceRule, ...]:
    """The device cgroup: nothing but the usual nodes and terminals, and making nodes that nobody can open."""
    if privileged:
        return (DeviceRule(True),)
    return (
        DeviceRule(False),
        DeviceRule(True, "c", None, None, "m"),
        DeviceRule(True, "b", None, None, "m"),
        *(DeviceRule(True, "c", major, minor) for _, major, minor in _NODES),
        DeviceRule(True, "c", 5, 1),
        DeviceRule(True, "c", 5, 2),
        DeviceRule(True, "c", 136, None),
    )


def mounts(*, shm_size: int, privileged: bool = False, host_ipc: bool = False) -> tuple[Mount, ...]:
    """What is mounted in every container. `shm_size` in bytes; `host_ipc` binds the host's /dev/shm and mqueue."""
    access = "rw" if privileged else "ro"
    shm = Mount("/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", f"size={shm_size}"))
    mqueue = Mount("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev"))
    if host_ipc:
        shm = Mount("/dev/shm", "bind", "/dev/shm", ("rbind", "rprivate"))
        mqueue = Mount("/dev/mqueue", "bind", "/dev/mqueue", ("rbind", "rprivate"))
    pts = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
    return (
        Mount("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
        Mount("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
        Mount("/dev/pts", "devpts", "devpts", pts),
        Mount("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", access)),
        Mount("/sys/fs/cgroup", "cgroup", "cgroup", (access, "nosuid", "noexec", "nodev")),
        mqueue,
        shm,
    )


def with_default_devices(spec: Spec) -> Spec:
    """`spec` with the devices that a runtime supplies unasked: config-linux.md, "Default Devices".

    Who writes a whole Spec of Docker's kind (the engine) has them in it already.
    """
    there = {device.path for device in spec.linux.devices}
    devices = (*spec.linux.devices, *(device for device in DEVICES if device.path not in there))
    resources = spec.linux.resources or Resources()
    rules = (*resources.devices, *(rule for rule in device_rules() if rule.allow)) if resources.devices else ()
    linux = replace(spec.linux, devices=devices, resources=replace(resources, devices=rules))
    return replace(spec, linux=linux)
