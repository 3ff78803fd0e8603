"""`user[:group]` as an image or a user writes it -> numbers, by the image's own passwd and group files.

Those files are hostile: they are resolved inside the root, must be regular, and are read bounded. The host's
databases are never asked. passwd(5), group(5), runtime-spec config.md "User".
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.errors import InvalidArgument
from core.oci.runtime import User
from core.runtime import rootfs

_FILE_LIMIT = 1 << 20  # bytes
_LINE_LIMIT = 64 * 1024
_ID_LIMIT = (1 << 31) - 1  # as Docker: more would wrap somewhere (CVE-2024-40635)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Numbers, and the home folder of the user ("/" where the image knows none)."""

    user: User
    home: str


def resolve(root_fd: int, user: str, groups: Sequence[str] = ()) -> Resolved:
    """Look up `user[:group]` ("" = root) and the additional `groups`. Raises InvalidArgument."""
    name, colon, group = user.partition(":")
    entries = list(_lines(root_fd, "/etc/passwd", 7))
    found_groups = list(_lines(root_fd, "/etc/group", 4))
    uid, gid, login, home = _user(name or "0", entries)
    asked_group = bool(colon and group)
    if asked_group:
        gid = _group(group, found_groups)
    members = {gid}
    if not asked_group and login:
        members |= {_number(line[2]) for line in found_groups if login in line[3].split(",")} - {-1}
    members |= {_group(item, found_groups) for item in groups}
    # The primary group is among them too: without it a negative permission of that group could be shed.
    return Resolved(User(uid, gid, None, (gid, *sorted(members - {gid}))), home or "/")


def _user(name: str, entries: list[list[str]]) -> tuple[int, int, str, str]:
    """uid, gid, login name and home. A number is a number, whatever user has it as name (CVE-2016-3697)."""
    number = _asked_number(name)
    for entry in entries:
        if (entry[0] == name) if number is None else (_number(entry[2]) == number):
            uid, gid = _number(entry[2]), _number(entry[3])
            if uid < 0 or gid < 0:
                raise InvalidArgument(f"user {name[:80]} of /etc/passwd has an id out of range")
            return uid, gid, entry[0], entry[5]
    if number is None:
        raise InvalidArgument(f"unable to find user {name[:80]}: no matching entries in passwd file")
    return number, 0, "", ""


def _group(name: str, entries: list[list[str]]) -> int:
    number = _asked_number(name)
    if number is not None:
        return number
    for entry in entries:
        if entry[0] == name and _number(entry[2]) >= 0:
            return _number(entry[2])
    raise InvalidArgument(f"unable to find group {name[:80]}: no matching entries in group file")


def _asked_number(text: str) -> int | None:
    """The number that `text` is, None for a name. Raises InvalidArgument for one out of range."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if text != digits or len(digits) > 10 or int(digits) > _ID_LIMIT:
        raise InvalidArgument(f"uids and gids must be in range 0-{_ID_LIMIT}")
    return int(digits)


def _number(text: str) -> int:
    """An id in a file, -1 for what is none."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _ID_LIMIT:
        return int(text)
    return -1


def _lines(root_fd: int, path: str, fields: int) -> Iterator[list[str]]:
    """The well-formed lines of a file; nothing where it is missing, of another kind, or too long to be true."""
    try:
        fd = rootfs.find(root_fd, path, flags=os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        data = os.read(fd, _FILE_LIMIT) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    finally:
        os.close(fd)
    for line in data.split(b"\n"):
        if len(line) > _LINE_LIMIT or line.startswith(b"#"):
            continue
        parts = line.decode("utf-8", "surrogateescape").strip().split(":")
        if len(parts) >= fields and parts[0]:
            yield parts
