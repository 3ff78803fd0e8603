"""The recipes of plain tars that have no blob: ROOT/content/recipes/HEX, HEX the tar's digest.

A recipe is as good as the unpacked layer that it belongs to, which `locate` finds. Like a blob it may wait beside
its place until `settle`; a blob that stands in its place already goes only then.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from core.errors import CorruptStore
from core.oci.digest import Digest
from core.storage.assembly import Assembly
from core.storage.recipe import tar_size

Locate = Callable[[Digest], Path | None]


class AssembledTar:
    """A plain tar that is put together while it is read. See `Assembly`."""

    def __init__(self, recipe: int, folder: int) -> None:
        self._fds = (recipe, folder)
        try:
            self._assembly = Assembly(recipe, folder)
        except BaseException:
            self._close()
            raise
        self.size = self._assembly.size

    def read_some(self, limit: int) -> bytes:
        """Between 1 and `limit` bytes; b"" at the end. Raises CorruptStore."""
        return self._assembly.read_some(limit)

    def close(self) -> None:
        """Free what it holds."""
        self._assembly.close()
        self._close()

    def _close(self) -> None:
        for fd in self._fds:
            os.close(fd)


class Recipes:
    """The recipes of one ROOT. `locate` = the directory of the unpacked layer with this diffID, if there is one."""

    def __init__(self, folder: Path, ingest: Path) -> None:
        self._folder = folder
        self._ingest = ingest
        self._beside: dict[Digest, Path] = {}
        self.locate: Locate = lambda diff_id: None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin(self) -> tuple[Path, int]:
        """A new file beside, for `adopt`, and a descriptor for writing it."""
        path = self._ingest / secrets.token_hex(16)
        return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o400)

    def adopt(self, diff_id: Digest, path: Path) -> None:
        """`path`, which `begin` gave and is written now, is the recipe of the tar `diff_id`, whose layer stands."""
        if self.path(diff_id).is_file():
            path.unlink()
        else:
            self._beside[diff_id] = path

    def has(self, diff_id: Digest) -> bool:
        """Whether the tar can be put together."""
        return any(place.is_file() for place in self._places(diff_id)) and self.locate(diff_id) is not None

    def is_settled(self, diff_id: Digest) -> bool:
        """Whether the recipe outlives a crash."""
        return diff_id not in self._beside and (self._folder / diff_id.hex).is_file()

    def path(self, diff_id: Digest) -> Path:
        """Where the recipe is, or would be."""
        return self._beside.get(diff_id) or self._folder / diff_id.hex

    def size(self, diff_id: Digest) -> int | None:
        """Bytes of the tar; None where there is no recipe. Raises CorruptStore."""
        fd = self._open(diff_id)
        if fd is None:
            return None
        try:
            return tar_size(fd)
        finally:
            os.close(fd)

    def open(self, diff_id: Digest) -> tuple[int, int] | None:
        """Descriptors of the recipe and the layer's directory, the caller's to close; None where one is missing."""
        folder, recipe = self.locate(diff_id), self._open(diff_id)
        if folder is None or recipe is None:
            if recipe is not None:
                os.close(recipe)
            return None
        try:
            return recipe, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            os.close(recipe)
            raise CorruptStore(f"layer {diff_id} has lost its directory") from error

    def delete(self, diff_id: Digest) -> None:
        """Remove a recipe; a missing one is fine."""
        beside = self._beside.pop(diff_id, None)
        if beside is not None:
            beside.unlink(missing_ok=True)
        (self._folder / diff_id.hex).unlink(missing_ok=True)

    def forget(self) -> None:
        """What waited beside is gone."""
        self._beside.clear()

    def walk(self) -> Iterator[Digest]:
        """Every tar that there is a recipe of."""
        yield from list(self._beside)
        for entry in os.scandir(self._folder):
            if len(entry.name) == 64:
                yield Digest(f"sha256:{entry.name}")

    def unsettled(self) -> Mapping[Digest, Path]:
        """The recipes that wait beside their places."""
        return dict(self._beside)

    def settle(self, waiting: Mapping[Digest, Path]) -> None:
        """Put what `unsettled` told, and was synced since then, in its place. Blocks."""
        for digest, path in waiting.items():
            if self._beside.get(digest) == path:
                try:
                    path.rename(self._folder / digest.hex)
                except FileNotFoundError:
                    if self._beside.get(digest) == path:  # else nobody wants it any more
                        raise
                self._beside.pop(digest, None)
        if waiting:
            fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _open(self, diff_id: Digest) -> int | None:
        for place in self._places(diff_id):
            with suppress(FileNotFoundError):
                return os.open(place, os.O_RDONLY | os.O_CLOEXEC)
        return None

    def _places(self, diff_id: Digest) -> list[Path]:
        """Where it may be, in the order in which it moves; see `ContentStore`."""
        beside = self._beside.get(diff_id)
        return [*([beside] if beside else ()), self._folder / diff_id.hex]
