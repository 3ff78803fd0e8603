"""Build contexts from elsewhere: a git repository, or what an http(s) URL has. The client fetches, as its user.

docs.docker.com/build/concepts/context, "Remote context". Nothing of a URL becomes an option of git
(CVE-2019-13139), and no fragment leads out of the repository.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from core.client import buildcontext
from core.dockerfile.giturl import is_git, parse_git, reason
from core.errors import InvalidArgument, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import IO

PROTOCOLS = "git:http:https:ssh"
_SETTINGS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "advice.detachedHead=false")
_HTTP = ("http://", "https://")
__all__ = ["cloned", "downloaded", "is_git", "is_url", "parse_git"]
_TIMEOUT = 30.0  # seconds without a byte
_PIECE = 1 << 18


def is_url(where: str) -> bool:
    """Whether it is something to download."""
    return where.startswith(_HTTP)


@contextlib.contextmanager
def cloned(where: str) -> Iterator[str]:
    """The folder that `URL[#[REF][:FOLDER]]` means, while inside. Raises InvalidArgument, Unavailable."""
    source = parse_git(where)
    url, ref, folder = source.url, source.ref, source.folder
    if shutil.which("git") is None:
        raise Unavailable("unable to find 'git': it is needed for a context from a repository")
    with tempfile.TemporaryDirectory(prefix="onggi-git-") as root:
        _git(root, "init", "-q", "--template=")
        try:
            _git(root, "fetch", "-q", "--no-tags", "--depth=1", "--", url, ref)
        except Unavailable:  # the server cannot do with less than everything
            _git(root, "fetch", "-q", "--no-tags", "--", url, ref)
        _git(root, "checkout", "-q", "FETCH_HEAD")
        top = Path(root).resolve()
        if (top / ".gitmodules").exists():
            _git(root, "submodule", "-q", "update", "--init", "--recursive")
        shutil.rmtree(top / ".git")
        wanted = (top / folder).resolve()
        if wanted != top / folder or not wanted.is_dir():
            raise InvalidArgument(f"no such folder in the repository: {folder}")
        yield str(wanted)


def _git(root: str, *arguments: str) -> None:
    """The user's own settings and keys count; protocols that run programs do not."""
    ours = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_WORK_TREE")}
    environment = {**ours, "GIT_ALLOW_PROTOCOL": PROTOCOLS, "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(
        ["git", *_SETTINGS, *arguments], cwd=root, env=environment, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise Unavailable(f"git {arguments[0]}: {reason(done.stderr.decode('utf-8', 'replace')) or 'it failed'}")


def downloaded(url: str, moved: Callable[[int], None] = lambda done: None) -> tuple[IO[bytes], bool]:
    """What a URL has, to be read from its beginning, and whether it is an archive. `moved` hears the bytes so far.

    Raises Unavailable.
    """
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    file = tempfile.SpooledTemporaryFile(buildcontext.IN_MEMORY)  # noqa: SIM115 (the caller's)
    try:
        with urlopen(Request(url, headers={"User-Agent": "onggi"}), timeout=_TIMEOUT) as reply:
            if not reply.url.startswith(_HTTP):
                raise Unavailable(f"fetch {url}: redirected to {reply.url}")
            while piece := reply.read(_PIECE):
                file.write(piece)
                moved(file.tell())
    except (HTTPException, OSError, ValueError) as error:
        file.close()
        raise Unavailable(f"fetch {url}: {getattr(error, 'reason', None) or error}") from error
    file.seek(0)
    head = file.read(512)
    file.seek(0)
    return file, buildcontext.is_archive(head)
