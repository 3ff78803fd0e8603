"""ADD of a URL: fetched once for a build, bounded, and compared with its checksum where one is given."""

from __future__ import annotations

import hashlib
import os
import posixpath
import shutil
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.aio import off_loop_to_end
from core.errors import InvalidArgument, Unavailable

TIMEOUT = 30.0  # seconds without a byte
_CHUNK = 1 << 18
_RESERVE = 64 << 20  # bytes of the disk that stay free


class Downloads:
    """Fetches over http and https, by the engine's own proxies."""

    async def fetch(self, url: str, folder: Path, checksum: str, *, name: str = "") -> str:
        """Put the file into `folder`; its name, that of the URL where none is given.

        Raises InvalidArgument, Unavailable, with one line.
        """
        name = name or file_name(url)
        return await off_loop_to_end(_fetch, url, folder / name, checksum)


def file_name(url: str) -> str:
    """The last part of a URL's path: what the file is called in a target that is a folder."""
    name = posixpath.basename(unquote(urlsplit(url).path))
    if name in ("", ".", "..") or "\0" in name or "/" in name:
        raise InvalidArgument(f"cannot determine filename from url: {url}")
    return name


def _fetch(url: str, path: Path, checksum: str) -> str:
    from http.client import HTTPException  # 20 ms that an engine which builds nothing need not spend
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    sha = hashlib.sha256()
    try:
        with (
            urlopen(Request(url, headers={"User-Agent": "onggi"}), timeout=TIMEOUT) as reply,
            path.open("xb") as file,
        ):
            if urlsplit(reply.url).scheme not in ("http", "https"):
                raise InvalidArgument(f"fetch {url}: redirected to {reply.url}")
            while piece := reply.read(_CHUNK):
                if shutil.disk_usage(path.parent).free < _RESERVE + len(piece):
                    raise Unavailable(f"fetch {url}: no space left on device")
                sha.update(piece)
                file.write(piece)
            modified = reply.headers.get("Last-Modified")
    except (URLError, HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(reason, OSError):  # without its number
            reason = (reason.strerror or str(reason)).lower()
        raise Unavailable(f"fetch {url}: {reason}") from error
    found = f"sha256:{sha.hexdigest()}"
    if checksum and checksum != found:
        raise InvalidArgument(f"digest mismatch {found}: {checksum}")
    path.chmod(0o600)
    _set_time(path, modified)
    return path.name


def _set_time(path: Path, modified: str | None) -> None:
    """Docker gives the file the server's time; without one the beginning of time, so that layers compare."""
    try:
        moment = parsedate_to_datetime(modified).timestamp() if modified else 0.0
    except (ValueError, TypeError):
        moment = 0.0
    os.utime(path, (moment, moment))
