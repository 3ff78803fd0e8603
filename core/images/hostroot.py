"""A minimal root file system of the host's own shell and core tools, with the libraries they need.

Only files that every user of the host may read anyway, owned by root, in a fixed order: the same machine
gives the same archive.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.images.elf import Elf, read_elf

_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_EXTRAS = (
    "/lib/terminfo/x/xterm",
    "/lib/terminfo/x/xterm-256color",
    "/lib/terminfo/s/screen",
    "/lib/terminfo/l/linux",
    "/usr/share/terminfo/x/xterm",
    "/usr/share/terminfo/x/xterm-256color",
    "/usr/share/terminfo/s/screen",
    "/usr/share/terminfo/l/linux",
    "/etc/alpine-release",
    "/etc/os-release",
    "/usr/lib/os-release",
)
TOOLS = (
    "sh", "bash", "busybox", "ls", "cat", "cp", "mv", "rm", "mkdir", "rmdir", "ln", "chmod", "chown", "touch",
    "stat", "df", "du", "dd", "sync", "mktemp", "readlink", "realpath", "echo", "printf", "env", "true", "false",
    "test", "sleep", "date", "id", "whoami", "uname", "hostname", "pwd", "tty", "stty", "clear", "tput", "head",
    "tail", "wc", "sort", "uniq", "cut", "tr", "tee", "seq", "basename", "dirname", "xargs", "yes", "nproc",
    "grep", "sed", "awk", "find", "less", "more", "vi", "diff", "cmp", "tar", "gzip", "gunzip", "xz", "md5sum",
    "sha256sum", "od", "ps", "top", "kill", "pgrep", "pkill", "free", "uptime", "mount", "umount", "ip", "ss",
    "ping", "nc", "wget", "curl", "ifconfig", "netstat", "nohup", "timeout",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the root: a folder, a symbolic link (`link`), a host file (`source`) or `data`."""

    path: str
    mode: int
    link: str = ""
    source: Path | None = None
    data: bytes = b""


class HostRoot:
    """Collects host files with all that must come along."""

    def __init__(self, library_folders: Iterable[str] | None = None) -> None:
        self._items: dict[str, Item] = {}
        self._folders = tuple(library_folders) if library_folders is not None else tuple(library_paths())
        for folder in (Path("/", name) for name in _MERGED):
            if folder.is_symlink():
                self._link(folder)

    def items(self) -> tuple[Item, ...]:
        """Everything collected, by path."""
        return tuple(self._items[path] for path in sorted(self._items))

    def add_tools(self, names: Iterable[str] = TOOLS) -> None:
        """Those of the tools that the host has."""
        for name in names:
            found = next((Path(folder, name) for folder in _FOLDERS if Path(folder, name).exists()), None)
            if found is not None:
                self.add(found)
        for extra in _EXTRAS:
            if Path(extra).exists():
                self.add(Path(extra))

    def add(self, path: Path) -> None:
        """A host file under its own path: the links to it, itself, its interpreter and libraries."""
        target = self._add_links(path)
        if target is None or str(target) in self._items:
            return
        self._items[str(target)] = Item(
            str(target), stat.S_IFREG | (0o755 if os.access(target, os.X_OK) else 0o644), source=target
        )
        elf = read_elf(target)
        if elf is None:
            return
        if elf.interpreter:
            self.add(Path(elf.interpreter))
        for name in elf.needed:
            library = self._library(name, target, elf)
            if library is not None:
                self.add(library)

    def _add_links(self, path: Path) -> Path | None:
        """Every symbolic link on the way, as a link; the file at its end."""
        for _ in range(16):
            path = Path(os.path.realpath(path.parent)) / path.name
            if not path.is_symlink():
                return path if path.is_file() else None
            self._link(path)
            path = Path(os.path.normpath(path.parent / path.readlink()))
        return None

    def _link(self, path: Path) -> None:
        self._items[str(path)] = Item(str(path), stat.S_IFLNK | 0o777, link=str(path.readlink()))

    def _library(self, name: str, user: Path, elf: Elf) -> Path | None:
        own = [
            folder.replace("$ORIGIN", str(user.parent)).replace("${ORIGIN}", str(user.parent))
            for folder in elf.search
        ]
        for folder in (*own, *self._folders):
            candidate = Path(folder, name)
            if not candidate.is_file():
                continue
            found = read_elf(candidate)
            if found is not None and (found.bits, found.machine) == (elf.bits, elf.machine):
                return candidate
        return None


def library_paths() -> Iterator[str]:
    """The folders the dynamic loader looks into: ld.so.conf(5) and its defaults; musl's file, too."""
    yield from _conf(Path("/etc/ld.so.conf"), depth=4)
    for file in sorted(Path("/etc").glob("ld-musl-*.path")):
        yield from file.read_text(encoding="utf-8", errors="surrogateescape").replace(":", "\n").split()
    yield from ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")


def _conf(path: Path, depth: int) -> Iterator[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        line = line.partition("#")[0].strip()
        if line.startswith("include ") and depth:
            for file in sorted(Path("/").glob(line.removeprefix("include ").strip().lstrip("/"))):
                yield from _conf(file, depth - 1)
        elif line.startswith("/"):
            yield line
