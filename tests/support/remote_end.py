"""One store that speaks to registries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from store_kit import Store

from core.images.remote import Pulled, Pushed, Remote
from core.model.events import Progress
from core.model.registry import Credentials
from core.registry.settings import Settings

DEFAULTS = Settings()


class RemoteEnd:
    """A store on `folder` and its way to registries; `said` = what the last command has reported."""

    def __init__(
        self, folder: Path, settings: Settings = DEFAULTS, *, certificates: Sequence[Path] = (), stall: float = 60.0
    ) -> None:
        self.store = Store.open(folder)
        self.remote = Remote(
            self.store.room, settings=lambda: settings, certificates=certificates, stall=stall, sleep=_no_pause
        )
        self.said: list[Progress] = []

    async def pull(
        self, reference: str, *, all_tags: bool = False, platform: str = "", credentials: Credentials | None = None
    ) -> list[Pulled]:
        self.said.clear()
        return await self.remote.pull(
            reference, all_tags=all_tags, platform=platform, credentials=credentials, progress=self.said.append
        )

    async def push(
        self, reference: str, *, all_tags: bool = False, credentials: Credentials | None = None
    ) -> list[Pushed]:
        self.said.clear()
        return await self.remote.push(
            reference, all_tags=all_tags, credentials=credentials, progress=self.said.append
        )

    async def remove(self, reference: str) -> None:
        await self.store.images.remove(reference, force=True, in_use=lambda ident: ())

    def statuses(self) -> list[str]:
        return [step.status for step in self.said]

    def partials(self) -> list[Path]:
        """Parts of blobs that wait for another time."""
        return sorted((self.store.paths.content / "ingest").glob("partial-*"))

    def images(self) -> list[str]:
        return [name for image in self.store.room.store.all() for name in image.references or (str(image.id),)]


async def _no_pause(seconds: float) -> None:
    pass
