"""Registries, as the engine speaks to them: one method a command. Credentials come with each and go with it.

The HTTP client is imported by the first command, so that an engine that never speaks to a registry does not
carry it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from core.aio import off_loop
from core.errors import DataLoss, NotFound, Unauthorized, Unavailable
from core.images.fetches import Fetches
from core.images.layouts import host_platform
from core.images.room import ImageRoom
from core.model.events import Progress
from core.model.image import Image
from core.model.registry import Credentials
from core.oci.digest import Digest
from core.oci.image import Descriptor, Platform
from core.oci.platform import parse_platform
from core.oci.reference import Reference
from core.registry.settings import CERTIFICATES, STALL, Settings, load, parse_server, search_target

if TYPE_CHECKING:
    from core.registry.manifests import Document
    from core.registry.repository import Repository
    from core.registry.session import Session

log = logging.getLogger(__name__)

Report = Callable[[Progress], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pulled:
    """One image that was pulled: as `digest` of the registry; `new` = the name meant another or none before."""

    reference: Reference
    image: Image
    digest: Digest
    new: bool


@dataclass(frozen=True, slots=True)
class Pushed:
    """One tag that was pushed: digest and bytes of its manifest."""

    reference: Reference
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class SearchHit:
    """One repository that a search has found."""

    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class Remote:
    """Pull, push, log in, search and look around."""

    def __init__(
        self,
        room: ImageRoom,
        *,
        settings: Callable[[], Settings] = load,
        certificates: Sequence[Path] = CERTIFICATES,
        stall: float = STALL,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._room = room
        self._settings = settings
        self._certificates = certificates
        self._stall = stall
        self._sleep = sleep
        self._fetches = Fetches(room.content.has)
        self._downloads = asyncio.Semaphore(Settings().downloads)
        self._uploads = asyncio.Semaphore(Settings().uploads)
        self._limits = (Settings().downloads, Settings().uploads)

    async def pull(
        self,
        reference: str,
        *,
        all_tags: bool = False,
        platform: str = "",
        credentials: Credentials | None,
        progress: Report,
    ) -> list[Pulled]:
        """Bring `reference` in, or every tag of its repository. Ends with the lines that Docker prints.

        Raises BadReference, NoSuchImage, Unauthorized, Unavailable, DataLoss, BadArchive.
        """
        await _get_ready()
        from core.images.pull import Puller
        from core.registry.repository import Repository

        settings = self._read_settings()
        asked = Reference.parse(reference)
        named = settings.expand(asked if all_tags else asked.with_default_tag(), reference)
        wanted = parse_platform(platform) if platform else None

        async def work(session: Session) -> list[Pulled]:
            repository = Repository(session, named.path)
            puller = Puller(
                self._room, repository, fetches=self._fetches, slots=self._downloads,
                wanted=wanted, host=host_platform(), report=progress,
            )  # fmt: skip
            tags = await repository.tags() if all_tags else [named.tag or ""]
            found = [Reference(named.domain, named.path, tag or None, named.digest) for tag in tags]
            return [await puller.pull(one) for one in found]

        async with self._room.collector.working():
            done = await self._anywhere(settings, named, credentials, work, asked)
        for one in done[-1:] if all_tags else done:
            news = "Downloaded newer image for" if any(pulled.new for pulled in done) else "Image is up to date for"
            shown = one.reference.familiar_name if all_tags else one.reference.familiar
            progress(Progress(status=f"Status: {news} {shown}"))
        return done

    async def push(
        self, reference: str, *, all_tags: bool = False, credentials: Credentials | None, progress: Report
    ) -> list[Pushed]:
        """Give `reference`, or every tag of its repository, to its registry.

        Raises BadReference, NoSuchImage, Unauthorized, Unavailable, CorruptStore.
        """
        await _get_ready()
        from core.images.push import Pusher, chosen
        from core.registry.repository import Repository

        settings = self._read_settings()
        named = Reference.parse(reference)
        tags = chosen(self._room.store, named, all_tags=all_tags)

        async def work(session: Session) -> list[Pushed]:
            repository = Repository(session, named.path, push=True)
            pusher = Pusher(self._room, repository, named.domain, slots=self._uploads, report=progress)
            return [await pusher.push(tag, image) for tag, image in tags]

        async with self._room.collector.working():
            return await self._anywhere(settings, named, credentials, work, None)

    async def login(self, server: str, credentials: Credentials) -> str | None:
        """Whether the registry takes `credentials`; the identity token that it gives, if any.

        Raises Unauthorized, Unavailable, InvalidArgument.
        """
        await _get_ready()
        from core.registry.session import sign_in

        domain = parse_server(server)
        async with self._session(self._read_settings(), domain, credentials) as session:
            return await sign_in(session)

    async def search(
        self, term: str, *, limit: int, filters: Mapping[str, Sequence[str]], credentials: Credentials | None
    ) -> list[SearchHit]:
        """What a registry finds; one without a search is asked for its catalog. Raises Unavailable, NotFound."""
        await _get_ready()
        from core.registry.search import search

        domain, words = search_target(term)
        async with self._session(self._read_settings(), domain, credentials) as session:
            found = await _plainly(search(session, domain, words, limit))
        return [hit for one in found if _passes(hit := SearchHit(**one), filters)][:limit]

    async def manifest(self, reference: str, credentials: Credentials | None) -> tuple[Descriptor, bytes]:
        """The manifest or index that a registry has under a name. Raises NoSuchImage, Unauthorized, Unavailable."""
        found, _ = await self._look(reference, credentials)
        return found.descriptor, found.data

    async def platforms(self, reference: str, credentials: Credentials | None) -> list[Platform]:
        """The platforms that a name is there for. Raises NoSuchImage, Unauthorized, Unavailable."""
        return (await self._look(reference, credentials))[1]

    async def catalog(self, server: str, credentials: Credentials | None) -> list[str]:
        """The repositories that a registry tells of. Raises Unauthorized, Unavailable, NotFound."""
        await _get_ready()
        from core.registry.repository import names

        async with self._session(self._read_settings(), parse_server(server), credentials) as session:
            return await _plainly(names(session, "_catalog?n=1000", "registry:catalog:*", "repositories"))

    async def tags(self, repository: str, credentials: Credentials | None) -> list[str]:
        """The tags of a repository. Raises BadReference, NotFound, Unauthorized, Unavailable."""
        await _get_ready()
        from core.registry.repository import Repository

        settings = self._read_settings()
        named = settings.expand(Reference.parse(repository), repository)

        async def work(session: Session) -> list[str]:
            return await Repository(session, named.path).tags()

        return await self._anywhere(settings, named, credentials, work, named)

    @asynccontextmanager
    async def repository(
        self, reference: str, credentials: Credentials | None, *, push: bool = False
    ) -> AsyncIterator[tuple[Repository, Reference]]:
        """The repository of `reference` itself, whatever mirrors there are, while inside; and the whole reference.

        Raises BadReference, Unauthorized, Unavailable; a registry's refusals as errors of ours.
        """
        await _get_ready()
        from core.registry.answers import Refused
        from core.registry.repository import Repository

        settings = self._read_settings()
        asked = Reference.parse(reference).with_default_tag()
        named = asked if push else settings.expand(asked, reference)
        async with self._session(settings, named.domain, credentials) as session:
            try:
                yield Repository(session, named.path, push=push), named
            except Refused as error:
                raise error.plain() from error

    async def _look(self, reference: str, credentials: Credentials | None) -> tuple[Document, list[Platform]]:
        await _get_ready()
        from core.registry.lookup import platforms
        from core.registry.repository import Repository

        settings = self._read_settings()
        named = settings.expand(Reference.parse(reference).with_default_tag(), reference)

        async def work(session: Session) -> tuple[Document, list[Platform]]:
            repository = Repository(session, named.path)
            found = await repository.manifest(str(named.digest or named.tag))
            return found, await platforms(repository, found)

        return await self._anywhere(settings, named, credentials, work, named)

    def _read_settings(self) -> Settings:
        """The administrator's file as it is now; what is under way keeps to the limits it began with."""
        settings = self._settings()
        if (settings.downloads, settings.uploads) != self._limits:
            self._limits = (settings.downloads, settings.uploads)
            self._downloads = asyncio.Semaphore(settings.downloads)
            self._uploads = asyncio.Semaphore(settings.uploads)
        return settings

    async def _anywhere(
        self,
        settings: Settings,
        named: Reference,
        credentials: Credentials | None,
        work: Callable[[Session], Awaitable[T]],
        shown: Reference | None,
    ) -> T:
        """`work` at the first of the registry's mirrors, and at last at itself, where it succeeds.

        `shown` = the name that errors of a pull tell; None for a push, which goes to no mirror.
        """
        from core.registry.answers import Refused
        from core.registry.session import addresses, connect
        from core.registry.transport import Transport
        from core.registry.words import explain

        places = addresses(named.domain, settings.mirrors.get(named.domain, ()), write=shown is None)
        async with Transport(settings, certificates=self._certificates, stall=self._stall) as transport:
            for address in places:
                try:
                    return await work(await connect(transport, address, credentials, sleep=self._sleep))
                except (Refused, Unavailable, NotFound, Unauthorized, DataLoss) as error:
                    if address is places[-1]:
                        raise (explain(error, shown) if isinstance(error, Refused) else error) from error
                    log.warning("mirror %s of %s: %s", address.host, named.domain, error)
        raise AssertionError

    @asynccontextmanager
    async def _session(
        self, settings: Settings, domain: str, credentials: Credentials | None
    ) -> AsyncIterator[Session]:
        from core.registry.session import addresses, connect
        from core.registry.transport import Transport

        async with Transport(settings, certificates=self._certificates, stall=self._stall) as transport:
            place = addresses(domain, (), write=True)[0]
            yield await connect(transport, place, credentials, sleep=self._sleep)


async def _plainly(work: Awaitable[T]) -> T:
    """`work`, with a registry's refusal as an error of ours."""
    from core.registry.answers import Refused

    try:
        return await work
    except Refused as error:
        raise error.plain() from error


async def _get_ready() -> None:
    """Import what speaks HTTP, off the loop: it takes a while."""
    for module in ("core.images.pull", "core.images.push", "core.registry.session"):
        await off_loop(importlib.import_module, module)


def _passes(hit: SearchHit, filters: Mapping[str, Sequence[str]]) -> bool:
    def wants(name: str, value: bool) -> bool:
        return all((text in ("1", "true")) == value for text in filters.get(name, ()))

    stars = max((int(text) for text in filters.get("stars", ())), default=0)
    return (
        wants("is-official", hit.is_official)
        and wants("is-automated", hit.is_automated)
        and (hit.star_count >= stars)
    )
