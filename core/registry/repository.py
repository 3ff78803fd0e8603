"""One repository of a registry: manifests, blobs and tags. distribution-spec v1.1, sections as named."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from urllib.parse import quote, urljoin

import msgspec

from core.errors import DataLoss, DigestMismatch, Unavailable
from core.oci.digest import Digest
from core.oci.image import Descriptor
from core.registry.answers import Refused, redact
from core.registry.manifests import ACCEPT, IMAGE_CONFIGS, Document, parse
from core.registry.session import Session, Stumbled
from core.registry.transport import Body, Headers

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_PAGES = 1000
_NAMES = 100_000


class Repository:
    """`path` of one registry. `push` = what is asked for includes writing."""

    def __init__(self, session: Session, path: str, *, push: bool = False) -> None:
        self.session = session
        self.path = path
        self._scope = f"repository:{path}:{'pull,push' if push else 'pull'}"

    async def manifest(self, reference: str, *, configs: Collection[str] = IMAGE_CONFIGS) -> Document:
        """The manifest or index under a tag or digest ("Pulling manifests"); `configs` as `parse` has them.

        Raises Refused, Unavailable, DataLoss, DigestMismatch.
        """
        expected = Digest(reference) if ":" in reference else None
        path = f"{self.path}/manifests/{reference}"
        data, headers, _ = await self.session.document(path, scope=self._scope, headers={"Accept": ACCEPT})
        told = headers.get("docker-content-digest")
        header = headers.get("content-type", "")
        return parse(data, header, expected=expected, told=told, configs=configs)

    async def document(self, descriptor: Descriptor) -> bytes:
        """A small blob, checked. Raises DigestMismatch, DataLoss, Refused, Unavailable."""
        data, _, _ = await self.session.document(f"{self.path}/blobs/{descriptor.digest}", scope=self._scope)
        if len(data) != descriptor.size:
            raise DataLoss(f"blob {descriptor.digest} has {len(data)} bytes, its descriptor says {descriptor.size}")
        if Digest.of(data) != descriptor.digest:
            raise DigestMismatch(descriptor.digest, Digest.of(data))
        return data

    @asynccontextmanager
    async def blob(self, descriptor: Descriptor, start: int) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """A blob's bytes from `start` on ("Pulling blobs", RFC 9110 ranges), and where they really start.

        Raises Refused, Unavailable, DataLoss where more is announced than the descriptor says.
        """
        url = self.session.url(f"{self.path}/blobs/{descriptor.digest}")
        fields = {"Range": f"bytes={start}-{descriptor.size - 1}"} if start else {}
        async with self.session.ask("GET", url, scope=self._scope, headers=fields) as response:
            begins = 0
            if response.status_code == 206:
                match = _RANGE.fullmatch(response.headers.get("content-range", ""))
                begins = int(match[1]) if match else -1
                if begins != start:
                    raise Stumbled(f'Get "{redact(url)}": another range came than was asked for')
            length = response.headers.get("content-length", "")
            if length.isascii() and length.isdigit() and begins + int(length) > descriptor.size:
                raise DataLoss(
                    f"blob {descriptor.digest} has {begins + int(length)} bytes, "
                    f"its descriptor says {descriptor.size}"
                )
            yield begins, response.aiter_raw()

    async def size(self, digest: Digest) -> int | None:
        """Bytes of a blob that is there; None = it is not ("Checking if content exists in the registry")."""
        try:
            return await self.session.again(lambda: self._head(digest))
        except Refused as error:
            if error.http_status == 404:
                return None
            raise

    async def _head(self, digest: Digest) -> int:
        url = self.session.url(f"{self.path}/blobs/{digest}")
        async with self.session.ask("HEAD", url, scope=self._scope) as response:
            length = response.headers.get("content-length", "0")
            return int(length) if length.isascii() and length.isdigit() else 0

    async def begin(self, digest: Digest | None = None, mount_from: str = "") -> str | None:
        """Open an upload, or have the registry take `digest` from its repository `mount_from`: None = it has.

        "Mounting a blob from another repository", "Pushing a blob in chunks". The upload's URL otherwise.
        """
        return await self.session.again(lambda: self._begin(digest, mount_from))

    async def _begin(self, digest: Digest | None, mount_from: str) -> str | None:
        query = (
            f"?mount={quote(digest, safe='')}&from={quote(mount_from, safe='')}" if digest and mount_from else ""
        )
        scope = self._scope + (f" repository:{mount_from}:pull" if mount_from else "")
        url = self.session.url(f"{self.path}/blobs/uploads/")
        fields = {"Content-Length": "0"}
        async with self.session.ask("POST", url + query, scope=scope, headers=fields) as response:
            if response.status_code == 201:
                return None
            return self.location(url, response.headers.get("location", ""))

    def location(self, url: str, target: str) -> str:
        """Where an upload goes on. Raises Unavailable where the registry does not say, or sends us astray."""
        if not target:
            raise Unavailable(f'Post "{redact(url)}": the registry does not say where to upload to')
        return self.session.transport.redirected(url, urljoin(url, target))

    async def send(self, method: str, url: str, body: Body, headers: Headers) -> tuple[int, str]:
        """One step of an upload: its status, and where the next one goes ("" = not said)."""
        try:
            async with self.session.ask(method, url, scope=self._scope, headers=headers, body=body) as response:
                target = response.headers.get("location", "")
                status = response.status_code
        except Stumbled:
            raise
        except Unavailable as error:
            raise Stumbled(error.message) from error
        return status, self.location(url, target) if target else ""

    async def uploaded(self, url: str) -> int:
        """Bytes that an upload has taken so far. Raises Refused where it is gone."""
        async with self.session.ask("GET", url, scope=self._scope) as response:
            begin, _, end = response.headers.get("range", "").removeprefix("bytes=").partition("-")
            return int(end) + 1 if begin == "0" and end.isdigit() and end != "0" else 0

    async def put_manifest(self, reference: str, media_type: str, data: bytes) -> None:
        """Publish a manifest under a tag or digest ("Pushing Manifests"). Raises Refused, Unavailable, DataLoss."""
        url = self.session.url(f"{self.path}/manifests/{reference}")

        async def once() -> str:
            fields = {"Content-Type": media_type}
            try:
                async with self.session.ask("PUT", url, scope=self._scope, headers=fields, body=data) as response:
                    return str(response.headers.get("docker-content-digest", ""))
            except Stumbled:
                raise
            except Unavailable as error:
                raise Stumbled(error.message) from error

        told = await self.session.again(once)
        if told.startswith("sha256:") and told != Digest.of(data):
            raise DataLoss(f"the registry has stored another manifest: want {Digest.of(data)}, got {told[:80]}")

    async def tags(self) -> list[str]:
        """Every tag ("Listing Tags")."""
        return await names(self.session, f"{self.path}/tags/list?n={_PAGES}", self._scope, "tags")


async def names(session: Session, path: str, scope: str, member: str) -> list[str]:
    """A list that comes in pages: `Link: <…>; rel="next"` (RFC 8288). Raises Refused, Unavailable, DataLoss."""
    found: dict[str, None] = {}
    following, seen = path, set[str]()
    while following and following not in seen:
        seen.add(following)
        data, headers, url = await session.document(following, scope=scope)
        try:
            page = msgspec.json.decode(data)
            part = page.get(member) or []
        except (msgspec.DecodeError, AttributeError, RecursionError, UnicodeDecodeError):
            raise DataLoss(f"the registry's list of {member} is not acceptable") from None
        if not isinstance(part, list) or not all(isinstance(name, str) for name in part):
            raise DataLoss(f"the registry's list of {member} is not acceptable")
        found |= dict.fromkeys(part)
        if len(found) > _NAMES:
            raise DataLoss(f"the registry's list of {member} has no end")
        match = re.match(r'\s*<([^>]*)>\s*;\s*rel="?next"?', headers.get("link", ""))
        following = session.transport.redirected(url, match[1]) if match else ""
    return list(found)
