"""Whether this machine can run programs of a platform: its own, or by an emulator that the kernel knows of.

kernel Documentation/admin-guide/binfmt-misc.rst; qemu's own names of machines.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import Unsupported
from core.oci.image import Platform

BINFMT = Path("/proc/sys/fs/binfmt_misc")
_MACHINES = {
    "386": "i386", "amd64": "x86_64", "arm": "arm", "arm64": "aarch64", "loong64": "loongarch64",
    "mips64le": "mips64el", "ppc64le": "ppc64le", "riscv64": "riscv64", "s390x": "s390x",
}  # fmt: skip
_ALSO = {"amd64": ("386",), "arm64": ("arm",)}  # what processors run beside their own


def check_runs(platform: Platform, host: Platform, binfmt: Path = BINFMT) -> None:
    """Raises Unsupported with what can be done about it."""
    wanted, own = platform.architecture, host.architecture
    if wanted == own or wanted in _ALSO.get(own, ()) or _emulated(wanted, binfmt):
        return
    raise Unsupported(
        f"cannot run programs of {platform} on this machine, which is {host}: register an emulator (binfmt_misc, "
        "as qemu-user-static does), or run the step in a stage FROM --platform=$BUILDPLATFORM"
    )


def _emulated(architecture: str, binfmt: Path) -> bool:
    machine = _MACHINES.get(architecture, architecture)
    for entry in sorted(binfmt.glob("*")) if binfmt.is_dir() else ():
        if entry.name in (f"qemu-{machine}", machine):
            try:
                return entry.read_text().startswith("enabled")
            except OSError:
                return False
    return False
