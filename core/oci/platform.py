"""Platforms as people write them: `os/architecture[/variant]`, or a part of it. containerd's platforms package."""

from __future__ import annotations

import re

from core.errors import InvalidArgument
from core.oci.image import Platform

_PART = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ARCHITECTURES = {
    "x86_64": ("amd64", ""), "x86-64": ("amd64", ""), "i386": ("386", ""), "i686": ("386", ""),
    "aarch64": ("arm64", ""), "armhf": ("arm", "v7"), "armel": ("arm", "v6"),
}  # fmt: skip

# What may stand alone. https://go.dev/doc/install/source#environment
_KNOWN = frozenset(
    ("linux", "windows", "freebsd", "386", "amd64", "arm", "arm64", "loong64", "mips", "mipsle", "mips64",
     "mips64le", "ppc64", "ppc64le", "riscv64", "s390x")
)  # fmt: skip


_MACHINES = {
    "x86_64": ("amd64", ""), "i386": ("386", ""), "i686": ("386", ""), "aarch64": ("arm64", ""),
    "armv6l": ("arm", "v6"), "armv7l": ("arm", "v7"), "armv8l": ("arm", "v7"), "loongarch64": ("loong64", ""),
}  # fmt: skip


def machine_platform(machine: str) -> Platform:
    """The platform of a Linux machine, named as `uname -m` does.

    64-bit ARM is of no variant: its only one, v8, is left out by convention (containerd, Normalize), so that
    builds see `linux/arm64`.
    """
    architecture, variant = _MACHINES.get(machine, (machine, ""))
    return Platform("linux", architecture, variant)


def variant_of(platform: Platform) -> str:
    """Its variant, the one that is meant where none is written."""
    return platform.variant or {"arm": "v7", "arm64": "v8"}.get(platform.architecture, "")


def parse_platform(text: str) -> Platform:
    """`linux/arm64/v8`, `arm64` (of linux). Raises InvalidArgument."""
    parts = text.lower().split("/")
    if not 1 <= len(parts) <= 3 or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidArgument(f'"{text[:80]}" is an invalid platform specifier: must be os/architecture/variant')
    if len(parts) == 1 and parts[0] not in _KNOWN and parts[0] not in _ARCHITECTURES:
        raise InvalidArgument(f'"{text[:80]}": unknown operating system or architecture: invalid argument')
    if len(parts) == 1:
        parts = [parts[0], ""] if parts[0] in ("linux", "windows", "freebsd") else ["linux", parts[0]]
    architecture, variant = _ARCHITECTURES.get(parts[1], (parts[1], ""))
    return Platform(parts[0], architecture or "amd64", parts[2] if len(parts) == 3 else variant)
