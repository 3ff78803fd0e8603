"""The starter image: what this machine itself has, so that the first container needs no network at all.

Its busybox where that is one static file, else its shell and core tools with their libraries. Times are those
of the newest file that went in, so the same machine gives the same image id.
"""

from __future__ import annotations

import datetime
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from core.aio import off_loop_to_end
from core.errors import Unsupported
from core.images.archive_read import FileSource
from core.images.elf import read_elf
from core.images.hostroot import HostRoot, Item
from core.images.importer import Importer
from core.model.events import Progress
from core.oci.digest import Digest
from core.oci.image import ExecutionConfig
from core.oci.reference import Reference
from core.storage.content import ContentStore
from core.storage.tarwrite import END, Member, header, padding

STARTER = "onggi/starter:latest"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BUSYBOX = ("/bin/busybox", "/usr/bin/busybox", "/bin/busybox.static", "/usr/local/bin/busybox")
_CHUNK = 1 << 18
_PASSWD = """root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
_GROUP = "root:x:0:\ndaemon:x:1:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n"
_SKELETON = (
    Item("/dev", stat.S_IFDIR | 0o755),
    Item("/etc/group", stat.S_IFREG | 0o644, data=_GROUP.encode()),
    Item("/etc/passwd", stat.S_IFREG | 0o644, data=_PASSWD.encode()),
    Item("/home", stat.S_IFDIR | 0o755),
    Item("/proc", stat.S_IFDIR | 0o755),
    Item("/root", stat.S_IFDIR | 0o700),
    Item("/sys", stat.S_IFDIR | 0o755),
    Item("/tmp", stat.S_IFDIR | 0o1777),
    Item("/var/tmp", stat.S_IFDIR | 0o1777),
)


class Zygote(Protocol):
    """Who runs a program for us."""

    async def run(
        self, job: str, args: dict[str, Any] | None = None, fds: Sequence[int] = ()
    ) -> tuple[dict[str, Any], list[int]]: ...


async def make_starter(
    importer: Importer, content: ContentStore, zygote: Zygote, report: Callable[[Progress], None]
) -> Digest:
    """Make the image and name it; its id. Raises Unsupported where the machine has not even a shell."""
    report(Progress(status="Collecting files of this machine"))
    busybox = await off_loop_to_end(find_busybox)
    if busybox is not None:
        items, comment = (
            busybox_root(busybox, await applets(zygote, busybox)),
            f"Made from {busybox} of this machine",
        )
    else:
        items, comment = await off_loop_to_end(host_root), "Made from the shell and core tools of this machine"
    fd = content.scratch()
    try:
        total = await off_loop_to_end(_write, fd, items)
        return await importer.make(
            FileSource(fd).read_some,
            ExecutionConfig(cmd=("sh",), env=(PATH,)),
            created=datetime.datetime.fromtimestamp(newest(items), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            comment=comment,
            target=Reference.parse(STARTER),
            total=total,
            report=report,
        )
    finally:
        os.close(fd)


def find_busybox(candidates: Sequence[str] = BUSYBOX) -> Path | None:
    """The first of `candidates` that is there and needs no other file to run."""
    for candidate in candidates:
        path = Path(os.path.realpath(candidate))
        try:
            elf = read_elf(path)
        except OSError:
            continue
        if elf is not None and elf.static:
            return path
    return None


async def applets(zygote: Zygote, busybox: Path) -> tuple[str, ...]:
    """Where busybox wants its applets: paths like `bin/ls`. Raises Unsupported where it does not tell."""
    answer, _ = await zygote.run("list-applets", {"path": str(busybox)})
    return tuple(map(str, answer["names"]))


def busybox_root(busybox: Path, names: Iterable[str]) -> tuple[Item, ...]:
    """Busybox at /bin/busybox, a link for every applet, and the few files a root needs."""
    items = [*_SKELETON, Item("/bin/busybox", stat.S_IFREG | 0o755, source=busybox)]
    for name in names:
        depth = name.count("/")
        link = "busybox" if name.startswith("bin/") and depth == 1 else "../" * depth + "bin/busybox"
        if name not in ("bin/busybox", "linuxrc"):
            items.append(Item(f"/{name}", stat.S_IFLNK | 0o777, link=link))
    return _with_folders(items)


def host_root() -> tuple[Item, ...]:
    """The host's shell and core tools. Raises Unsupported."""
    root = HostRoot()
    root.add_tools()
    items = root.items()
    if not any(Path(item.path).name == "sh" for item in items):
        raise Unsupported("this machine has neither busybox nor a shell to make an image of")
    return _with_folders([*_SKELETON, *items])


def newest(items: Iterable[Item]) -> int:
    """The latest time of the host's files, in seconds: the time of everything in the image."""
    return max((int(item.source.stat().st_mtime) for item in items if item.source), default=0)


def archive(items: Sequence[Item]) -> Iterator[bytes]:
    """The tar of `items`, in pieces. Raises OSError."""
    mtime = newest(items)
    for item in items:
        name = item.path.lstrip("/").encode("utf-8", "surrogateescape")
        if item.source is None:
            size = len(item.data)
            yield header(
                Member(name, item.mode, size, mtime=mtime, link=item.link.encode("utf-8", "surrogateescape"))
            )
            yield item.data + padding(size)
            continue
        with item.source.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            yield header(Member(name, item.mode, size, mtime=mtime))
            while piece := file.read(min(_CHUNK, size)):
                size -= len(piece)
                yield piece
            yield bytes(size) + padding(os.fstat(file.fileno()).st_size)
    yield END


def _with_folders(items: Iterable[Item]) -> tuple[Item, ...]:
    """`items` by path, the folders that nobody named among them."""
    found = {item.path: item for item in items}
    for path in list(found):
        for parent in Path(path).parents:
            if str(parent) != "/":
                found.setdefault(str(parent), Item(str(parent), stat.S_IFDIR | 0o755))
    return tuple(found[path] for path in sorted(found))


def _write(fd: int, items: Sequence[Item]) -> int:
    total = 0
    for piece in archive(items):
        total += len(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(fd, view) :]
    return total
