"""A build context as a tar: the files of a folder but those that `.dockerignore` keeps at home.

docs.docker.com/build/concepts/context. See `core.client.contexttar`.
"""

from __future__ import annotations

import os

from core.client.contexttar import IN_MEMORY, ContextTar
from core.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import IO

    from core.dockerfile.ignore import Ignore

__all__ = ["ARCHIVE", "CONTEXTS", "ELSEWHERE", "IMAGE", "IN_MEMORY", "is_archive", "numbered", "pack", "pack_text"]
IMAGE = "docker-image://"  # before a named context that is an image
ARCHIVE = "archive://"  # before the path of one that was downloaded: the engine unpacks it
CONTEXTS = ".onggi-contexts"  # where further contexts lie in the archive
LIST = ".dockerignore"
ELSEWHERE = ".onggi-dockerfile"  # the name of a Dockerfile that lies outside of the context


def numbered(contexts: Mapping[str, str]) -> dict[str, str]:
    """Named contexts as the engine is told of them: images as they are, others by the number in the archive."""
    numbers = iter(range(len(contexts)))
    return {
        name: text if text.startswith(IMAGE) else f"{next(numbers)}{'.tar' if text.startswith(ARCHIVE) else ''}"
        for name, text in contexts.items()
    }


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

    def fill(archive: ContextTar) -> None:
        for name in _names(root, ignore, keep=set() if outside else {inside, f"{inside}{LIST}", LIST}):
            archive.add(f"{root}/{name}", name)
        if outside:
            archive.add(os.path.realpath(path), ELSEWHERE)
        _pack_named(archive, contexts or {})

    return _packed(fill), ELSEWHERE if outside else inside


def _pack_named(archive: ContextTar, contexts: Mapping[str, str]) -> None:
    for name, number in numbered(contexts).items():
        if number.startswith(IMAGE):
            continue
        if number.endswith(".tar"):
            archive.add(contexts[name].removeprefix(ARCHIVE), f"{CONTEXTS}/{number}")
            continue
        root = os.path.realpath(contexts[name])
        if not os.path.isdir(root):
            raise InvalidArgument(f'failed to get build context {name}: path "{contexts[name]}" not found')
        archive.add(root, f"{CONTEXTS}/{number}")
        for path in _names(root, _ignore(root, ""), keep=set()):
            archive.add(f"{root}/{path}", f"{CONTEXTS}/{number}/{path}")


def pack_text(data: bytes, contexts: Mapping[str, str] | None = None) -> IO[bytes]:
    """A context with nothing but the Dockerfile `data`, and further ones. Raises InvalidArgument."""

    def fill(archive: ContextTar) -> None:
        archive.put(ELSEWHERE, data)
        _pack_named(archive, contexts or {})

    return _packed(fill)


def _packed(fill: Callable[[ContextTar], None]) -> IO[bytes]:
    archive = ContextTar()
    try:
        fill(archive)
        return archive.end()
    except OSError as error:
        archive.close()
        raise InvalidArgument(f"cannot read the build context: {error.filename}: {error.strerror}") from error
    except BaseException:
        archive.close()
        raise


def is_archive(head: bytes) -> bool:
    """Whether what begins with `head` (512 bytes) is a tar, compressed or not, and not a Dockerfile."""
    compressed = head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"))
    return compressed or head[257:262] == b"ustar"


def _ignore(root: str, dockerfile: str) -> Ignore | None:
    """The Dockerfile's own list where it has one, else the context's, else None."""
    for path in (f"{dockerfile}.dockerignore", os.path.join(root, LIST)):
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                text = file.read()
        except FileNotFoundError:
            continue
        from core.dockerfile.ignore import parse_ignore

        return parse_ignore(text)
    return None


def _names(root: str, ignore: Ignore | None, *, keep: set[str]) -> Iterator[str]:
    """Paths from `root` on, a folder before what it holds. What is in `keep` goes along whatever the list says.

    The engine takes it away once it has read it.
    """
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        below = []
        with os.scandir(os.path.join(root, folder)) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
        for entry in children:
            name = f"{folder}/{entry.name}" if folder else entry.name
            ignored = ignore is not None and ignore.ignores(name)
            if not ignored or name in keep:
                yield name
            if entry.is_dir(follow_symlinks=False) and (
                not ignored
                or (ignore and ignore.may_hold(name))
                or any(path.startswith(f"{name}/") for path in keep)
            ):
                below.append(name)
        waiting += reversed(below)
