"""`RUN --mount`: what a step of a build gets mounted, made for the step and gone with it, caches apart.

docs.docker.com/reference/dockerfile, "RUN --mount". Nothing is mounted from a path that a Dockerfile wrote: sources
are found inside their tree first, and what may be written to is a copy. The empty places that mounts need in the
root are taken out again before the layer is made.
"""

from __future__ import annotations

import base64
import binascii
import os
import posixpath
import secrets
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from core.aio import off_loop, off_loop_to_end
from core.build.work import Output, RunWork, Tree
from core.dockerfile.instructions import Mount
from core.engine.buildagents import serve_agent
from core.engine.buildcaches import Caches
from core.engine.buildplatforms import check_runs
from core.engine.buildruns import DEFAULT, BuildRuns
from core.engine.buildsessions import Session
from core.errors import InvalidArgument
from core.images.layouts import host_platform
from core.images.unpack import Zygote
from core.model.container import HostConfig, MountPoint

_SECRET_LIMIT = 500 * 1024  # bytes, BuildKit's own
_FILE_LIMIT = 1 << 40
_TRUE = frozenset({"", "true", "1"})


class Snapshots(Protocol):
    """Root file systems by key."""

    def rootfs(self, key: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What one build has: `secrets` by id."""

    context: Path | None
    scratch: Path
    private: Path  # where secrets lie while a step runs: in memory
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    host: HostConfig = DEFAULT
    session: Session | None = None  # by which the client's agents are reached
    ssh: frozenset[str] = frozenset()  # their ids


@dataclass(frozen=True, slots=True)
class Made:
    """What a step gets: mounts, and variables for secrets that want to be one."""

    points: tuple[MountPoint, ...] = ()
    env: tuple[str, ...] = field(default=(), repr=False)


class BuildPrograms:
    """Runs the programs of one build, with their mounts."""

    def __init__(
        self, runs: BuildRuns, zygote: Zygote, snapshots: Snapshots, caches: Caches, around: Surroundings
    ) -> None:
        self._runs = runs
        self._zygote = zygote
        self._snapshots = snapshots
        self._caches = caches
        self._around = around
        self._makers: dict[str, Callable[[Mount, Tree | None, AsyncExitStack], Awaitable[Made]]] = {
            "bind": self._bind,
            "cache": self._cache,
            "tmpfs": self._tmpfs,
            "secret": self._secret,
            "ssh": self._ssh,
        }

    async def run(self, work: RunWork, output: Output) -> int:
        """The exit code. Raises what its mounts and its start raise."""
        check_runs(work.platform, host_platform())
        async with self._made(work) as made:
            code = await self._runs.run(work, made.points, made.env, output, self._around.host)
        if made.points:
            await self._runs.released(work.key)
            rootfs = dict(self._snapshots.rootfs(work.key))
            await self._zygote.run(
                "remove-stubs", {"rootfs": rootfs, "paths": [point.destination for point in made.points]}
            )
        return code

    @asynccontextmanager
    async def _made(self, work: RunWork) -> AsyncIterator[Made]:
        async with AsyncExitStack() as undo:
            points: list[MountPoint] = []
            env: list[str] = []
            for mount, tree in work.mounts:
                made = await self._makers[mount.type](mount, tree, undo)
                points += made.points
                env += made.env
            yield Made(tuple(points), tuple(env))

    async def _bind(self, mount: Mount, tree: Tree | None, undo: AsyncExitStack) -> Made:
        writable = _is_on(mount, "readwrite")
        source = mount.get("source") or "/"
        if tree is None and not writable:
            path = await off_loop(self._in_context, source)
        else:
            path = await self._copy(source, tree, undo)
        return Made((_point(mount, _target(mount), path, rw=writable),))

    def _in_context(self, source: str) -> Path:
        """The place in the context, every link followed; nobody changes the context while it is built from."""
        if self._around.context is None:
            raise InvalidArgument("RUN --mount=type=bind: there is no build context")
        root = os.path.realpath(self._around.context)
        path = os.path.realpath(f"{root}/{source.lstrip('/')}")
        if path != root and not path.startswith(f"{root}/"):
            raise InvalidArgument(f"RUN --mount=type=bind: {source} leads out of the build context")
        if not Path(path).exists():
            raise InvalidArgument(f"RUN --mount=type=bind: {source} is not in the build context")
        return Path(path)

    async def _copy(self, source: str, tree: Tree | None, undo: AsyncExitStack) -> Path:
        """A copy for this step: what is written to it is gone afterwards."""
        folder = self._around.scratch / secrets.token_hex(8)
        await off_loop(folder.mkdir, 0o755)
        undo.push_async_callback(off_loop_to_end, shutil.rmtree, folder, True)
        rootfs = self._rootfs(tree)
        if rootfs is None:
            return folder
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            await self._zygote.run("prefill", {"rootfs": rootfs, "path": source}, [fd])
        finally:
            os.close(fd)
        if await off_loop(_has_entries, folder):
            return folder
        return await self._copy_file(source, rootfs, folder)

    async def _copy_file(self, source: str, rootfs: dict[str, Any], folder: Path) -> Path:
        """A source that is no folder with something in it: one file, or an empty folder."""
        path = folder / "file"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            args = {"rootfs": rootfs, "path": source, "limit": _FILE_LIMIT}
            answer, _ = await self._zygote.run("read-file", args, [fd])
            os.fchmod(fd, int(answer["mode"]) & 0o777)
        except InvalidArgument:
            await off_loop(path.unlink)
            return folder
        finally:
            os.close(fd)
        return path

    def _rootfs(self, tree: Tree | None) -> dict[str, Any] | None:
        if tree is not None and tree.snapshot:
            return dict(self._snapshots.rootfs(tree.snapshot))
        folder = self._around.context if tree is None else tree.folder
        return None if folder is None else {"lower": [str(folder)], "upper": None, "work": None}

    async def _cache(self, mount: Mount, tree: Tree | None, undo: AsyncExitStack) -> Made:
        target = _target(mount)
        ident = mount.get("id") or target
        sharing = mount.get("sharing") or "shared"
        if mount.get("source") or tree is not None:  # CVE-2024-23651: a path inside of what programs have written
            raise InvalidArgument("RUN --mount=type=cache: from and source are not supported")
        if sharing not in ("shared", "private", "locked"):
            raise InvalidArgument(f'unsupported sharing value "{sharing}"')
        if sharing == "locked":
            await undo.enter_async_context(self._caches.lock(ident))
        if sharing == "private":
            lock = self._caches.lock(ident)
            if lock.locked():
                return Made((_point(mount, target, await self._copy("/", Tree(), undo), rw=True),))
            await undo.enter_async_context(lock)
        mode, uid, gid = _number(mount, "mode", 8, 0o755), _number(mount, "uid"), _number(mount, "gid")
        path = undo.enter_context(self._caches.using(ident, mode, uid, gid))
        return Made((_point(mount, target, path, rw=not _is_on(mount, "readonly")),))

    async def _tmpfs(self, mount: Mount, tree: Tree | None, undo: AsyncExitStack) -> Made:
        return Made((MountPoint(type="tmpfs", destination=_target(mount)),))

    async def _secret(self, mount: Mount, tree: Tree | None, undo: AsyncExitStack) -> Made:
        target, variable = mount.get("target"), mount.get("env")
        ident = mount.get("id") or posixpath.basename(target)
        if not ident:
            raise InvalidArgument("RUN --mount=type=secret needs an id or a target")
        value = self._around.secrets.get(ident)
        if value is None:
            if _is_on(mount, "required"):
                raise InvalidArgument(f"secret {ident}: not found")
            return Made()
        env = (f"{variable}={value.decode('utf-8', 'surrogateescape')}",) if variable else ()
        if variable and not target:
            return Made((), env)
        path = self._around.scratch / secrets.token_hex(8)
        await off_loop(
            _write_secret,
            path,
            value,
            _number(mount, "mode", 8, 0o400),
            _number(mount, "uid"),
            _number(mount, "gid"),
        )
        undo.push_async_callback(off_loop_to_end, _shred, path)
        return Made((_point(mount, target or f"/run/secrets/{ident}", path, rw=False),), env)

    async def _ssh(self, mount: Mount, tree: Tree | None, undo: AsyncExitStack) -> Made:
        ident = mount.get("id") or "default"
        if ident not in self._around.ssh or self._around.session is None:
            if _is_on(mount, "required"):
                raise InvalidArgument(f"ssh {ident}: not found: give it by --ssh {ident}")
            return Made()
        path = self._around.private / secrets.token_hex(8)
        owner = _number(mount, "uid"), _number(mount, "gid")
        agent = serve_agent(self._around.session, ident, path, _number(mount, "mode", 8, 0o600), *owner)
        await undo.enter_async_context(agent)
        target = mount.get("target") or f"/run/buildkit/ssh_agent.{ident}"
        return Made((_point(mount, target, path, rw=True),), (f"SSH_AUTH_SOCK={target}",))


def parse_secrets(data: bytes) -> dict[str, bytes]:
    """`{"ID": "base64", …}` as a client sends it. Raises InvalidArgument, never with a value in it."""
    import json

    try:
        found = json.loads(data)
        secrets_of = {str(name): base64.b64decode(value, validate=True) for name, value in found.items()}
    except (ValueError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise InvalidArgument("secrets are not an object of base64 texts") from None
    for name, value in secrets_of.items():
        if len(value) > _SECRET_LIMIT:
            raise InvalidArgument(f"secret {name} is larger than {_SECRET_LIMIT} bytes")
    return secrets_of


def _target(mount: Mount) -> str:
    target = mount.get("target")
    if not target:
        raise InvalidArgument(f"RUN --mount=type={mount.type} needs a target")
    return posixpath.normpath(posixpath.join("/", target))


def _point(mount: Mount, target: str, source: Path, *, rw: bool) -> MountPoint:
    return MountPoint(type="bind", destination=target, source=str(source), rw=rw, propagation="rprivate")


def _is_on(mount: Mount, name: str) -> bool:
    return any(key == name and value.lower() in _TRUE for key, value in mount.options)


def _number(mount: Mount, name: str, base: int = 10, default: int = 0) -> int:
    text = mount.get(name)
    try:
        return int(text, base) if text else default
    except ValueError as error:
        raise InvalidArgument(f"invalid value for '{name}': {text}") from error


def _has_entries(folder: Path) -> bool:
    return next(folder.iterdir(), None) is not None


def _write_secret(path: Path, value: bytes, mode: int, uid: int, gid: int) -> None:
    path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as file:
        file.write(value)
        os.fchown(fd, uid, gid)
        os.fchmod(fd, mode)


def _shred(path: Path) -> None:
    path.unlink(missing_ok=True)
