"""ROOT/trash: removed in one rename, so that a crash finds a thing whole or gone; emptied at leisure."""

from __future__ import annotations

import errno
import logging
import os
import queue
import secrets
import threading
import time
from pathlib import Path

from core.paths import Paths
from core.storage.content import sync_directory
from core.storage.tree import remove_tree

log = logging.getLogger(__name__)

_TRIES, _PAUSE = 50, 0.2  # times, seconds between two


class Trash:
    """Where directories go to die. `throw` costs a rename; a thread of its own does the rest.

    The thread is a daemon: an engine that ends does not wait for a large tree, the next one sweeps.
    """

    def __init__(self, paths: Paths) -> None:
        self._path = paths.trash
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._waiting: queue.Queue[str] = queue.Queue()
        self._thread: threading.Thread | None = None

    def throw(self, path: Path, *, durable: bool = False) -> None:
        """Move `path` into the trash; a missing one is fine. What cannot be removed then waits for `sweep`.

        `durable` syncs the move, for what no record tells to be garbage.
        """
        name = f"{path.name}-{secrets.token_hex(8)}"
        try:
            path.rename(self._path / name)
        except FileNotFoundError:
            return
        if durable:
            sync_directory(path.parent)
        self._empty_later(name)

    def sweep(self) -> None:
        """Begin to remove what an earlier engine left."""
        for entry in os.listdir(self._path):
            self._empty_later(entry)

    def wait(self) -> None:
        """Until everything thrown so far is gone."""
        self._waiting.join()

    def _empty_later(self, name: str) -> None:
        self._waiting.put(name)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="trash", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            name = self._waiting.get()
            try:
                self._remove(name)
            finally:
                self._waiting.task_done()

    def _remove(self, name: str) -> None:
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # the whole ROOT is gone
        try:
            for more in reversed(range(_TRIES)):
                try:
                    remove_tree(fd, name)
                except FileNotFoundError:
                    return
                except OSError as error:
                    if more and error.errno == errno.ENOTEMPTY:
                        time.sleep(_PAUSE)  # a job that was given up has not heard of it yet, and still writes
                        continue
                    log.warning("empty trash %s: %s", name, error)
                return
        finally:
            os.close(fd)
