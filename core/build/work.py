"""Who does what a step asks for, and in which words it is told. The solver decides; these do.

Implementations: `core.build.files` copies, the engine runs programs and pulls images.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.build.state import State
from core.dockerfile.instructions import Copy, Mount
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.image import ExecutionConfig, Platform

Output = Callable[[int, bytes], Awaitable[None]]  # stream 1 or 2, and bytes; waiting holds the program


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A file system that can be copied or mounted from: a folder, or layers by the snapshot on top ("" = empty)."""

    folder: Path | None = None
    snapshot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyWork:
    """COPY or ADD with every word expanded. `sources` are paths in `tree`, or URLs where ADD takes them.

    `target` is absolute; `target_is_folder` where it ended in a slash. `tree` None = the build context.
    """

    instruction: Copy
    sources: tuple[str, ...]
    target: str
    target_is_folder: bool
    tree: Tree | None
    shown: str = ""  # the target as written: history shows it so
    chown: str = ""
    chmod: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)  # for heredocs that expand

    @property
    def keeps_owners(self) -> bool:
        """Files of an image or a stage are copied with their owners; those of a context have none."""
        return not self.chown and self.tree is not None and self.tree.folder is None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a copy would copy: `digest` of all of it, `files` by path for who asks what has changed.

    `kind` is Docker's word: file, dir or multi.
    """

    digest: str
    kind: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWork:
    """RUN: a program in the active snapshot `key`. `env` is whole; `mounts` are of RUN --mount, trees by `from`."""

    key: str
    words: tuple[str, ...]
    env: tuple[str, ...]
    config: ExecutionConfig  # user, working directory
    mounts: tuple[tuple[Mount, Tree | None], ...] = ()
    network: str = "default"
    platform: Platform = field(default_factory=Platform)


class Files(Protocol):
    """Copies for one build: it knows the context and what of it is ignored."""

    async def fingerprint(self, work: CopyWork) -> Fingerprint:
        """Look at the sources. Raises InvalidArgument with Docker's words for one that is not there."""
        ...

    async def names(self, work: CopyWork) -> frozenset[str]:
        """What the sources are called in the history of images by Docker's builder, in any of its versions."""
        ...

    async def copy(self, work: CopyWork, key: str) -> None:
        """Copy into active snapshot `key`. Raises EngineError."""
        ...

    async def make_folder(self, key: str, path: str) -> None:
        """WORKDIR: make `path` in active snapshot `key`, owned by root. Raises EngineError."""
        ...


class Programs(Protocol):
    """Runs programs."""

    async def run(self, work: RunWork, output: Output) -> int:
        """The exit code. Cancelling ends the program. Raises EngineError where it cannot start."""
        ...


class Bases(Protocol):
    """Finds images, and pulls those that are not here."""

    async def image(self, name: str, platform: Platform, progress: Callable[[str, str, int, int], None]) -> Image:
        """Raises NoSuchImage and what a registry raises."""
        ...


class Inside(Protocol):
    """Keeps what steps come to, for those who want to look into it."""

    def stands(self, step: int, state: State) -> None:
        """What a step has come to; of one that did nothing yet and failed, what it was to begin with."""
        ...

    def fell(self, step: int, state: State, key: str) -> None:
        """A step failed in active snapshot `key` on top of `state`: take the snapshot over."""
        ...


class Layering(Protocol):
    """Snapshots and layers."""

    async def prepare(self, key: str, parent: str | None) -> None: ...
    async def seal(self, key: str, diff_ids: Sequence[Digest]) -> tuple[Digest, int] | None:
        """Turn what active snapshot `key` has changed into a layer on top of `diff_ids`: its diffID and bytes.

        None where nothing has changed. The snapshot is gone afterwards.
        """
        ...

    async def discard(self, key: str) -> None: ...
    def has(self, diff_ids: Sequence[Digest]) -> bool:
        """Whether all these layers are in the store, on top of each other."""
        ...

    def has_layer(self, diff_id: Digest) -> bool:
        """Whether a layer is in the store, whatever it lies on."""
        ...
