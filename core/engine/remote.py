"""Images between this engine and registries, with their events. Credentials come with each call and go with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from core.engine.events import Events
from core.errors import InvalidArgument
from core.model.events import Progress
from core.model.registry import Credentials
from core.oci.image import Descriptor, Platform
from core.oci.reference import HUB, Reference
from core.wire.codec import parse_object

if TYPE_CHECKING:  # an engine that speaks to no registry does not load what it takes
    from core.images.remote import Pulled, Pushed, SearchHit

Report = Callable[[Progress], None]
SEARCH_FILTERS = frozenset({"is-automated", "is-official", "stars"})
SEARCH_LIMIT, SEARCH_DEFAULT = 100, 25
_COMING, _HERE = "Pulling fs layer", "Already exists"
_LINES = ("Pulling from ", "Digest: ", "Status: ", "WARNING: ")
_BOOLEANS = ("1", "true", "0", "false")


class Service(Protocol):
    """Registries, as the images' room speaks to them."""

    async def pull(
        self, reference: str, *, all_tags: bool = False, platform: str = "", credentials: Credentials | None,
        progress: Report,
    ) -> list[Pulled]: ...  # fmt: skip
    async def push(
        self, reference: str, *, all_tags: bool = False, credentials: Credentials | None, progress: Report
    ) -> list[Pushed]: ...
    async def login(self, server: str, credentials: Credentials) -> str | None: ...
    async def search(
        self, term: str, *, limit: int, filters: Mapping[str, Sequence[str]], credentials: Credentials | None
    ) -> list[SearchHit]: ...
    async def manifest(self, reference: str, credentials: Credentials | None) -> tuple[Descriptor, bytes]: ...
    async def platforms(self, reference: str, credentials: Credentials | None) -> list[Platform]: ...
    async def catalog(self, server: str, credentials: Credentials | None) -> list[str]: ...
    async def tags(self, repository: str, credentials: Credentials | None) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Offer:
    """What a registry has under a name: the descriptor and bytes of its manifest, and whom it is for."""

    descriptor: Descriptor
    manifest: bytes
    document: Mapping[str, Any]
    platforms: Sequence[Platform]

    @property
    def size(self) -> int:
        """Bytes that a pull fetches at most; 0 = an index, which is of several images."""
        parts = [self.document.get("config"), *_list(self.document.get("layers"))]
        sizes = [part.get("size") for part in parts if isinstance(part, dict)]
        return sum(size for size in sizes if isinstance(size, int) and size > 0)


class RemoteActs:
    """Pull, push, log in, search and look around."""

    def __init__(self, service: Service, events: Events) -> None:
        self._service = service
        self._events = events

    async def pull(
        self, image: str, tag: str, *, platform: str, credentials: Credentials | None, report: Report
    ) -> list[Pulled]:
        """Pull `image`, which may itself have a tag or digest; neither it nor `tag` = every tag of the repository.

        Raises BadReference, NoSuchImage, Unauthorized, Unavailable, DataLoss.
        """
        reference = joined(image, tag)
        told = _Told(report)
        done = await self._service.pull(
            reference.familiar if not image.startswith(f"{HUB}/") else str(reference),
            all_tags=not (reference.tag or reference.digest),
            platform=platform,
            credentials=credentials,
            progress=told,
        )
        told.release(layers=any(one.new for one in done))
        self._publish("pull", reference)
        return done

    async def push(self, image: str, tag: str, *, credentials: Credentials | None, report: Report) -> list[Pushed]:
        """Push `image:tag`, and without any tag all the tags it has here.

        Raises BadReference, NoSuchImage, Unauthorized, Unavailable.
        """
        reference = joined(image, tag)
        if reference.digest:
            raise InvalidArgument("cannot push a digest reference")
        report(Progress(status=f"The push refers to repository [{reference.name}]"))
        done = await self._service.push(
            str(reference), all_tags=not reference.tag, credentials=credentials, progress=report
        )
        self._publish("push", reference)
        return done

    async def login(self, credentials: Credentials) -> str:
        """Ask the server in `credentials` whether it takes them; its identity token, "" where it gives none.

        Raises Unauthorized, Unavailable.
        """
        return await self._service.login(credentials.server_address, credentials) or ""

    async def search(
        self, term: str, *, limit: int, filters: Mapping[str, Sequence[str]], credentials: Credentials | None
    ) -> list[SearchHit]:
        """What a registry finds; `limit` 0 = as many as Docker asks for. Raises InvalidArgument, Unavailable."""
        check_search(limit, filters)
        return await self._service.search(
            term, limit=limit or SEARCH_DEFAULT, filters=filters, credentials=credentials
        )

    async def offer(self, reference: str, credentials: Credentials | None) -> Offer:
        """What the registry has under a name. Raises BadReference, NoSuchImage, Unauthorized, Unavailable."""
        name = str(Reference.parse(reference).with_default_tag())
        descriptor, manifest = await self._service.manifest(name, credentials)
        document = parse_object(manifest, what="manifest")
        return Offer(descriptor, manifest, document, await self._service.platforms(name, credentials))

    async def catalog(self, server: str, credentials: Credentials | None) -> list[str]:
        """The repositories that a registry tells of. Raises Unauthorized, Unavailable, NotFound."""
        return await self._service.catalog(server, credentials)

    async def tags(self, repository: str, credentials: Credentials | None) -> list[str]:
        """The tags of a repository. Raises BadReference, NotFound, Unauthorized, Unavailable."""
        return await self._service.tags(Reference.parse(repository).name, credentials)

    def _publish(self, action: str, reference: Reference) -> None:
        self._events.publish("image", action, reference.familiar, {"name": reference.familiar_name})


class _Told:
    """What is told of a pull, as Docker does: nothing of a name that is not there, nor of layers that all are here.

    Steps that move no bytes wait for the first that does, or for the end.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._held: list[Progress] = []
        self._moving = False

    def __call__(self, step: Progress) -> None:
        still = step.status in (_COMING, _HERE) or step.status.startswith(_LINES)
        if still and not self._moving:
            self._held.append(step)
            return
        self._moving = True
        self.release(layers=True)
        self._report(step)

    def release(self, *, layers: bool) -> None:
        """Tell what is held; without `layers` only the lines about the whole."""
        here = {step.id for step in self._held if step.status == _HERE}
        for step in self._held:
            of_layer = step.status in (_COMING, _HERE)
            if (layers or not of_layer) and not (step.status == _COMING and step.id in here):
                self._report(step)
        self._held.clear()


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def joined(image: str, tag: str) -> Reference:
    """`image` with `tag`, which may be a digest and wins over what `image` has. Raises BadReference."""
    reference = Reference.parse(image.removesuffix(":"))  # old clients of `pull -a` send the colon along
    if not tag:
        return reference
    return Reference.parse(f"{reference.name}@{tag}" if ":" in tag else f"{reference.name}:{tag}")


def check_search(limit: int, filters: Mapping[str, Sequence[str]]) -> None:
    """Raises InvalidArgument with Docker's words."""
    if not 0 <= limit <= SEARCH_LIMIT:
        raise InvalidArgument(f"limit {limit} is outside the range of [1, {SEARCH_LIMIT}]")
    for name, values in filters.items():
        if name not in SEARCH_FILTERS:
            raise InvalidArgument(f"invalid filter '{name}'")
        for value in values:
            if name == "stars" and not (value.isascii() and value.isdigit()):
                raise InvalidArgument(f"invalid filter 'stars={value}'")
            if name != "stars" and value not in _BOOLEANS:
                raise InvalidArgument(f"invalid filter '{name}=[{value}]'")
