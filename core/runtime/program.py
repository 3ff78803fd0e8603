"""Finding the program as its user, in Docker's words when it is not there. execve(2), Go's exec.LookPath."""

from __future__ import annotations

import errno
import os
import stat

from core.errors import InitFailed

NOT_FOUND, NOT_EXECUTABLE = 127, 126


def look_up(name: str, search: tuple[str, ...]) -> str:
    """The path to execute. A name with a slash is a path; any other is looked for in `search`.

    Raises InitFailed with exit code 127 (not there) or 126 (there, but not to be executed).
    """
    if "/" in name:
        number = _obstacle(name)
        if number:
            raise cannot(name, f"stat {name}: " if number == errno.ENOENT else "", number)
        return name
    for folder in search:
        path = os.path.join(folder or ".", name)
        if not _obstacle(path):
            return path
    raise InitFailed(f'exec: "{name}": executable file not found in $PATH', exit_code=NOT_FOUND)


def cannot(name: str, during: str, number: int) -> InitFailed:
    """The failure for an errno of stat(2) or execve(2)."""
    code = NOT_FOUND if number in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) else NOT_EXECUTABLE
    return InitFailed(f'exec: "{name}": {during}{os.strerror(number).lower()}', exit_code=code)


def _obstacle(path: str) -> int:
    """The errno that stands in the way of executing `path`, or 0."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return error.errno or errno.ENOENT
    if stat.S_ISDIR(mode):
        return errno.EISDIR
    return 0 if os.access(path, os.X_OK, effective_ids=True) else errno.EACCES
