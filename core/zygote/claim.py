"""The engine's claims: ROOT and RUN by a lock each, and the API's socket."""

from __future__ import annotations

import fcntl
import os
import socket
import time

from core.errors import Conflict, InvalidArgument, SyscallFailed
from core.paths import Paths
from core.zygote.options import Options

PATIENCE = 0.6  # seconds: an engine that is just ending has let go by then


def make_directories(paths: Paths) -> None:
    """ROOT for root alone; RUN can be walked through, so that a group may reach the socket in it."""
    try:
        os.makedirs(paths.root, 0o710, exist_ok=True)
        os.makedirs(paths.run, 0o711, exist_ok=True)
        for inner in (paths.root / "containers", paths.run / "containers"):
            os.makedirs(inner, 0o710, exist_ok=True)
    except OSError as error:
        raise SyscallFailed.of("make directory", error) from error


def lock(path: str) -> int:
    """Take the lock file at `path`; the descriptor that holds it. Raises Conflict within a second."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise SyscallFailed.of("open lock", error) from error
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
                os.close(fd)
                raise Conflict(f"start engine: another engine (pid {owner}) holds {path}") from None
            time.sleep(0.02)
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def listen(options: Options) -> socket.socket:
    """The API's socket, 0600 or for one group 0660. What lies there is stale: RUN is locked."""
    path = str(options.socket)
    if len(os.fsencode(path)) > 107:
        raise InvalidArgument(f"listen on {path}: the path is longer than 107 bytes")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    before = os.umask(0o177)
    try:
        if os.path.lexists(path):
            os.unlink(path)
        os.makedirs(os.path.dirname(path), 0o711, exist_ok=True)
        sock.bind(path)
        sock.listen(512)
        if options.group:
            os.chown(path, 0, group_id(options.group))
            os.chmod(path, 0o660)
    except OSError as error:
        sock.close()
        raise SyscallFailed("listen on", path, error.errno or 0) from error
    finally:
        os.umask(before)
    return sock


def group_id(name: str) -> int:
    """The number of a group of this machine. Raises InvalidArgument."""
    import grp  # the host's own database, asked once and only on request

    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise InvalidArgument(f"start engine: no such group: {name}") from None
