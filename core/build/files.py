"""COPY, ADD and WORKDIR for one build: the context, files that are written in the Dockerfile, and downloads.

The work is done by the zygote's jobs `look-at-sources`, `place` and `make-folder`; here is decided what they get.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from core.aio import off_loop
from core.build.work import CopyWork, Fingerprint
from core.dockerfile.giturl import GitSource, is_git, parse_git
from core.dockerfile.instructions import Copy
from core.dockerfile.words import Expander
from core.errors import InvalidArgument, NoSuchPath
from core.images.unpack import Zygote

_SHORTEST = 7  # characters of a commit's name that tell it


class Snapshots(Protocol):
    """Root file systems by key."""

    def rootfs(self, key: str) -> Mapping[str, Any]: ...


class Downloads(Protocol):
    """ADD of a URL: a folder with the one file in it."""

    async def fetch(self, url: str, folder: Path, checksum: str) -> str:
        """The file's name. Raises InvalidArgument, Unavailable."""
        ...


class Repositories(Protocol):
    """ADD of a git repository."""

    async def clone(self, source: GitSource, home: Path, *, keep: bool) -> tuple[str, Path]:
        """The commit, and where its files are. Raises InvalidArgument, Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class _Part:
    """Sources that lie in one tree. `tree` None with `folder` None = nothing can be copied.

    `commit` names what a repository has: its files need not be looked at. `local` = of the context or an image.
    """

    sources: tuple[str, ...]
    rootfs: Mapping[str, Any] | None = None
    folder: Path | None = None
    unpack: bool = False
    commit: str = ""
    local: bool = False


class BuildFiles:
    """`context` = the unpacked build context, None where the build has none; `scratch` = a folder of its own."""

    def __init__(
        self,
        zygote: Zygote,
        snapshots: Snapshots,
        *,
        context: Path | None,
        scratch: Path,
        downloads: Downloads,
        repositories: Repositories | None = None,
    ) -> None:
        self._zygote = zygote
        self._snapshots = snapshots
        self._context = context
        self._scratch = scratch
        self._downloads = downloads
        self._repositories = repositories
        self._fetched: dict[str, tuple[Path, str]] = {}
        self._cloned: dict[tuple[str, bool], tuple[str, Path]] = {}

    async def fingerprint(self, work: CopyWork) -> Fingerprint:
        """Look at the sources. Raises InvalidArgument with Docker's words for one that is not there."""
        files: dict[str, str] = {}
        count, directory = 0, False
        for part in await self._parts(work):
            if part.commit:
                count, directory = count + 1, True
                files[part.commit] = part.commit
                continue
            answer, digests = await self._look(part, work)
            count, directory = count + int(answer["count"]), bool(answer["directory"])
            files |= digests
        sha = hashlib.sha256()
        for name, digest in files.items():
            path = os.fsencode(name)
            sha.update(b"%d %s " % (len(path), digest.encode()) + path)
        kind = "multi" if count > 1 else "dir" if directory else "file"
        return Fingerprint(sha.hexdigest(), kind, files)

    async def names(self, work: CopyWork) -> frozenset[str]:
        """What Docker's builder calls the sources: of files that lie in one tree, and nothing of others."""
        parts = await self._parts(work)
        if len(parts) != 1 or not parts[0].local:
            return frozenset()
        part = parts[0]
        args = {"sources": list(part.sources), "rootfs": None if part.rootfs is None else dict(part.rootfs)}
        return frozenset((await self._job("sum-sources", args, part))["sums"])

    async def copy(self, work: CopyWork, key: str) -> None:
        """Copy into active snapshot `key`. Raises EngineError."""
        copy = work.instruction
        for part in await self._parts(work):
            args = {
                "rootfs": dict(self._snapshots.rootfs(key)), "sources": list(part.sources), "target": work.target,
                "folder": work.target_is_folder, "chown": work.chown, "chmod": work.chmod,
                "exclude": list(copy.exclude), "unpack": part.unpack, "owners": work.keeps_owners,
                "parents": copy.parents,
                "tree": None if part.rootfs is None else dict(part.rootfs),
            }  # fmt: skip
            await self._job("place", args, part)

    async def make_folder(self, key: str, path: str) -> None:
        """WORKDIR. Raises EngineError."""
        await self._zygote.run("make-folder", {"rootfs": dict(self._snapshots.rootfs(key)), "path": path})

    async def _parts(self, work: CopyWork) -> list[_Part]:
        copy = work.instruction
        written = {f"<<{heredoc.name}": heredoc for heredoc in copy.heredocs}
        plain: list[str] = []
        parts: list[_Part] = []
        for source in work.sources:  # the quotes are gone, which said whether a heredoc expands; it knows itself
            heredoc = written.get(source.replace("<<-", "<<", 1))
            if heredoc is not None:
                text = Expander(work.variables).text(heredoc.text) if heredoc.expand else heredoc.text
                parts.append(await off_loop(self._write, heredoc.name, text))
            elif copy.add and is_git(source) and not source.startswith("github.com/"):  # that may be a folder
                parts.append(await self._clone(source, copy))
            elif copy.add and _is_url(source):
                parts.append(await self._download(source, copy))
            else:
                plain.append(_checked(source, _verb(copy), in_context=work.tree is None))
        if plain and copy.checksum:
            raise InvalidArgument("checksum requires HTTP(S) or git sources")
        if plain:
            parts.insert(0, self._local(work, tuple(plain)))
        return parts

    def _local(self, work: CopyWork, sources: tuple[str, ...]) -> _Part:
        add = work.instruction
        unpack = add.add if add.unpack is None else add.unpack
        if work.tree is not None and work.tree.folder is None and work.tree.snapshot:
            return _Part(sources, rootfs=self._snapshots.rootfs(work.tree.snapshot), local=True)
        if work.tree is not None:
            return _Part(sources, folder=work.tree.folder or self._empty())
        if self._context is None:
            raise InvalidArgument(f"{_verb(work.instruction)} failed: there is no build context")
        return _Part(sources, folder=self._context, unpack=unpack, local=True)

    def _write(self, name: str, text: str) -> _Part:
        folder = self._scratch / secrets.token_hex(8)
        folder.mkdir(mode=0o700)
        file = folder / name
        file.write_text(text)
        file.chmod(0o644)
        os.utime(file, (0, 0))
        return _Part((name,), folder=folder)

    async def _download(self, url: str, copy: Copy) -> _Part:
        """Fetched once for a build, however often it is looked at."""
        if url not in self._fetched:
            folder = self._scratch / secrets.token_hex(8)
            await off_loop(folder.mkdir, mode=0o700)
            self._fetched[url] = folder, await self._downloads.fetch(url, folder, copy.checksum)
        folder, name = self._fetched[url]
        return _Part((name,), folder=folder, unpack=bool(copy.unpack))

    async def _clone(self, where: str, copy: Copy) -> _Part:
        """A repository's files, cloned once for a build. With a checksum its commit must begin so."""
        if self._repositories is None:
            raise InvalidArgument("ADD of a repository: nobody clones it here")
        source, key = parse_git(where), (where, copy.keep_git_dir)
        if key not in self._cloned:
            home = self._scratch / secrets.token_hex(8)
            self._cloned[key] = await self._repositories.clone(source, home, keep=copy.keep_git_dir)
        commit, folder = self._cloned[key]
        if copy.checksum and not (len(copy.checksum) >= _SHORTEST and commit.startswith(copy.checksum)):
            raise InvalidArgument(f"expected checksum to match {copy.checksum}, got {commit}")
        kept = " with .git" if copy.keep_git_dir else ""
        return _Part((".",), folder=folder, commit=f"{source.shown}#{commit}:{source.folder}{kept}")

    def _empty(self) -> Path:
        folder = self._scratch / "empty"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    async def _look(self, part: _Part, work: CopyWork) -> tuple[dict[str, Any], dict[str, str]]:
        copy = work.instruction
        args = {
            "sources": list(part.sources), "exclude": list(copy.exclude), "owners": work.keeps_owners,
            "parents": copy.parents,
            "rootfs": None if part.rootfs is None else dict(part.rootfs),
        }  # fmt: skip
        listing = os.open(self._scratch, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            answer = await self._job("look-at-sources", args, part, [listing])
            return answer, await off_loop(_digests, listing)
        except NoSuchPath as error:
            raise InvalidArgument(f"{_verb(copy)} failed: {error.message}") from error
        finally:
            os.close(listing)

    async def _job(self, name: str, args: dict[str, Any], part: _Part, fds: Sequence[int] = ()) -> dict[str, Any]:
        """Have a job done on the tree of `part`."""
        folder = -1 if part.folder is None else os.open(part.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            answer, _ = await self._zygote.run(name, args, [*fds] if folder < 0 else [*fds, folder])
            return answer
        finally:
            if folder >= 0:
                os.close(folder)


def _digests(listing: int) -> dict[str, str]:
    with open(listing, "rb", closefd=False) as file:
        file.seek(0)
        lines = file.read().split(b"\0")[:-1]
    pairs = (line.partition(b" ") for line in lines)
    return {os.fsdecode(name): digest.decode() for digest, _, name in pairs}


def _verb(copy: Copy) -> str:
    return "ADD" if copy.add else "COPY"


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _checked(source: str, verb: str, *, in_context: bool) -> str:
    """Docker refuses paths that climb out of the context; in an image `..` stops at the root by itself."""
    if in_context and posixpath.normpath(source.lstrip("/")).split("/")[0] == "..":
        raise InvalidArgument(f"{verb} failed: forbidden path outside the build context: {source} ()")
    return source
