"""Tokens: how a registry's challenge is answered, once for all who wait for the same.

https://distribution.github.io/distribution/spec/auth/token/ and …/oauth/. Tokens live in memory for the length of
one command; credentials go to the registry's own host, and to the token server that it names over TLS.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import msgspec

from core.errors import DataLoss, Unauthorized
from core.model.registry import Credentials
from core.registry.answers import redact, refusal
from core.registry.challenge import Challenge, pick
from core.registry.transport import Transport

CLIENT_ID = "onggi"
_LEAST = 60.0  # seconds that a token holds where its server does not say
_EARLY = 5.0  # seconds before its end from which it is not used any more


class _Answer(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    expires_in: float = _LEAST
    refresh_token: str = ""


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until: float  # monotonic seconds


class Authorizer:
    """The answers for one registry. `credentials` None = nobody in particular asks."""

    def __init__(self, transport: Transport, credentials: Credentials | None) -> None:
        self._transport = transport
        self._credentials = credentials
        self._challenge: Challenge | None = None
        self._tokens: dict[str, _Token] = {}
        self._lock = asyncio.Lock()
        self.identity_token = ""  # what a login gave

    async def header(self, scope: str) -> str | None:
        """What to send along before anybody asks; None until there has been a challenge."""
        if self._challenge is None:
            return None
        if self._challenge.scheme == "basic":
            return self._basic()
        token = self._tokens.get(scope)
        if token is None or token.until - _EARLY < time.monotonic():
            return await self._bearer(self._challenge, scope, refused=token)
        return f"Bearer {token.value}"

    async def answer(self, challenges: Sequence[Challenge], scope: str, refused: str | None) -> str | None:
        """What to send after a 401 that `refused` (a header) got; None where there is nothing better.

        Raises Unauthorized, Unavailable.
        """
        challenge = pick(challenges)
        if challenge is None:
            return None
        self._challenge = challenge
        if challenge.scheme == "basic":
            header = self._basic()
            return None if header == refused else header
        before = self._tokens.get(scope)
        if before is not None and f"Bearer {before.value}" != refused:
            return f"Bearer {before.value}"  # somebody else has got a new one meanwhile
        return await self._bearer(challenge, scope, refused=before)

    async def sign_in(self, challenges: Sequence[Challenge]) -> str | None:
        """The answer that proves who asks, and the identity token, where the server gives one."""
        challenge = pick(challenges)
        if challenge is None:
            return None
        self._challenge = challenge
        if challenge.scheme == "basic":
            return self._basic()
        answer = await self._fetch(challenge, challenge.parameters.get("scope", ""), offline=True)
        self.identity_token = answer.refresh_token
        return f"Bearer {answer.token or answer.access_token}"

    def _basic(self) -> str | None:
        known = self._credentials
        if known is None or not known.username:
            return None
        return "Basic " + base64.b64encode(f"{known.username}:{known.password}".encode()).decode()

    async def _bearer(self, challenge: Challenge, scope: str, *, refused: _Token | None) -> str:
        known = self._credentials
        if known is not None and known.registry_token:
            return f"Bearer {known.registry_token}"
        async with self._lock:
            now = self._tokens.get(scope)
            if now is not None and now is not refused:
                return f"Bearer {now.value}"
            answer = await self._fetch(challenge, scope or challenge.parameters.get("scope", ""), offline=False)
            token = _Token(answer.token or answer.access_token, time.monotonic() + max(answer.expires_in, _LEAST))
            self._tokens[scope] = token
            return f"Bearer {token.value}"

    async def _fetch(self, challenge: Challenge, scope: str, *, offline: bool) -> _Answer:
        realm = challenge.parameters.get("realm", "")
        parts = urlsplit(realm)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise Unauthorized("unauthorized: the registry names no usable token server")
        if parts.scheme == "http" and not self._transport.settings.may_be_plain(parts.netloc):
            raise Unauthorized(f"unauthorized: token server {redact(realm)} is not encrypted")
        service = challenge.parameters.get("service", "")
        known = self._credentials
        if known is not None and known.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": known.identity_token}
            return await self._post(realm, service, scope, form, offline=offline)
        return await self._get(realm, service, scope, offline=offline)

    async def _get(self, realm: str, service: str, scope: str, *, offline: bool) -> _Answer:
        query = [("service", service)] if service else []
        query += [("scope", one) for one in scope.split(" ") if one]
        headers = {}
        if (basic := self._basic()) is not None and self._credentials is not None:
            headers["Authorization"] = basic
            query += [("account", self._credentials.username)]
            query += [("client_id", CLIENT_ID), ("offline_token", "true")] if offline else []
        url = realm + ("&" if urlsplit(realm).query else "?") + urlencode(query)
        async with self._transport.exchange("GET", url, headers=headers) as response:
            data = await self._transport.document(response)
            status = response.status_code
        if status in (404, 405) and headers and self._credentials is not None:
            known = self._credentials
            form = {"grant_type": "password", "username": known.username, "password": known.password}
            return await self._post(realm, service, scope, form, offline=offline)
        return _parse(status, data, realm)

    async def _post(self, realm: str, service: str, scope: str, form: dict[str, str], *, offline: bool) -> _Answer:
        fields = {**form, "service": service, "scope": scope, "client_id": CLIENT_ID}
        fields |= {"access_type": "offline"} if offline else {}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(fields).encode()
        async with self._transport.exchange("POST", realm, headers=headers, body=body) as response:
            return _parse(response.status_code, await self._transport.document(response), realm)


def _parse(status: int, data: bytes, realm: str) -> _Answer:
    if status >= 400:
        refused = refusal(status, data, realm)
        raise Unauthorized(refused.message) if status in (400, 401, 403) else refused.plain()
    if status != 200:
        raise DataLoss(f"token server {redact(realm)} answers with status {status}")
    try:
        answer = msgspec.json.decode(data, type=_Answer)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise DataLoss(f"token server {redact(realm)} does not answer with a token") from None
    token = answer.token or answer.access_token
    if not token or not token.isascii() or not token.isprintable():
        raise DataLoss(f"token server {redact(realm)} does not answer with a token")
    return answer
