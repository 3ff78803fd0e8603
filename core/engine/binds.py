"""Where mounts come from: `-v` strings, `--mount` specs and the image's volumes, as mount points. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from core.errors import InvalidArgument
from core.model.container import HostConfig, MountPoint, MountSpec
from core.storage.volumes import check_volume_name

_PROPAGATIONS = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_MODES = frozenset({"ro", "rw", "z", "Z", "nocopy", "consistent", "cached", "delegated"}) | _PROPAGATIONS


def parse_bind(text: str) -> MountPoint:
    """One `source:destination[:mode]` of a request. A source that is no path names a volume."""
    parts = text.split(":")
    if len(parts) == 1:
        return MountPoint("volume", _destination(parts[0], text), driver="local")
    if len(parts) > 3 or not parts[0] or not parts[1]:
        raise InvalidArgument(f"invalid volume specification: '{text}'")
    source, destination = parts[0], _destination(parts[1], text)
    modes = [mode for mode in (parts[2].split(",") if len(parts) == 3 else []) if mode]
    for mode in modes:
        if mode not in _MODES:
            raise InvalidArgument(f"invalid mode: {parts[2]}")
    propagation = next((mode for mode in modes if mode in _PROPAGATIONS), "")
    shown = ",".join(modes)
    if source.startswith("/"):
        return MountPoint(
            "bind", destination, posixpath.normpath(source), mode=shown, rw="ro" not in modes,
            propagation=propagation or "rprivate",
        )  # fmt: skip
    check_volume_name(source)
    if propagation:
        raise InvalidArgument(f"invalid volume specification: '{text}'")
    return MountPoint("volume", destination, name=source, driver="local", mode=shown or "z", rw="ro" not in modes)


def parse_mount(spec: MountSpec) -> MountPoint:
    """One `--mount` of a request."""
    if not spec.target:
        raise InvalidArgument(f'invalid mount config for type "{spec.type}": field Target must not be empty')
    destination = _destination(spec.target, spec.target)
    if spec.type == "bind":
        if not spec.source:
            raise InvalidArgument('invalid mount config for type "bind": field Source must not be empty')
        if not spec.source.startswith("/"):
            raise InvalidArgument(
                f"invalid mount config for type \"bind\": invalid mount path: '{spec.source}' mount path must be "
                "absolute"
            )
        source = posixpath.normpath(spec.source)
        return MountPoint("bind", destination, source, rw=not spec.read_only, propagation="rprivate")
    if spec.type == "volume":
        if spec.source:
            check_volume_name(spec.source)
        return MountPoint("volume", destination, name=spec.source, driver="local", mode="z", rw=not spec.read_only)
    if spec.type == "tmpfs":
        if spec.source:
            raise InvalidArgument('invalid mount config for type "tmpfs": field Source must not be specified')
        return MountPoint("tmpfs", destination, rw=not spec.read_only)
    raise InvalidArgument(f'invalid mount config for type "{spec.type}": mount type unknown')


def mount_points(host: HostConfig, image_volumes: Iterable[str]) -> tuple[MountPoint, ...]:
    """Every mount of a container, each destination once. Volumes without a name are to be made anonymous.

    What the request mounts wins over the image's own volume at the same place. Raises InvalidArgument.
    """
    found: dict[str, MountPoint] = {}
    asked = [parse_bind(text) for text in host.binds] + [parse_mount(spec) for spec in host.mounts]
    for point in asked:
        if point.destination in found:
            raise InvalidArgument(f"Duplicate mount point: {point.destination}")
        found[point.destination] = point
    for path in host.tmpfs:
        if _destination(path, path) in found:
            raise InvalidArgument(f"Duplicate mount point: {path}")
    taken = {posixpath.normpath(path) for path in host.tmpfs}
    for path in image_volumes:
        destination = _destination(path, path)
        if destination not in found and destination not in taken:
            found[destination] = MountPoint("volume", destination, driver="local")
    return tuple(found.values())


def _destination(path: str, whole: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise InvalidArgument(
            f"invalid volume specification: '{whole}': invalid mount path: '{path}' mount path must be absolute"
        )
    clean = "/" + posixpath.normpath(path).lstrip("/")
    if clean == "/":
        raise InvalidArgument(
            f"invalid volume specification: '{whole}': invalid specification: destination can't be '/'"
        )
    return clean
