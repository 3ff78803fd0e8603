"""Caches elsewhere, for one build: those that its client names to take steps from, and to give them to.

One that cannot be read is told and done without; one that cannot be written fails the build, unless it may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from core.aio import off_loop_to_end
from core.build import cachedoc
from core.build.cachedoc import Known, Trodden
from core.build.cachespecs import INLINE, LOCAL, CacheSpec
from core.build.foldercache import Folder
from core.build.imports import Blobs, StoreImport, image_cache
from core.engine.buildsessions import Session
from core.errors import EngineError, InvalidArgument, Unavailable
from core.images.room import ImageRoom
from core.model.build import Noted, Report
from core.model.events import Progress
from core.model.registry import Credentials
from core.oci.digest import Digest
from core.oci.document import decode
from core.oci.image import Manifest, Platform
from core.oci.reference import Reference

if TYPE_CHECKING:
    from core.registry.repository import Repository

_UPLOADS = 4  # layers at once


class Registries(Protocol):
    """Opens repositories."""

    def repository(
        self, reference: str, credentials: Credentials | None, *, push: bool = False
    ) -> AbstractAsyncContextManager[tuple[Repository, Reference]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """For one build; `credentials` are the client's, by host."""

    room: ImageRoom
    registries: Registries
    credentials: Mapping[str, Credentials] = field(repr=False)
    session: Session | None
    platform: Platform
    report: Report

    async def imports(self, specs: Sequence[CacheSpec], until: AsyncExitStack) -> list[StoreImport]:
        """The caches that can be read; their lines stay open `until` then."""
        found = []
        for spec in specs:
            if spec.here:
                known = await off_loop_to_end(self._of_image, spec.ref) if spec.ref else None
                found += [StoreImport(spec.name, known, self.room, _Nowhere(), leads=True)] if known else []
                continue
            self.report(Noted(f"importing cache from {spec.name}"))
            try:
                cache = await self._import(spec, until)
            except EngineError as error:
                self.warn(spec.name, error)
                continue
            if cache is None:
                text = f"{spec.name} holds no build cache: build it with --cache-to type=inline"
                self.report(Noted(text, warning=True))
            else:
                found.append(cache)
        return found

    def warn(self, name: str, error: EngineError) -> None:
        """A cache is of no use."""
        self.report(Noted(f"cache {name} is not used: {error.message}", warning=True))

    async def export(self, spec: CacheSpec, trail: Sequence[Trodden], diff_ids: Sequence[Digest]) -> None:
        """Give the steps of a build away whose image has the layers `diff_ids`. Raises Unavailable."""
        steps = trail if spec.everything else cachedoc.below(trail, diff_ids)
        self.report(Noted(f"exporting cache to {spec.name}"))
        try:
            digest = await self._export(spec, steps)
        except EngineError as error:
            if not spec.ignore_error:
                raise Unavailable(f"export cache to {spec.name}: {error.message}") from error
            self.report(Noted(f"export cache to {spec.name}: {error.message}", warning=True))
            return
        self.report(Noted(f"exported {len(steps)} steps to {spec.name}: {digest}"))

    async def _import(self, spec: CacheSpec, until: AsyncExitStack) -> StoreImport | None:
        known: Known | None
        if spec.kind == LOCAL:
            folder = Folder(self._folders(), spec.number, self.room)
            known = await folder.look()
            return None if known is None else StoreImport(spec.name, known, self.room, folder)
        known = await off_loop_to_end(self._of_image, spec.ref)
        if known is not None:
            return StoreImport(spec.name, known, self.room, _Nowhere())
        from core.build.registrycache import RegistryBlobs, look

        domain = Reference.parse(spec.ref).domain
        repository, named = await until.enter_async_context(
            self.registries.repository(spec.ref, self.credentials.get(domain))
        )
        known = await _plainly(look(repository, str(named.digest or named.tag), self.platform))
        blobs: Blobs = RegistryBlobs(repository, self.room)
        return None if known is None else StoreImport(spec.name, known, self.room, blobs)

    def _of_image(self, name: str) -> Known | None:
        """What an image that is here tells of its steps."""
        image = self.room.store.holder(Reference.parse(name).with_default_tag())
        if image is None:
            return None
        config = self.room.content.read(image.id)
        manifest = decode(self.room.content.read(image.manifest.digest), Manifest, what="manifest")
        return image_cache(config, manifest)

    async def _export(self, spec: CacheSpec, steps: Sequence[Trodden]) -> Digest:
        if spec.kind == LOCAL:
            return await Folder(self._folders(), spec.number, self.room).publish(steps, _hear_nothing)
        assert spec.kind != INLINE  # that one is in the image
        from core.build.registrycache import publish
        from core.images.push import Pusher

        domain = Reference.parse(spec.ref).domain
        async with self.registries.repository(spec.ref, self.credentials.get(domain), push=True) as (place, named):
            if named.tag is None:
                raise InvalidArgument("a cache needs a tag, not a digest")
            slots = asyncio.Semaphore(_UPLOADS)
            pusher = Pusher(self.room, place, named.domain, slots=slots, report=_report_nothing)
            return await publish(pusher, place, named.tag, steps)

    def _folders(self) -> Session:
        if self.session is None:
            raise InvalidArgument("the client of the build gives no folders along")
        return self.session


class _Nowhere:
    """The blobs of an image that is here: there is nothing to fetch."""

    async def fetch(self, blob: object, advance: object) -> None:
        raise InvalidArgument("a layer of the image is missing from the store")


async def _plainly(work: Awaitable[Known | None]) -> Known | None:
    """`work`, with a registry's refusal as an error of ours."""
    from core.registry.answers import Refused

    try:
        return await work
    except Refused as error:
        raise error.plain() from error


def _hear_nothing(name: str, current: int, total: int) -> None:
    pass


def _report_nothing(_: Progress) -> None:
    pass
