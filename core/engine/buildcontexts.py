"""The contexts of a build: those by name, which came along in the archive of the main one or are images."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from core.errors import InvalidArgument

IMAGE = "docker-image://"
CONTEXTS = ".onggi-contexts"  # in the archive: named contexts by number
_EPOCH = re.compile(r"\d{1,12}")


def images_of(contexts: Mapping[str, str]) -> dict[str, str]:
    """Named contexts that are images: `docker-image://REFERENCE`."""
    return {name: text.removeprefix(IMAGE) for name, text in contexts.items() if text.startswith(IMAGE)}


def set_apart(contexts: Mapping[str, str], context: Path, home: Path) -> dict[str, Path]:
    """Named contexts that came along in the archive, as folders where COPY of the main one does not see them."""
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
        folder = apart / text
        if not text.isdigit() or folder.is_symlink() or not folder.is_dir():
            raise InvalidArgument(f"build context {name} did not come along")
        folders[name] = folder
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
