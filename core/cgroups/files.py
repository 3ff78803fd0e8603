"""Reading and writing cgroup files, and what v1 and v2 do alike. Raises OSError with the file's name."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from core.errors import SyscallFailed

_PATIENCE = 1.0  # seconds for processes that were killed to be gone, for a freeze, or for another engine to be done


def read(folder: str, name: str) -> str:
    """A whole file, "" where it is missing."""
    try:
        with open(f"{folder}/{name}", encoding="ascii") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write(folder: str, name: str, value: str) -> None:
    """One write(2), as the kernel wants it."""
    path = f"{folder}/{name}"
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(fd)


def open_all(paths: Iterable[str]) -> list[int]:
    """Open files for writing, all or none."""
    found: list[int] = []
    try:
        found.extend(os.open(path, os.O_WRONLY | os.O_CLOEXEC) for path in paths)
    except OSError:
        close_all(found)
        raise
    return found


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)


def enter(doors: Collection[int]) -> None:
    """Go through `Cgroup.doors`, and close them."""
    try:
        for fd in doors:
            os.write(fd, b"0")
    finally:
        close_all(doors)


def number(folder: str, name: str) -> int:
    """A file that holds one number; 0 where it is missing or says `max`."""
    text = read(folder, name).strip()
    return int(text) if text.lstrip("-").isdigit() else 0


def table(folder: str, name: str) -> dict[str, int]:
    """A file of lines `name number`."""
    found = {}
    for line in read(folder, name).splitlines():
        key, _, value = line.partition(" ")
        if value.strip().isdigit():
            found[key] = int(value)
    return found


def folders(folder: str) -> Iterator[str]:
    """`folder` and all below, the lowest first. Nothing where it is missing."""
    for path, _, _ in os.walk(folder, topdown=False):
        yield path


def pids(folder: str) -> list[int]:
    """The processes of `folder` and of all below."""
    found: list[int] = []
    for path in folders(folder):
        try:
            found += map(int, read(path, "cgroup.procs").split())
        except OSError as error:
            if error.errno != errno.ENODEV:  # removed while we read
                raise
    return found


def remove(folder: str) -> None:
    """Remove a tree of cgroups; nothing when it is gone. Processes that are dying get a second. EBUSY after it."""
    deadline = time.monotonic() + _PATIENCE
    pause = 0.0005
    while True:
        try:
            for path in folders(folder):
                os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 0.02)


@contextmanager
def whole(delete: Callable[[], None]) -> Iterator[None]:
    """Make a cgroup inside of this: what fails leaves none. Raises SyscallFailed for an OSError."""
    try:
        yield
    except BaseException as error:
        delete()
        if isinstance(error, OSError):
            raise SyscallFailed.of("make cgroup", error) from error
        raise


def again(make: Callable[[], None]) -> None:
    """Make a path of cgroups; when another engine takes an empty one of it away meanwhile, once more."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            make()
            return
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV) or time.monotonic() > deadline:
                raise


def prune(folder: str) -> None:
    """Remove a cgroup where it is there and nothing is in it."""
    try:
        os.rmdir(folder)
    except OSError:
        pass


def wait_until(reached: Callable[[], bool]) -> bool:
    """Poll, for a second at most; whether it came."""
    deadline = time.monotonic() + _PATIENCE
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True
