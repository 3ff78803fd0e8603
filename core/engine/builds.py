"""Builds: a request and its context become an image. Each is one task; when its client leaves, it ends."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from core.aio import off_loop, off_loop_to_end
from core.build import cachedoc
from core.build.cache import Cache
from core.build.cachespecs import INLINE, CacheSpec
from core.build.downloads import Downloads
from core.build.files import BuildFiles
from core.build.finish import register
from core.build.hands import Hands, Options
from core.build.history import History, new_id
from core.build.hits import ImportFailed
from core.build.ignoring import hide
from core.build.labels import with_labels
from core.build.layering import StoreLayering
from core.build.plan import CHECK, Asked, make_plan
from core.build.recording import Recording
from core.build.scope import Scope
from core.build.solver import KEY, Solver
from core.build.squash import squashed
from core.build.state import State
from core.build.work import Inside
from core.dockerfile.giturl import GitSource
from core.dockerfile.parser import parse
from core.engine.buildbases import BuildBases, Images, Registries
from core.engine.buildcache import BuildCache
from core.engine.buildcaches import Caches
from core.engine.buildcontexts import Contexts, empty_archive, epoch_of, images_of
from core.engine.buildelsewhere import Elsewhere
from core.engine.buildelsewhere import Registries as CacheRegistries
from core.engine.buildmounts import BuildPrograms, Surroundings
from core.engine.buildrepositories import Repositories
from core.engine.buildruns import DEFAULT, BuildRuns
from core.engine.buildsessions import Session, Sessions
from core.engine.buildshelf import Shelf, Users
from core.engine.events import Events
from core.engine.validate import check_host
from core.errors import Conflict, EngineError, InvalidArgument
from core.images.importer import parse_target
from core.images.layouts import host_platform
from core.images.room import ImageRoom
from core.model.build import Built, Event, Report
from core.model.container import HostConfig
from core.model.image import Image
from core.model.registry import Credentials
from core.oci.platform import parse_platform
from core.oci.reference import Reference
from core.paths import Paths
from core.storage.compression import detect

log = logging.getLogger(__name__)

CaughtUp = Callable[[], Awaitable[None]]
_DOCKERFILE_LIMIT = 1 << 20  # bytes
_SECRETS_KEPT = 600.0  # seconds between their coming and the build that wants them


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildWish:
    """What a client asks for. `text` is the Dockerfile itself where it does not lie in the context."""

    dockerfile: str = "Dockerfile"
    text: bytes | None = None
    names: Sequence[str] = ()
    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    no_cache: bool = False
    no_cache_stages: Sequence[str] = ()
    pull: bool = False
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    credentials: Mapping[str, Credentials] = field(default_factory=dict, repr=False)  # by registry
    host: HostConfig = DEFAULT  # limits, hosts and network of RUN; never privileges
    contexts: Mapping[str, str] = field(default_factory=dict)  # name: an image, or a folder of the archive
    place: str = ""  # where the context came from: builds from the same place are of the same thing
    cache_from: Sequence[CacheSpec] = ()
    cache_to: Sequence[CacheSpec] = ()
    session: str = ""  # by which the client is asked for what it holds
    ssh: Sequence[str] = ()  # ids of agents that the client holds
    squash: bool = False
    repository: GitSource | None = None  # the context
    packed: bool = False  # the client has left out of its archive what `.dockerignore` names


class Builds:
    """Runs builds."""

    def __init__(
        self,
        paths: Paths,
        room: ImageRoom,
        cache: Cache,
        events: Events,
        programs: BuildRuns,
        *,
        images: Images,
        registries: Registries,
        caches_elsewhere: CacheRegistries,
        discard: Callable[[Path], object],
        users: Users,
    ) -> None:
        self._discard = discard
        self._paths = paths
        self._room = room
        self._cache = cache
        self._events = events
        self._programs = programs
        self._images = images
        self._registries = registries
        self._caches_elsewhere = caches_elsewhere
        self.sessions = Sessions()
        self._secrets: dict[str, Mapping[str, bytes]] = {}
        self._caches = Caches(paths.root / "build-cache")
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # those that nobody waits for
        self.history = History(paths.root / "builds")
        self.shelf = Shelf(room, programs.released, users)
        self.held = BuildCache(room, cache, self._caches)

    async def build(
        self, wish: BuildWish, archive: int | None, report: Report, caught_up: CaughtUp, *, ident: str = ""
    ) -> Image:
        """Build the image; `archive` is a descriptor of the context's tar, None where there is none.

        `ident` is what `new_id` gave.

        Raises DockerfileError, StepFailed, InvalidArgument, BadArchive and what a step raises.
        """
        task = asyncio.current_task()
        assert task is not None
        fields = {
            "place": wish.place, "dockerfile": wish.dockerfile, "names": tuple(wish.names), "target": wish.target,
        }  # fmt: skip
        with self.history.recording(ident or new_id(), **fields) as recording, self._cancellable(recording, task):

            def told(event: Event) -> None:
                recording.take(event)
                report(event)

            return await self._build(wish, archive, recording, told, caught_up)

    async def start(self, wish: BuildWish, archive: IO[bytes] | None) -> str:
        """Build without anybody who waits for it: the build's id. `archive` is closed at its end."""
        ident = new_id()

        async def work() -> None:
            with archive or nullcontext():
                fd = None if archive is None else archive.fileno()
                await self.build(wish, fd, _tell_nobody, _wait_for_nobody, ident=ident)

        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        await asyncio.sleep(0)  # it is in the history from now on
        return ident

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, EngineError):
            log.error("a build ended with %r", error)

    @contextmanager
    def _cancellable(self, recording: Recording, task: asyncio.Task[Any]) -> Iterator[None]:
        self._running[recording.record.id] = task
        try:
            yield
        finally:
            del self._running[recording.record.id]

    def cancel(self, ident: str) -> None:
        """End a build. Raises NotFound, Conflict where it has ended."""
        record = self.history.get(ident)
        task = self._running.get(record.id)
        if task is None:
            raise Conflict(f"build {record.id[:12]} is not running")
        task.cancel()

    async def close(self) -> None:
        """At the engine's end: end what goes on in the background, and leave nothing of it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.shelf.close()

    async def _build(
        self, wish: BuildWish, archive: int | None, recording: Recording, report: Report, caught_up: CaughtUp
    ) -> Image:
        began = time.monotonic()
        check_host(wish.host)
        names = [parse_target(name) for name in wish.names]
        platform = parse_platform(wish.platform) if wish.platform else host_platform()
        async with self._folder() as home, AsyncExitStack() as undo:
            session = undo.enter_context(self._session(wish))
            contexts = Contexts(self._room)
            context = None if archive is None else await contexts.unpack(archive, home)
            if wish.repository is not None:
                repositories = Repositories(self._room.zygote, session, wish.ssh)
                _, context = await repositories.clone(wish.repository, home / "repository", keep=False)
            if context is not None and not wish.packed:
                await contexts.leave_out(context, wish.dockerfile)
            folders = {} if context is None else await contexts.named(wish.contexts, context, home)
            data = wish.text if wish.text is not None else await contexts.dockerfile(context, wish.dockerfile)
            if context is not None:
                await off_loop(hide, context, wish.dockerfile)
            recording.has_source(data)
            image = await self._solve(wish, data, Asked(
                target=wish.target, args=wish.args, platform=platform, machine=host_platform(),
                images=images_of(wish.contexts), folders=folders,
            ), names, context, home, session, report, caught_up, self.shelf.of(recording.record.id))  # fmt: skip
        shown = tuple(name.familiar for name in names)
        for name in shown:
            self._events.publish("image", "tag", image.id, {"name": name})
        report(Built(image=str(image.id), names=shown, seconds=time.monotonic() - began))
        return image

    async def fetch(self, wish: BuildWish, url: str) -> tuple[IO[bytes], BuildWish]:
        """The archive at a URL as a context; or a Dockerfile, which goes into the wish, beside an empty archive.

        Raises InvalidArgument, Unavailable.
        """
        async with self._folder() as home:
            await off_loop(home.mkdir, exist_ok=True)
            path = home / await Downloads().fetch(url, home, "", name="context")
            file = await off_loop(path.open, "rb")
        head = await off_loop(file.read, 512)
        if detect(head) or head[257:262] == b"ustar":
            await off_loop(os.lseek, file.fileno(), 0, os.SEEK_SET)
            return file, wish
        with file:
            text = await off_loop(os.pread, file.fileno(), _DOCKERFILE_LIMIT + 1, 0)
        return await off_loop(empty_archive), replace(wish, text=text)

    def keep_secrets(self, values: Mapping[str, bytes]) -> str:
        """Hold secrets in memory for a build that is about to ask for them, once: by what name."""
        token = secrets.token_hex(16)
        self._secrets[token] = values
        asyncio.get_running_loop().call_later(_SECRETS_KEPT, self._secrets.pop, token, None)
        return token

    def take_secrets(self, token: str) -> Mapping[str, bytes]:
        """What `keep_secrets` holds. Raises InvalidArgument."""
        if token not in self._secrets:
            raise InvalidArgument("the secrets of this build are not here any more")
        return self._secrets.pop(token)

    async def recover(self, containers: Collection[str]) -> None:
        """At start: end and remove what an engine that died over a build has left."""
        await self._programs.sweep(containers)
        await off_loop(self.history.recover)
        await self.shelf.sweep()
        for folder in (self._paths.root / "build", self._paths.run / "build"):
            await off_loop(shutil.rmtree, folder, True)

    async def _solve(
        self, wish: BuildWish, data: bytes, asked: Asked, names: Sequence[Reference], context: Path | None,
        home: Path, session: Session | None, report: Report, caught_up: CaughtUp, inside: Inside,
    ) -> Image:  # fmt: skip
        file = with_labels(parse(data, wish.dockerfile, check=wish.args.get(CHECK, "")), wish.labels, wish.target)
        plan = make_plan(file, asked)
        scope = Scope(asked, plan.args, file.escape)
        options = Options(
            no_cache=wish.no_cache, no_cache_stages=frozenset(wish.no_cache_stages),
            place=f"{wish.place}/{wish.dockerfile}", epoch=epoch_of(wish.args.get("SOURCE_DATE_EPOCH", "")),
        )  # fmt: skip
        scratch = home / "scratch"
        scratch.mkdir(mode=0o700)
        layering = StoreLayering(self._room, self._programs.released, options.epoch)
        async with AsyncExitStack() as undo:
            elsewhere = Elsewhere(
                room=self._room, registries=self._caches_elsewhere, credentials=wish.credentials, session=session,
                platform=asked.platform, report=report,
            )  # fmt: skip
            hands = replace(
                self._hands(wish, context, scratch, layering, session, report, caught_up), inside=inside
            )
            async with self._room.collector.working():
                imports = await elsewhere.imports(wish.cache_from, undo)
                try:
                    while True:
                        solver = Solver(file, plan, scope, replace(hands, imports=imports), options)
                        try:
                            state = await solver.solve()
                            break
                        except ImportFailed as error:
                            elsewhere.warn(error.name, error)
                            imports = [one for one in imports if one.name != error.name]
                    return await self._end(wish, solver, state, names, elsewhere, layering)
                finally:
                    await self._programs.quiet()
                    await layering.settle()

    async def _end(
        self, wish: BuildWish, solver: Solver, state: State, names: Sequence[Reference], elsewhere: Elsewhere,
        layering: StoreLayering,
    ) -> Image:  # fmt: skip
        """Make the image of the last state, and give the cache away."""
        trail, diff_ids = solver.trail, state.diff_ids
        inline = None
        if wish.squash and any(spec.kind == INLINE for spec in wish.cache_to):
            raise InvalidArgument("an image that is squashed has no layers for an inline cache")
        if any(spec.kind == INLINE for spec in wish.cache_to):
            inline = cachedoc.document(cachedoc.below(trail, diff_ids), ())
        if wish.squash:
            epoch = epoch_of(wish.args.get("SOURCE_DATE_EPOCH", ""))
            state = await squashed(self._room, state, time.time() if epoch is None else epoch, epoch=epoch)
        await layering.settle()
        image = await register(self._room, state, names, inline)
        for spec in wish.cache_to:
            if spec.kind != INLINE:
                await solver.bring(trail if spec.everything else ())
                await elsewhere.export(spec, trail, diff_ids)
        return image

    def _hands(
        self, wish: BuildWish, context: Path | None, scratch: Path, layering: StoreLayering,
        session: Session | None, report: Report, caught_up: CaughtUp,
    ) -> Hands:  # fmt: skip
        room = self._room
        around = Surroundings(
            context=context, scratch=scratch, private=self._paths.run / "build", secrets=wish.secrets,
            host=wish.host, session=session, ssh=frozenset(wish.ssh),
        )  # fmt: skip
        return Hands(
            files=BuildFiles(
                room.zygote, room.snapshots, context=context, scratch=scratch, downloads=Downloads(),
                repositories=Repositories(room.zygote, session, wish.ssh),
            ),
            programs=BuildPrograms(self._programs, room.zygote, room.snapshots, self._caches, around),
            bases=BuildBases(self._images, self._registries, wish.pull, wish.credentials),
            layering=layering,
            cache=self._cache, report=report, caught_up=caught_up,
        )  # fmt: skip

    @contextmanager
    def _session(self, wish: BuildWish) -> Iterator[Session | None]:
        """The line to the build's client, where it holds one. Raises InvalidArgument."""
        session = self.sessions.take(wish.session) if wish.session else None
        try:
            yield session
        finally:
            if session is not None:
                session.close()

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[Path]:
        home = self._paths.root / "build" / (KEY + secrets.token_hex(8))
        await off_loop(home.mkdir, 0o700, True, True)
        try:
            yield home
        finally:
            await off_loop_to_end(self._discard, home)


def _tell_nobody(_: Event) -> None:
    pass


async def _wait_for_nobody() -> None:
    pass
