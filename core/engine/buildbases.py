"""The images that builds stand on: those that are here, and those that a registry has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from core.errors import NoSuchImage
from core.model.events import Progress
from core.model.image import Image
from core.oci.image import Platform

Pull = Callable[[str, Platform, Callable[[Progress], None]], Awaitable[Image]]
Tell = Callable[[str, str, int, int], None]


class Images(Protocol):
    """Finds images that are here."""

    async def resolve(self, reference: str) -> Image: ...


@dataclass(frozen=True, slots=True)
class BuildBases:
    """Finds base images. `pull` None = no registry is asked; `always` = it is asked for what is here too."""

    images: Images
    pull: Pull | None
    always: bool = False

    async def image(self, name: str, platform: Platform, progress: Tell) -> Image:
        """Raises NoSuchImage and what a registry raises."""

        def told(step: Progress) -> None:
            progress(step.id, step.status, step.current, step.total)

        if not (self.always and self.pull):
            try:
                image = await self.images.resolve(name)
                if self.pull is None or _runs_on(image, platform):
                    return image
            except NoSuchImage:
                if self.pull is None:
                    raise
        assert self.pull is not None
        return await self.pull(name, platform, told)


def _runs_on(image: Image, platform: Platform) -> bool:
    config = image.config
    return (config.os, config.architecture) == (platform.os, platform.architecture)
