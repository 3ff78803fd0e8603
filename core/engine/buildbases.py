"""The images that builds stand on: those that are here, and those that a registry has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from core.errors import NoSuchImage
from core.model.events import Progress
from core.model.image import Image
from core.model.registry import Credentials
from core.oci.image import Platform
from core.oci.reference import Reference

Report = Callable[[Progress], None]

Tell = Callable[[str, str, int, int], None]


class Images(Protocol):
    """Finds images that are here."""

    async def resolve(self, reference: str) -> Image: ...


class Pulled(Protocol):
    """An image that has come."""

    @property
    def image(self) -> Image: ...


class Registries(Protocol):
    """Brings images that are not here."""

    async def pull(
        self, reference: str, *, platform: str = "", credentials: Credentials | None, progress: Report
    ) -> Sequence[Pulled]: ...


@dataclass(frozen=True, slots=True)
class BuildBases:
    """Finds the base images of one build; `always` = their registry is asked for what is here too.

    `credentials` are the client's, by host.
    """

    images: Images
    registries: Registries
    always: bool
    credentials: Mapping[str, Credentials] = field(repr=False)

    async def image(self, name: str, platform: Platform, progress: Tell) -> Image:
        """Raises NoSuchImage and what a registry raises."""
        if not self.always or name.startswith("sha256:"):  # which is an id: no registry has it
            try:
                image = await self.images.resolve(name)
                if _runs_on(image, platform):
                    return image
            except NoSuchImage:
                pass

        def told(step: Progress) -> None:
            progress(step.id, step.status, step.current, step.total)

        found = await self.registries.pull(
            name, platform=str(platform), credentials=self.credentials.get(Reference.parse(name).domain),
            progress=told,
        )  # fmt: skip
        return found[0].image


def _runs_on(image: Image, platform: Platform) -> bool:
    config = image.config
    return (config.os, config.architecture) == (platform.os, platform.architecture)
