"""A build context as a tar: the files of a folder but those that `.dockerignore` keeps at home.

docs.docker.com/build/concepts/context. Owners and times are not sent: they would make the same files differ.
"""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile

from core.dockerfile.ignore import Ignore, parse_ignore
from core.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import IO

IN_MEMORY = 32 << 20  # bytes of a context that need no file
IMAGE = "docker-image://"  # before a named context that is an image
CONTEXTS = ".onggi-contexts"  # where further contexts lie in the archive
ELSEWHERE = ".onggi-dockerfile"  # the name of a Dockerfile that lies outside of the context


def numbered(contexts: Mapping[str, str]) -> dict[str, str]:
    """Named contexts as the engine is told of them: images as they are, folders by the number in the archive."""
    numbers = iter(range(len(contexts)))
    return {name: text if text.startswith(IMAGE) else str(next(numbers)) for name, text in contexts.items()}


def pack(folder: str, dockerfile: str, contexts: Mapping[str, str] | None = None) -> tuple[IO[bytes], str]:
    """The context of `folder`, to be read from its beginning, and where in it the Dockerfile is.

    `contexts` = further ones by name, which go along beside it. `dockerfile` is a path as the user wrote it, from
    the working directory on. Raises InvalidArgument.
    """
    root = os.path.realpath(folder)
    if not os.path.isdir(root):
        raise InvalidArgument(f'unable to prepare context: path "{folder}" not found')
    path = dockerfile or os.path.join(folder, "Dockerfile")
    if not os.path.isfile(path):
        raise InvalidArgument(f"failed to read dockerfile: open {path}: no such file or directory")
    inside = os.path.relpath(
        os.path.join(os.path.realpath(os.path.dirname(path) or "."), os.path.basename(path)), root
    )
    outside = inside.startswith("../") or os.path.isabs(inside)
    ignore = _ignore(root, path)
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (the caller's)
    try:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name in _names(root, ignore, keep="" if outside else inside):
                _add(archive, os.path.join(root, name), name)
            if outside:
                _add(archive, os.path.realpath(path), ELSEWHERE)
            _pack_named(archive, contexts or {})
        file.seek(0)
    except OSError as error:
        file.close()
        raise InvalidArgument(f"cannot read the build context: {error.filename}: {error.strerror}") from error
    return file, ELSEWHERE if outside else inside


def _pack_named(archive: tarfile.TarFile, contexts: Mapping[str, str]) -> None:
    for name, number in numbered(contexts).items():
        if number.startswith(IMAGE):
            continue
        root = os.path.realpath(contexts[name])
        if not os.path.isdir(root):
            raise InvalidArgument(f'failed to get build context {name}: path "{contexts[name]}" not found')
        _add(archive, root, f"{CONTEXTS}/{number}")
        for path in _names(root, _ignore(root, ""), keep=""):
            _add(archive, os.path.join(root, path), f"{CONTEXTS}/{number}/{path}")


def pack_text(data: bytes) -> IO[bytes]:
    """A context with nothing but the Dockerfile `data`."""
    file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (the caller's)
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _append(archive, ELSEWHERE, data)
    file.seek(0)
    return file


def is_archive(head: bytes) -> bool:
    """Whether what begins with `head` (512 bytes) is a tar, compressed or not, and not a Dockerfile."""
    compressed = head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"))
    return compressed or head[257:262] == b"ustar"


def _ignore(root: str, dockerfile: str) -> Ignore:
    """The Dockerfile's own list where it has one, else the context's."""
    for path in (f"{dockerfile}.dockerignore", os.path.join(root, ".dockerignore")):
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                return parse_ignore(file.read())
        except FileNotFoundError:
            continue
    return Ignore()


def _names(root: str, ignore: Ignore, *, keep: str) -> Iterator[str]:
    """Paths from `root` on, a folder before what it holds. `keep` goes along whatever the list says."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        below = []
        with os.scandir(os.path.join(root, folder)) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
        for entry in children:
            name = f"{folder}/{entry.name}" if folder else entry.name
            ignored = ignore.ignores(name)
            if not ignored or name == keep:
                yield name
            if entry.is_dir(follow_symlinks=False) and (
                not ignored or ignore.may_hold(name) or keep.startswith(f"{name}/")
            ):
                below.append(name)
        waiting += reversed(below)


def _add(archive: tarfile.TarFile, path: str, name: str) -> None:
    found = os.lstat(path)
    if stat.S_ISSOCK(found.st_mode):
        return
    member = archive.gettarinfo(path, name)
    if member.islnk():  # another name of a file that went before: a copy, as for Docker
        member.type, member.size, member.linkname = tarfile.REGTYPE, found.st_size, ""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = int(found.st_mtime)
    if member.isreg():
        with open(path, "rb") as file:
            archive.addfile(member, file)
    else:
        archive.addfile(member)


def _append(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    import io

    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
