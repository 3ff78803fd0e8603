"""`.dockerignore` of a context that came as an archive or was cloned: who packed it may not have looked.

docs.docker.com/build/concepts/context. Docker's own client leaves files out before it sends them, and so does
ours; a tar from elsewhere holds all.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.dockerfile.ignore import Ignore, parse_ignore
from core.storage.tree import remove_tree

NAME = ".dockerignore"


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


def _goes(ignore: Ignore, path: str, kept: set[str], *, folder: bool) -> bool:
    """A folder goes only where nothing below it may stay."""
    if path in kept or not ignore.ignores(path):
        return False
    return not folder or not (ignore.may_hold(path) or any(name.startswith(f"{path}/") for name in kept))
