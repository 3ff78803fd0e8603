"""Credentials on the wire: `X-Registry-Auth`, and the body of POST /auth.

Docker Engine API, "Authentication": base64url (RFC 4648, section 5) of a JSON object.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from core.errors import InvalidArgument
from core.model.registry import Credentials

HEADER = "X-Registry-Auth"
CONFIG_HEADER = "X-Registry-Config"  # of POST /build, which may need several registries
_LIMIT = 48 * 1024  # characters; a head as a whole may have 64 KiB
_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io"})
_PRINTED = str.maketrans("+/", "-_")


class _Document(msgspec.Struct, rename="lower"):
    username: str | None = None
    password: str | None = None
    auth: str | None = None
    serveraddress: str | None = None
    identitytoken: str | None = None
    registrytoken: str | None = None


def encode(credentials: Credentials) -> str:
    """The value of `X-Registry-Auth`."""
    return base64.urlsafe_b64encode(json.dumps(to_document(credentials)).encode()).decode()


def to_document(credentials: Credentials) -> dict[str, str]:
    """The body of POST /auth."""
    members = {
        "username": credentials.username,
        "password": credentials.password,
        "serveraddress": credentials.server_address,
        "identitytoken": credentials.identity_token,
        "registrytoken": credentials.registry_token,
    }
    return {name: value for name, value in members.items() if value}


def proved(asked: Credentials, answer: Mapping[str, Any]) -> Credentials:
    """What is kept after POST /auth: the identity token that the server gave, in place of the password."""
    token = answer.get("IdentityToken")
    if not token:
        return asked
    return Credentials(username=asked.username, identity_token=str(token), server_address=asked.server_address)


def decode(header: str) -> Credentials | None:
    """What `X-Registry-Auth` holds; None for what says nothing or is not understood: then it is anonymous.

    Docker takes headers that it does not understand for none, and clients have come to rely on it.
    """
    if not header or len(header) > _LIMIT:
        return None
    text = header.strip().translate(_PRINTED)
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = parse(data)
    except (binascii.Error, ValueError, InvalidArgument):
        return None
    return found if found.username or found.identity_token or found.registry_token else None


def encode_all(credentials: Mapping[str, Credentials]) -> str:
    """The value of `X-Registry-Config`: credentials by server."""
    document = {server: to_document(found) for server, found in credentials.items()}
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()


def decode_all(header: str) -> dict[str, Credentials]:
    """What `X-Registry-Config` holds, by host; what is not understood is left out."""
    if not header or len(header) > _LIMIT:
        return {}
    text = header.strip().translate(_PRINTED)
    found: dict[str, Credentials] = {}
    try:
        document = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        for server, members in document.items():
            host = server.removeprefix("https://").removeprefix("http://").partition("/")[0]
            found["docker.io" if host in _HUB_NAMES else host] = parse(json.dumps(members).encode())
    except (binascii.Error, ValueError, AttributeError, RecursionError, InvalidArgument):
        pass
    return found


def parse(body: bytes) -> Credentials:
    """The credentials in the body of POST /auth. Raises InvalidArgument, never telling what was in it."""
    try:
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The decoder's own words could hold a part of the secret.
        raise InvalidArgument("credentials are not acceptable: must be a JSON object of texts") from None
    username, password = document.username or "", document.password or ""
    if document.auth and not username:
        username, password = split_pair(document.auth)
    found = Credentials(
        username=username,
        password=password,
        identity_token=document.identitytoken or "",
        registry_token=document.registrytoken or "",
        server_address=document.serveraddress or "",
    )
    for value in (found.username, found.password, found.identity_token, found.registry_token, found.server_address):
        if "\0" in value:
            raise InvalidArgument("credentials are not acceptable: they hold a NUL byte")
    return found


def split_pair(auth: str) -> tuple[str, str]:
    """`auth` of a configuration file: base64 of `user:password`. Raises InvalidArgument."""
    try:
        user, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise InvalidArgument("credentials are not acceptable: auth is not base64 of user:password") from None
    if not colon or not user:
        raise InvalidArgument("credentials are not acceptable: auth is not base64 of user:password")
    return user, password.strip("\0")


def join_pair(username: str, password: str) -> str:
    """The reverse of `split_pair`."""
    return base64.b64encode(f"{username}:{password}".encode()).decode()
