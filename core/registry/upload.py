"""A blob to a registry: in one piece, and in chunks where it breaks off. distribution-spec, "Pushing blobs"."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote, urlsplit

from core.aio import off_loop
from core.errors import Unavailable
from core.oci.digest import Digest
from core.registry.answers import Refused
from core.registry.repository import Repository
from core.registry.session import TRIES, Stumbled

PIECE = 1 << 16  # bytes read at once, and that must go out within the stall time: lines may be slow, not dead
LARGEST_PIECE = 1 << 19
CHUNK = 8 << 20  # bytes of one PATCH, once a whole blob would not go through

Advance = Callable[[int], None]
_QUICK, _SLOW = 0.05, 1.0  # seconds that a piece takes
_CERTAIN = 8  # quick pieces in a row that are more than a socket's buffer


class Pace:
    """How much to send at once: a piece of `size` is sent inside of `with`, and the next is as large as suits."""

    def __init__(self) -> None:
        self.size = PIECE
        self._since = 0.0
        self._quick = 0

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        took = time.monotonic() - self._since
        self._quick = self._quick + 1 if took < _QUICK else 0
        if self._quick >= _CERTAIN:
            self.size, self._quick = min(self.size * 2, LARGEST_PIECE), 0
        elif took > _SLOW:
            self.size = PIECE


async def upload(
    repository: Repository,
    fd: int,
    digest: Digest,
    size: int,
    url: str,
    advance: Advance,
    *,
    broken: bool = False,
) -> None:
    """Send the `size` bytes of `fd` to the upload at `url`. `advance` hears the bytes so far.

    `broken` = it was begun, and broke off: it goes on where it was. Raises Refused, Unavailable.
    """
    sent = 0
    if broken:
        url, sent = await _where(repository, digest, url)
    for number in range(int(broken), TRIES):
        try:
            if number == 0:
                await _whole(repository, fd, digest, size, url, advance)
            else:
                await _in_chunks(repository, fd, digest, size, url, sent, advance)
            return
        except Stumbled as error:
            if number == TRIES - 1:
                raise Unavailable(error.message) from error
            await repository.session.pause(number, error.after)
            if await repository.size(digest) == size:
                return  # it was only the answer that got lost
            url, sent = await _where(repository, digest, url)
        except Refused as error:
            # Proxies in front of registries bound the size of one request: 413; and some uploads vanish: 404.
            if number or error.http_status not in (404, 413, 416):
                raise
            url, sent = await _where(repository, digest, "")


async def stream(repository: Repository, pieces: Callable[[], AsyncIterator[bytes]], url: str) -> str:
    """Send what is not known yet, neither its size nor its digest, in one request, as Docker does; see `finish`.

    Where the upload goes on. Raises Refused, Stumbled.
    """
    _, following = await repository.send("PATCH", url, pieces, {"Content-Type": "application/octet-stream"})
    return following or url


async def finish(repository: Repository, digest: Digest, url: str) -> None:
    """All the bytes of an upload are there, and they are `digest`. Raises Refused, Stumbled."""
    await repository.send("PUT", _with_digest(url, digest), b"", {"Content-Length": "0"})


async def _whole(repository: Repository, fd: int, digest: Digest, size: int, url: str, advance: Advance) -> None:
    fields = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    await repository.send("PUT", _with_digest(url, digest), lambda: _pieces(fd, 0, size, advance), fields)
    advance(size)


async def _in_chunks(
    repository: Repository, fd: int, digest: Digest, size: int, url: str, sent: int, advance: Advance
) -> None:
    while sent < size:
        end = min(size, sent + CHUNK)
        fields = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(end - sent),
            "Content-Range": f"{sent}-{end - 1}",
        }
        start = sent

        def body(start: int = start, end: int = end) -> AsyncIterator[bytes]:
            return _pieces(fd, start, end, advance)

        _, following = await repository.send("PATCH", url, body, fields)
        url, sent = following or url, end
    await finish(repository, digest, url)
    advance(size)


async def _where(repository: Repository, digest: Digest, url: str) -> tuple[str, int]:
    """Where an upload that broke off goes on, and how much of it is there; a new one where it is gone."""
    if url:
        try:
            taken = await repository.uploaded(url)
            if taken:
                return url, taken
        except (Refused, Unavailable):
            pass
    fresh = await repository.begin(digest)
    if fresh is None:
        raise Unavailable("the registry mounts a blob that nobody asked it to")
    return fresh, 0


def _with_digest(url: str, digest: Digest) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}digest={quote(digest, safe='')}"


async def _pieces(fd: int, start: int, end: int, advance: Advance) -> AsyncIterator[bytes]:
    pace = Pace()
    while start < end:
        data = await off_loop(os.pread, fd, min(pace.size, end - start), start)
        if not data:
            raise OSError(5, "the blob has become shorter")
        start += len(data)
        with pace:
            yield data
        advance(start)
