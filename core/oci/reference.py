"""Image references as distribution's grammar has them: `[domain/]path[:tag][@digest]`.

A first part without `.`, `:` and that is not `localhost` is a path on Docker Hub, whose one-word paths lie
under `library/`. https://github.com/distribution/reference
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import BadReference, InvalidArgument
from core.oci.digest import Digest

HUB = "docker.io"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A whole reference; `tag` and `digest` may both be missing or both be there."""

    domain: str
    path: str
    tag: str | None = None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Parse what a user typed. Raises BadReference with Docker's words."""
        if _IDENTIFIER.fullmatch(text):
            raise BadReference(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
        name, at, digest_text = text.partition("@")
        name, tag = _split_tag(name)
        domain, path = _split_domain(name)
        if path != path.lower() and _PATH.fullmatch(path.lower()):
            raise BadReference(f"invalid reference format: repository name ({path}) must be lowercase")
        if not _PATH.fullmatch(path) or not _DOMAIN.fullmatch(domain) or len(path) > 255:
            raise BadReference("invalid reference format")
        if tag is not None and not _TAG.fullmatch(tag):
            raise BadReference("invalid reference format")
        return cls(domain, path, tag, _digest(digest_text) if at else None)

    def with_default_tag(self) -> Reference:
        """The same, with `latest` where neither a tag nor a digest was given."""
        if self.tag or self.digest:
            return self
        return Reference(self.domain, self.path, "latest")

    @property
    def name(self) -> str:
        """Domain and path in full: `docker.io/library/busybox`."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_name(self) -> str:
        """The name as people write it: `busybox`, `me/app`, `localhost:5000/app`."""
        if self.domain != HUB:
            return self.name
        return self.path.removeprefix("library/") if self.path.count("/") == 1 else self.path

    @property
    def familiar(self) -> str:
        """The reference as people write it: `busybox:latest`."""
        return self.familiar_name + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name + self._suffix


def _split_tag(name: str) -> tuple[str, str | None]:
    head, colon, tail = name.rpartition(":")
    if colon and "/" not in tail:
        return head, tail
    return name, None


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        domain, path = first, rest
    else:
        domain, path = HUB, name
    if domain == "index.docker.io":
        domain = HUB
    if domain == HUB and "/" not in path:
        path = f"library/{path}"
    return domain, path


def _digest(text: str) -> Digest:
    try:
        return Digest(text)
    except InvalidArgument as error:
        raise BadReference("invalid reference format") from error
