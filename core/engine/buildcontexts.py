"""The contexts of a build: the main one, and those by name, which came along in its archive or are images."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from core.aio import off_loop
from core.build.ignoring import NAME, leave_out
from core.errors import InvalidArgument, NoSuchPath
from core.images.room import ImageRoom

IMAGE = "docker-image://"
CONTEXTS = ".onggi-contexts"  # in the archive: named contexts by number
_DOCKERFILE_LIMIT = 1 << 20  # bytes
_PACKED = ".tar"  # behind the number of one that is an archive
_EPOCH = re.compile(r"\d{1,12}")


class Contexts:
    """Makes contexts of what clients send."""

    def __init__(self, room: ImageRoom) -> None:
        self._room = room

    async def unpack(self, archive: int, home: Path, name: str = "context") -> Path:
        """The archive, a tar, as a folder in `home`. Raises BadArchive, SyscallFailed."""
        context = home / name
        await off_loop(context.mkdir, 0o755)
        target = os.open(context, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            await self._room.zygote.run("unpack", {"limit_bytes": self._room.content.room()}, [archive, target])
        finally:
            os.close(target)
        return context

    async def named(self, contexts: Mapping[str, str], context: Path, home: Path) -> dict[str, Path]:
        """Those that came along in the archive, as folders. Raises InvalidArgument, BadArchive, SyscallFailed."""
        found = await off_loop(set_apart, contexts, context, home)
        for name, path in found.items():
            if contexts[name].endswith(_PACKED):
                archive = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    found[name] = await self.unpack(archive, home, f"context-{path.stem}")
                finally:
                    os.close(archive)
        return found

    async def dockerfile(self, context: Path | None, name: str) -> bytes:
        """Read it inside the context, where a link of it cannot lead out. Raises InvalidArgument."""
        if context is None:
            raise InvalidArgument("there is neither a Dockerfile nor a build context")
        try:
            return await self._read(context, name)
        except NoSuchPath as error:
            raise InvalidArgument(f"Cannot locate specified Dockerfile: {name}") from error

    async def leave_out(self, context: Path, dockerfile: str) -> None:
        """Remove what `.dockerignore` names, where there is one. Raises InvalidArgument for one that is wrong."""
        with suppress(NoSuchPath):
            text = await self._read(context, NAME)
            await off_loop(leave_out, context, text, dockerfile=dockerfile)

    async def _read(self, context: Path, name: str) -> bytes:
        output = os.open(context.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            rootfs = {"lower": [str(context)], "upper": None, "work": None}
            args = {"rootfs": rootfs, "path": name, "limit": _DOCKERFILE_LIMIT + 1}
            await self._room.zygote.run("read-file", args, [output])
            return await off_loop(os.pread, output, _DOCKERFILE_LIMIT + 1, 0)
        finally:
            os.close(output)


def images_of(contexts: Mapping[str, str]) -> dict[str, str]:
    """Named contexts that are images: `docker-image://REFERENCE`."""
    return {name: text.removeprefix(IMAGE) for name, text in contexts.items() if text.startswith(IMAGE)}


def set_apart(contexts: Mapping[str, str], context: Path, home: Path) -> dict[str, Path]:
    """Named contexts that came along in the archive, where COPY of the main one does not see them.

    Each is a folder, or an archive by itself.
    """
    if all(text.startswith(IMAGE) for text in contexts.values()):
        return {}
    apart = home / "contexts"
    came = context / CONTEXTS
    if came.is_symlink() or not came.is_dir():
        came = home / "none"
        came.mkdir(mode=0o700)
    came.rename(apart)
    folders = {}
    for name, text in contexts.items():
        if text.startswith(IMAGE):
            continue
        path, packed = apart / text, text.endswith(_PACKED)
        is_there = not path.is_symlink() and (path.is_file() if packed else path.is_dir())
        if not text.removesuffix(_PACKED).isdecimal() or not is_there:
            raise InvalidArgument(f"build context {name} did not come along")
        folders[name] = path
    return folders


def empty_archive() -> IO[bytes]:
    file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller's)
    file.write(bytes(1024))  # two zero blocks
    file.seek(0)
    return file


def epoch_of(text: str) -> int | None:
    """SOURCE_DATE_EPOCH. reproducible-builds.org/docs/source-date-epoch."""
    if not text:
        return None
    if not _EPOCH.fullmatch(text):
        raise InvalidArgument(f"invalid SOURCE_DATE_EPOCH: {text}")
    return int(text)
