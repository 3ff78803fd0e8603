"""Mount options as mount(8) writes them -> attributes, propagation and the file system's own. Pure.

runtime-spec config.md, "Linux mount options".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from core.errors import InvalidSpec
from core.linux import constants as k


@dataclass(frozen=True, slots=True)
class Attributes:
    """MOUNT_ATTR_ bits to set and to clear, the same for every mount below, and an MS_ propagation (0 = as is)."""

    set: int = 0
    clear: int = 0
    deep_set: int = 0
    deep_clear: int = 0
    propagation: int = 0
    deep_propagation: bool = False

    def __repr__(self) -> str:
        changed = ((item.name, getattr(self, item.name)) for item in fields(self))
        return f"Attributes({', '.join(f'{name}={value:#x}' for name, value in changed if value)})"


UNCHANGED = Attributes()


@dataclass(frozen=True, slots=True)
class MountOptions:
    """One mount's options, sorted by who takes them."""

    attributes: Attributes
    data: tuple[tuple[str, str | None], ...] = ()
    bind: bool = False
    recursive: bool = False


# option -> (set, clear); with an `r` in front it holds for every mount below too
_FLAGS = {
    "ro": (k.MOUNT_ATTR_RDONLY, 0),
    "rw": (0, k.MOUNT_ATTR_RDONLY),
    "nosuid": (k.MOUNT_ATTR_NOSUID, 0),
    "suid": (0, k.MOUNT_ATTR_NOSUID),
    "nodev": (k.MOUNT_ATTR_NODEV, 0),
    "dev": (0, k.MOUNT_ATTR_NODEV),
    "noexec": (k.MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, k.MOUNT_ATTR_NOEXEC),
    "noatime": (k.MOUNT_ATTR_NOATIME, k.MOUNT_ATTR__ATIME),
    "atime": (0, k.MOUNT_ATTR__ATIME),
    "relatime": (0, k.MOUNT_ATTR__ATIME),
    "norelatime": (k.MOUNT_ATTR_STRICTATIME, k.MOUNT_ATTR__ATIME),
    "strictatime": (k.MOUNT_ATTR_STRICTATIME, k.MOUNT_ATTR__ATIME),
    "nostrictatime": (0, k.MOUNT_ATTR__ATIME),
    "nodiratime": (k.MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, k.MOUNT_ATTR_NODIRATIME),
    "nosymfollow": (k.MOUNT_ATTR_NOSYMFOLLOW, 0),
    "symfollow": (0, k.MOUNT_ATTR_NOSYMFOLLOW),
}
_PROPAGATION = {
    "private": k.MS_PRIVATE,
    "slave": k.MS_SLAVE,
    "shared": k.MS_SHARED,
    "unbindable": k.MS_UNBINDABLE,
}
_NOTHING = frozenset({"defaults", "async", "nomand", "loud", "silent", "noiversion"})
_REFUSED = frozenset({"remount", "idmap", "ridmap", "tmpcopyup", "copy-symlink"})


def parse(options: Iterable[str]) -> MountOptions:
    """Sort the options. Raises InvalidSpec for one that we know and cannot do."""
    own, deep = [0, 0], [0, 0]
    propagation, deep_propagation, bind, recursive = 0, False, False, False
    data: list[tuple[str, str | None]] = []
    for option in options:
        if option in ("bind", "rbind"):
            bind, recursive = True, recursive or option == "rbind"
        elif option.removeprefix("r") in _PROPAGATION:
            propagation = _PROPAGATION[option.removeprefix("r")]
            deep_propagation = option.startswith("r")
        elif option in _FLAGS:
            _merge(own, _FLAGS[option])
        elif option.startswith("r") and option[1:] in _FLAGS:
            _merge(deep, _FLAGS[option[1:]])
        elif option in _REFUSED:
            raise InvalidSpec(f"mount option {option!r} is not supported")
        elif option and option not in _NOTHING:
            key, equals, value = option.partition("=")
            data.append((key, value if equals else None))
    attributes = Attributes(own[0], own[1], deep[0], deep[1], propagation, deep_propagation)
    return MountOptions(attributes, tuple(data), bind, recursive)


def _merge(bits: list[int], change: tuple[int, int]) -> None:
    """The later option wins."""
    set_, clear = change
    bits[0] = bits[0] & ~clear | set_
    bits[1] = bits[1] & ~set_ | clear
