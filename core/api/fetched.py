"""Archives from elsewhere: what an http(s) URL has, into a file without a name. The engine's own proxies count.

Docker Engine API, `POST /images/create?fromSrc=URL`. No other protocol is spoken, redirected or not.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any

from core.aio import off_loop, off_loop_to_end
from core.errors import EngineError, InvalidArgument, Unavailable
from core.model.events import Progress
from core.paths import Paths
from core.storage.content import free_bytes, shortage

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

TIMEOUT = 30.0  # seconds without a byte
STALL, LEAST = 60.0, 4096  # seconds, and bytes that must come within them
_PIECE = 1 << 18
_SCHEMES = ("http://", "https://")

Report = Callable[[Progress], None]


def url_of(source: str) -> str:
    """The URL that a client names; without a scheme it is http, as with Docker. Raises InvalidArgument."""
    url = source if "://" in source else f"http://{source}"
    if not url.startswith(_SCHEMES) or any(ord(char) <= 0x20 or ord(char) == 0x7F for char in url):
        raise InvalidArgument(
            f"invalid source {source!r}: must be an http or https URL, or - for the request's body"
        )
    return url


async def fetched(paths: Paths, url: str, report: Report) -> IO[bytes]:
    """All of it in a file under ROOT, at its beginning; the caller closes it. Raises Unavailable, DiskFull."""
    file = await off_loop(lambda: tempfile.TemporaryFile(dir=paths.root))  # noqa: SIM115 (the caller's)
    try:
        with closing(await off_loop_to_end(_open, url)) as reply:
            length = reply.headers.get("Content-Length") or ""
            total = int(length) if length.isascii() and length.isdigit() else 0
            if total > free_bytes(file.fileno()):
                raise shortage(f"fetch {url}", total, paths.root)
            report(Progress(status=f"Downloading from {url}"))
            await _copy(reply, file, total, url, report, paths)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


async def _copy(reply: Any, file: IO[bytes], total: int, url: str, report: Report, paths: Paths) -> None:
    clock = asyncio.get_running_loop().time
    done, since, before = 0, clock(), 0
    while piece := await off_loop_to_end(_guarded, url, reply.read1, _PIECE):
        if len(piece) > free_bytes(file.fileno()):
            raise shortage(f"fetch {url}", done, paths.root, bound="more than")
        await off_loop_to_end(file.write, piece)
        done += len(piece)
        if clock() - since > STALL:
            if done - before < LEAST:
                raise Unavailable(f"fetch {url}: the line drips")
            since, before = clock(), done
        report(Progress(status="Downloading", current=done, total=total))
    if total and done < total:
        raise Unavailable(f"fetch {url}: it ended after {done} of {total} bytes")
    await off_loop_to_end(file.flush)


def _open(url: str) -> Any:
    from urllib.request import Request  # 20 ms that an engine which imports nothing need not spend

    return _guarded(url, _opener().open, Request(url, headers={"User-Agent": "onggi"}), None, TIMEOUT)


def _opener() -> OpenerDirector:
    """One that knows no files, no FTP and no data: `urlopen` would follow a redirect to some of them."""
    from urllib import request

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPRedirectHandler(),
        request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _guarded(url: str, work: Callable[..., Any], *args: Any) -> Any:
    """`work`, whose failures are the URL's. Raises Unavailable."""
    from http.client import HTTPException
    from urllib.error import HTTPError

    try:
        found = work(*args)
    except HTTPError as error:
        error.close()
        raise Unavailable(f"failed to GET {url} with status {error.code} {error.reason}") from None
    except EngineError:
        raise
    except (HTTPException, OSError, ValueError) as error:
        raise Unavailable(f"fetch {url}: {getattr(error, 'reason', None) or error}") from error
    if found is None:
        raise Unavailable(f"fetch {url}: redirected to another protocol")
    return found
