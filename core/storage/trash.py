"""ROOT/trash: removed in one rename, so that a crash finds a thing whole or gone; emptied at leisure."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from core.paths import Paths
from core.storage.content import sync_directory
from core.storage.tree import remove_tree

log = logging.getLogger(__name__)


class Trash:
    """Where directories go to die. All methods block: call them off the loop."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.trash
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def throw(self, path: Path, *, durable: bool = False) -> None:
        """Move `path` into the trash and empty it; a missing one is fine. What cannot be removed waits.

        `durable` syncs the move, for what no record tells to be garbage.
        """
        name = f"{path.name}-{secrets.token_hex(8)}"
        try:
            path.rename(self._path / name)
        except FileNotFoundError:
            return
        if durable:
            sync_directory(path.parent)
        self._remove(name)

    def sweep(self) -> None:
        """Try again what an earlier engine could not remove."""
        for entry in os.listdir(self._path):
            self._remove(entry)

    def _remove(self, name: str) -> None:
        fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            remove_tree(fd, name)
        except OSError as error:
            log.warning("empty trash %s: %s", name, error)
        finally:
            os.close(fd)
