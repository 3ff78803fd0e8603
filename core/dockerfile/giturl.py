"""`URL[#[REF][:FOLDER]]`: a git repository as docker build and ADD name it. Pure.

docs.docker.com/build/concepts/context, "Git repositories". Nothing of it becomes an option of git or of ssh
(CVE-2019-13139, CVE-2017-1000117), and no folder leads out of the repository (CVE-2026-33748).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import InvalidArgument

_GIT = re.compile(r"git://.|git@[\w.-]+:.|ssh://.|github\.com/.|https?://[^#]+\.git(#.*)?$", re.ASCII)
_HOST = re.compile(
    r"(?:git|ssh|https?)://(?:[^/@]*@)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::\d{1,5})?(?:/.*)?|git@([\w.-]+):.+"
)
_REF = re.compile(r"[\w./@-]+(?:\{[\w-]+\})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class GitSource:
    """A repository at `ref` ("HEAD" = its default branch), and a folder in it, "" = all of it."""

    url: str
    ref: str = "HEAD"
    folder: str = ""

    @property
    def shown(self) -> str:
        """The URL without what may be a secret."""
        return re.sub(r"//[^/@]*@", "//", self.url)


def is_git(where: str) -> bool:
    """Whether Docker takes it for a repository."""
    return _GIT.match(where) is not None


def parse_git(where: str) -> GitSource:
    """Raises InvalidArgument."""
    url, _, fragment = where.partition("#")
    ref, _, folder = fragment.partition(":")
    if url.startswith("github.com/"):
        url = f"https://{url}"
    host = _HOST.fullmatch(url)
    name = (host[1] or host[2]) if host else ""
    if not name or name.startswith("-") or any(char.isspace() or not char.isprintable() for char in url):
        raise InvalidArgument(f"invalid git URL: {_plain(re.sub('//[^/@]*@', '//', url))}")
    if ref and (not _REF.fullmatch(ref) or ref.startswith(("-", "/")) or ".." in ref):
        raise InvalidArgument(f"invalid git reference: {_plain(ref)}")
    if ".." in folder.split("/") or "\0" in folder:
        raise InvalidArgument(f"invalid folder of a repository: {_plain(folder)}")
    parts = [part for part in folder.split("/") if part not in ("", ".")]
    if any(part.lower() == ".git" for part in parts):
        raise InvalidArgument(f"invalid folder of a repository: {_plain(folder)}")
    return GitSource(url, ref or "HEAD", "/".join(parts))


def reason(said: str) -> str:
    """The line of what git said that tells why it failed; "" where it said nothing. Without secrets of URLs."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    fatal = next((number for number, line in enumerate(lines) if line.startswith(("fatal:", "error:"))), -1)
    if fatal > 0 and lines[fatal].startswith("fatal: Could not read from remote repository"):
        fatal -= 1  # what ssh said
    return re.sub("//[^/@ ]*@", "//", lines[fatal])[:500] if lines else ""


def _plain(text: str) -> str:
    """For a line that tells what is wrong."""
    return "".join(char if char.isprintable() else "?" for char in text[:200])
