"""One file of an image, for whoever looks at it: the zygote's job `read-file`.

Runs in a child of the zygote with a mount namespace of its own. The path is the image's and the user's: the
kernel resolves it inside the root, no link leads out, and what is no regular file is not opened for reading.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from core.errors import InvalidArgument, NoSuchPath, SyscallFailed
from core.linux.constants import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS
from core.linux.syscalls import openat2
from core.storage.copy import open_rootfs
from core.storage.roots import inside

_CHUNK = 1 << 16


def run_read_file(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """`rootfs`, `path`, `limit` (bytes); a descriptor to write the beginning of the file to.

    Answers `{"size", "mode"}` of the whole file. Raises NoSuchPath, InvalidArgument, SyscallFailed.
    """
    (output,) = fds
    path, limit = str(args["path"]), int(args["limit"])
    try:
        root = open_rootfs(args["rootfs"], with_mounts=False)
        file = _open(root, path)
        found = os.fstat(file)
        left = limit
        while left and (piece := os.read(file, min(_CHUNK, left))):
            left -= len(piece)
            view = memoryview(piece)
            while view:
                view = view[os.write(output, view) :]
    except OSError as error:
        raise SyscallFailed.of("read file of image", error) from error
    return {"size": found.st_size, "mode": stat.S_IMODE(found.st_mode)}


def _open(root: int, path: str) -> int:
    name = os.fsdecode(b"/".join(inside(path))) or "."
    resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
    try:
        place = openat2(root, name, os.O_PATH | os.O_CLOEXEC, 0, resolve)
        kind = os.fstat(place).st_mode
        os.close(place)
        if not stat.S_ISREG(kind):  # opening a device or a fifo does things
            raise InvalidArgument(f"{path} is not a regular file")
        # O_NONBLOCK: should it have become a fifo meanwhile, it must not hang us.
        file = openat2(root, name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, 0, resolve)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchPath(f"Could not find the file {path} in image") from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        raise InvalidArgument(f"{path} is not a regular file")
    return file
