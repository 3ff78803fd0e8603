"""What the administrator says of registries: /etc/onggi/registries.toml, or the file that `$ONGGI_CONFIG` names.

    insecure = ["registry.lan:5000", "10.0.0.0/8"]   # plain HTTP and unknown certificates are fine there
    downloads = 3                                    # layers at once
    uploads = 5

    [aliases]                                        # short names, before Docker Hub is thought of
    tools = "registry.lan:5000/team/tools"

    [mirrors]                                        # asked before the registry itself, in this order
    "docker.io" = ["https://mirror.lan"]

It lies outside ROOT, because it is the machine's and not the engine's. It is read again for each command.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from pathlib import Path

import msgspec

from core.errors import InvalidArgument
from core.oci.reference import HUB, Reference

DEFAULT_FILE = Path("/etc/onggi/registries.toml")
CERTIFICATES = (Path("/etc/onggi/certs.d"), Path("/etc/docker/certs.d"))
HUB_HOST = "registry-1.docker.io"
STALL = 60.0  # seconds between two signs of life, after which the other side counts as gone
_LIMIT = 1 << 20  # bytes
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's members; each has a default, so that no file is needed."""

    insecure: tuple[str, ...] = ()
    downloads: int = 3
    uploads: int = 5
    aliases: dict[str, str] = {}
    mirrors: dict[str, tuple[str, ...]] = {}

    def may_be_plain(self, host: str) -> bool:
        """Whether `host` (with its port) is on this machine's loopback, or was said to be insecure."""
        name = host_name(host)
        if host in self.insecure or name in self.insecure or name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or any(address in network for network in _networks(self.insecure))

    def expand(self, reference: Reference, typed: str) -> Reference:
        """`reference`, parsed from `typed`, or what its short name stands for. Raises InvalidArgument."""
        target = self.aliases.get(reference.familiar_name)
        if target is None or typed.startswith(f"{HUB}/"):
            return reference
        found = Reference.parse(target)
        if found.tag or found.digest:
            raise InvalidArgument(f"alias {reference.familiar_name} must not have a tag: {target}")
        return Reference(found.domain, found.path, reference.tag, reference.digest)


def load() -> Settings:
    """Read the file; none is like an empty one. Raises InvalidArgument that names it."""
    path = Path(os.environ.get("ONGGI_CONFIG") or DEFAULT_FILE)
    try:
        with path.open("rb") as file:
            data = file.read(_LIMIT)
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise InvalidArgument(f"read {path}: {(error.strerror or str(error)).lower()}") from error
    try:
        settings = msgspec.convert(tomllib.loads(data.decode()), Settings)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise InvalidArgument(f"{path} is not acceptable: {error}") from error
    for value in (settings.downloads, settings.uploads):
        if not 1 <= value <= 64:
            raise InvalidArgument(f"{path} is not acceptable: downloads and uploads are from 1 to 64")
    return settings


def host_name(host: str) -> str:
    """`host` without its port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def api_host(domain: str) -> str:
    """Where the registry of a reference's domain answers."""
    return HUB_HOST if domain == HUB else domain


def parse_server(text: str) -> str:
    """The domain in what people give as a registry's address: `host:port`, a URL, Hub's old one.

    Raises InvalidArgument.
    """
    bare = text.strip().removeprefix("https://").removeprefix("http://").partition("/")[0]
    if bare in ("", "index.docker.io", HUB, HUB_HOST):
        return HUB
    if not _HOST.fullmatch(bare):
        raise InvalidArgument(f"invalid registry address: {text[:200]!r}")
    return bare


def search_target(term: str) -> tuple[str, str]:
    """The domain to search and the words to search for: `host:port/words` asks another registry than Hub."""
    first, slash, rest = term.strip().partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return parse_server(first), rest
    return HUB, term.strip()


def _networks(texts: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            continue  # a name
    return found
