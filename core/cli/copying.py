"""Docker's rules of `cp`: what a source is called at its destination. Pure. moby pkg/archive copy.go."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from core.cli.failure import CommandFailed


@dataclass(frozen=True, slots=True)
class Place:
    """A destination: `path` as it was written, and what is there."""

    path: str
    exists: bool
    is_directory: bool = False


@dataclass(frozen=True, slots=True)
class Aim:
    """The directory that everything goes into, and the name that the source gets there; "" = only what it holds."""

    folder: str
    name: str


def split(argument: str) -> tuple[str, str]:
    """`CONTAINER:PATH` as both; a path of this machine has no container."""
    container, colon, path = argument.partition(":")
    if argument.startswith("/") or not colon or container.startswith("."):
        return "", argument
    return container, path


def base_of(path: str) -> str:
    """The name of what `path` means; "" where its contents are meant (`dir/.`, `.`), or it is the root."""
    if path in (".", "") or path.endswith("/."):
        return ""
    name = posixpath.basename(posixpath.normpath(path))
    return "" if name == "." else name


def asserts_directory(path: str) -> bool:
    """Whether a path can only be a directory's."""
    return path in (".", "") or path.endswith(("/", "/."))


def aim(source_name: str, source_is_directory: bool, destination: Place) -> Aim:
    """Where a source called `source_name` goes. Raises CommandFailed with Docker's words."""
    folder, name = posixpath.split(posixpath.normpath(destination.path))
    if destination.exists and destination.is_directory:
        return Aim(destination.path, source_name)
    if destination.exists and source_is_directory:
        raise CommandFailed("cannot copy directory")
    if not destination.exists and not source_is_directory and asserts_directory(destination.path):
        raise CommandFailed("no such directory")
    return Aim(folder or ".", name)
