"""`rmi`: what a name or an id means when it is to go, and who stands in the way.

moby daemon/images/image_delete.go. By name, the name goes; with the last name, the image. By id, the image
goes with all its names, unless they are in several repositories. Containers stand in the way: a stopped one
may be overruled, a running one not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.errors import ImageInUse
from core.images.store import ImageStore
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.reference import Reference

InUse = Callable[[Digest], Sequence[str]]
Running = Callable[[str], bool]


class Remover:
    """Takes names and images away from the store; the blobs are the collector's."""

    def __init__(self, store: ImageStore, *, in_use: InUse, running: Running) -> None:
        self._store = store
        self._in_use = in_use
        self._running = running

    def remove(self, text: str, *, force: bool) -> list[dict[str, str]]:
        """`{"Untagged": name}` and `{"Deleted": id}` in order. Raises NoSuchImage, ImageInUse."""
        image = self._store.find(text)
        if _is_id(text, image):
            return self._by_id(image, force=force)
        return self._by_name(image, self._store.named(text), force=force)

    def _by_name(self, image: Image, reference: Reference, *, force: bool) -> list[dict[str, str]]:
        users = self._in_use(image.id)
        last = len(image.references) <= 1
        if last and users and not force:
            raise ImageInUse(
                f'conflict: unable to remove repository reference "{reference.familiar}" (must force) - '
                f"container {users[0][:12]} is using its referenced image {image.id.hex[:12]}"
            )
        if not last and str(reference) in image.references:
            return self._untag(str(reference))
        done = self._untag_all(image)
        if any(map(self._running, users)):  # forced: they keep the image, which now has no name
            return done
        return [*done, *self._delete(image)]

    def _by_id(self, image: Image, *, force: bool) -> list[dict[str, str]]:
        short = image.id.hex[:12]
        users = self._in_use(image.id)
        active = [user for user in users if self._running(user)]
        if active:
            raise ImageInUse(
                f"conflict: unable to delete {short} (cannot be forced) - "
                f"image is being used by running container {active[0][:12]}"
            )
        repositories = {Reference.parse(text).name for text in image.references}
        if len(repositories) > 1 and not force:
            raise ImageInUse(
                f"conflict: unable to delete {short} (must be forced) - "
                "image is referenced in multiple repositories"
            )
        if users and not force:
            raise ImageInUse(
                f"conflict: unable to delete {short} (must be forced) - "
                f"image is being used by stopped container {users[0][:12]}"
            )
        return [*self._untag_all(image), *self._delete(image)]

    def _untag_all(self, image: Image) -> list[dict[str, str]]:
        done = [line for text in image.references for line in self._untag(text)]
        left = [Reference.parse(text).familiar for text in image.repo_digests]
        return done + [line for name in left if (line := {"Untagged": name}) not in done]

    def _untag(self, text: str) -> list[dict[str, str]]:
        return [{"Untagged": Reference.parse(name).familiar} for name in (text, *self._store.untag(text))]

    def _delete(self, image: Image) -> list[dict[str, str]]:
        self._store.delete(image.id)
        return [{"Deleted": str(image.id)}]


def _is_id(text: str, image: Image) -> bool:
    """Whether `text` found `image` by its id rather than by a name."""
    if not image.id.hex.startswith(text.removeprefix("sha256:")):
        return False
    return str(Reference.parse(text).with_default_tag()) not in image.references if len(text) < 64 else True
