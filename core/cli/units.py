"""Sizes as Docker words them (docker/go-units). Pure."""

from __future__ import annotations

_DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def _scaled(size: float, base: float, units: tuple[str, ...], digits: int) -> str:
    step = 0
    while size >= base and step < len(units) - 1:
        size /= base
        step += 1
    return f"{size:.{digits}g}{units[step]}"


def human_size(size: float, digits: int = 4) -> str:
    """Bytes in powers of 1000: `1.985MB`; with 3 digits `1.98MB`."""
    return _scaled(size, 1000.0, _DECIMAL, digits)


def binary_size(size: float) -> str:
    """Bytes in powers of 1024: `23.54GiB`."""
    return _scaled(size, 1024.0, _BINARY, 4)
