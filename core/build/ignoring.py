"""`.dockerignore` of a context that came as an archive or was cloned: who packed it may not have looked.

docs.docker.com/build/concepts/context. Docker's own client leaves files out before it sends them, and so does
ours; a tar from elsewhere holds all.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path, PurePosixPath

from core.dockerfile.ignore import Ignore, parse_ignore
from core.linux.constants import RESOLVE_NO_SYMLINKS
from core.linux.syscalls import openat2
from core.storage.tree import remove_tree

NAME = ".dockerignore"
_LIMIT = 1 << 20  # bytes of a list
GUEST = ".onggi-dockerfile"  # what our client calls a Dockerfile that lies outside of the context


def leave_out(context: Path, text: bytes, *, dockerfile: str) -> int:
    """Remove from `context` what the list `text` names, but the list and the Dockerfile; how many. Blocks.

    No link is followed. Raises InvalidArgument for a list that cannot be read, OSError.
    """
    ignore = parse_ignore(text.decode("utf-8", "surrogateescape"))
    kept = {NAME, os.path.normpath(dockerfile)}
    removed = 0
    root = os.open(context, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for folder, folders, files, fd in os.fwalk(".", follow_symlinks=False, dir_fd=root):
            prefix = folder.removeprefix(".").lstrip("/")
            for name in [*files, *folders]:
                path = f"{prefix}/{name}" if prefix else name
                if _goes(ignore, path, kept, folder=name in folders):
                    remove_tree(fd, name)
                    removed += 1
                    if name in folders:
                        folders.remove(name)
    finally:
        os.close(root)
    return removed


def hide(context: Path, dockerfile: str) -> None:
    """Remove the list and the Dockerfile, which have been read, where the list names them: no copy is to see them.

    They came along all the same: moby builder/remotecontext/detect.go, removeDockerfile. A Dockerfile from outside
    goes in any case. No link is followed. Blocks. Raises InvalidArgument for a list that cannot be read, OSError.
    """
    name = os.path.normpath(dockerfile)
    own = f"{name}{NAME}"
    root = os.open(context, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        text = _text(root, own)
        text = _text(root, NAME) if text is None else text
        ignore = parse_ignore(text or "")
        for path in (name, own, NAME):
            if path == GUEST or ignore.ignores(path):
                _unlink(root, PurePosixPath(path))
    finally:
        os.close(root)


def _text(root: int, path: str) -> str | None:
    """What a list says; None where there is none that is a plain file."""
    try:
        fd = openat2(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, 0, RESOLVE_NO_SYMLINKS)
    except OSError:
        return None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return file.read(_LIMIT).decode("utf-8", "surrogateescape")


def _unlink(root: int, path: PurePosixPath) -> None:
    with suppress(OSError):  # it is not there, or behind a link
        folder = openat2(root, str(path.parent), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, 0, RESOLVE_NO_SYMLINKS)
        try:
            os.unlink(path.name, dir_fd=folder)
        finally:
            os.close(folder)


def _goes(ignore: Ignore, path: str, kept: set[str], *, folder: bool) -> bool:
    """A folder goes only where nothing below it may stay."""
    if path in kept or not ignore.ignores(path):
        return False
    return not folder or not (ignore.may_hold(path) or any(name.startswith(f"{path}/") for name in kept))
