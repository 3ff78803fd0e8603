"""One registry at one address: found, asked with the right secrets, and asked again when it stumbles."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import httpx

from core.errors import Unauthorized, Unavailable
from core.model.registry import Credentials
from core.oci.reference import HUB
from core.registry.answers import NoCredentials, Refused, redact, refusal, tls_error
from core.registry.auth import Authorizer
from core.registry.challenge import parse, pick
from core.registry.settings import api_host, parse_server
from core.registry.tls import has_authority
from core.registry.transport import Body, Transport, origin

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

TRIES = 5
PAUSE = 0.25  # seconds, doubled each time
LONGEST = 20.0  # seconds we wait because a registry says so
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Address:
    """Where a registry may be: the `domain` of references, `host` with its port; `scheme` "" = to be found out."""

    domain: str
    host: str
    scheme: str = ""
    mirror: bool = False


class Stumbled(Unavailable):
    """The registry or the line failed in a way that may be over when one asks again; `after` seconds."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Session:
    """A registry that has answered. Make it with `connect`."""

    def __init__(self, transport: Transport, base: str, authorizer: Authorizer, *, sleep: Sleep) -> None:
        self.transport = transport
        self.base = base  # scheme://host
        self.authorizer = authorizer
        self._sleep = sleep

    def url(self, path: str) -> str:
        """`path` below the API's root."""
        return f"{self.base}/v2/{path}"

    @asynccontextmanager
    async def ask(
        self, method: str, url: str, *, scope: str = "", headers: Mapping[str, str] = {}, body: Body | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The answer to one request, with the secrets it takes. Raises Refused for 400 and above, Unavailable."""
        ours = origin(url) == origin(self.base)
        authorization = await self.authorizer.header(scope) if ours else None
        for last in (False, True):
            fields = {**headers, **({"Authorization": authorization} if authorization else {})}
            async with self.transport.exchange(method, url, headers=fields, body=body) as response:
                if response.status_code < 400:
                    yield response
                    return
                data = b"" if method == "HEAD" else await self.transport.document(response, 1 << 18)
                challenges = parse(response.headers.get_list("www-authenticate"))
                from_us = origin(str(response.url)) == origin(self.base)
                error = _explained(response, data)
            if response.status_code != 401 or last or not (ours and from_us):
                raise error
            refused = authorization
            authorization = await self.authorizer.answer(challenges, scope, refused)
            if authorization is None:
                wanted = pick(challenges)
                raise NoCredentials(url) if refused is None and wanted and wanted.scheme == "basic" else error

    async def again(self, work: Callable[[], Awaitable[T]]) -> T:
        """`work`, again and again with longer pauses while it raises Stumbled."""
        for number in range(TRIES):
            try:
                return await work()
            except Stumbled as error:
                if number == TRIES - 1:
                    raise Unavailable(error.message) from error
                await self.pause(number, error.after)
        raise AssertionError

    async def pause(self, number: int, at_least: float = 0.0) -> None:
        """Wait before try `number` + 2."""
        await self._sleep(max(PAUSE * 2**number * random.uniform(0.8, 1.2), min(at_least, LONGEST)))

    async def document(
        self, path: str, *, scope: str, headers: Mapping[str, str] = {}
    ) -> tuple[bytes, httpx.Headers, str]:
        """A small document, asked for until it comes whole: its bytes, headers and URL."""

        async def once() -> tuple[bytes, httpx.Headers, str]:
            try:
                url = path if "://" in path else self.url(path)
                async with self.ask("GET", url, scope=scope, headers=headers) as response:
                    return await self.transport.document(response), response.headers, str(response.url)
            except Stumbled:
                raise
            except Unavailable as error:
                raise error if tls_error(error) else Stumbled(error.message) from error

        return await self.again(once)


async def connect(
    transport: Transport, address: Address, credentials: Credentials | None, *, sleep: Sleep = asyncio.sleep
) -> Session:
    """Find out how `address` wants to be spoken to. Raises Unavailable, InvalidArgument."""
    mine = credentials if _is_for(credentials, address) else None
    settings, host = transport.settings, address.host
    if address.scheme:
        base = f"{address.scheme}://{host}"
        await _look(transport, base)
    else:
        base = f"https://{host}"
        unproved = settings.may_be_plain(host) and not has_authority(host, transport.certificates)
        if unproved:
            transport.unverified.add(host)
        try:
            await _look(transport, base)
        except Unavailable:
            # Plain HTTP is for this machine and for what the administrator named, and not even there where
            # somebody has said what the registry must show.
            if not unproved:
                raise
            base = f"http://{host}"
            await _look(transport, base)
    return Session(transport, base, Authorizer(transport, mine), sleep=sleep)


async def sign_in(session: Session) -> str | None:
    """Prove who asks; the identity token, where there is one. Raises Unauthorized, Unavailable."""
    url = session.url("")
    async with session.transport.exchange("GET", url, headers={}) as response:
        if response.status_code < 400:
            return None
        challenges = parse(response.headers.get_list("www-authenticate"))
        if response.status_code != 401:
            data = await session.transport.document(response)
            raise refusal(response.status_code, data, url).plain()
    try:
        header = await session.authorizer.sign_in(challenges)
    except Unauthorized as error:
        raise Unauthorized(f'Get "{url}": {error.message}') from error
    fields = {"Authorization": header} if header else {}
    async with session.transport.exchange("GET", url, headers=fields) as response:
        status, reason = response.status_code, response.reason_phrase
        if status >= 400:
            kind = Unauthorized if status in (401, 403) else Unavailable
            raise kind(f"login attempt to {redact(url)} failed with status: {status} {reason}")
    return session.authorizer.identity_token or None


async def _look(transport: Transport, base: str) -> None:
    async with transport.exchange("GET", f"{base}/v2/", headers={}):
        pass  # whatever it says, it speaks HTTP


def _explained(response: httpx.Response, data: bytes) -> Refused | Stumbled:
    error = refusal(response.status_code, data, str(response.url))
    challenges = parse(response.headers.get_list("www-authenticate"))
    if any(one.parameters.get("error") == "insufficient_scope" for one in challenges):
        return Refused(error.http_status, "DENIED", "requested access to the resource is denied", error.url)
    if response.status_code not in _AGAIN:
        return error
    after = response.headers.get("retry-after", "")
    plain = error.plain()
    return Stumbled(plain.message, float(after) if after.isascii() and after.isdigit() else 0.0)


def _is_for(credentials: Credentials | None, address: Address) -> bool:
    """Whether these credentials are meant for this registry: never for a mirror, or another one's server."""
    if credentials is None or address.mirror:
        return False
    return not credentials.server_address or parse_server(credentials.server_address) == address.domain


def addresses(domain: str, mirrors: tuple[str, ...], *, write: bool = False) -> tuple[Address, ...]:
    """Where to look for the repositories of `domain`, in order."""
    found = []
    for mirror in () if write else mirrors:
        scheme, _, host = mirror.rpartition("://")
        found.append(Address(domain, host.rstrip("/"), scheme, mirror=True))
    return (*found, Address(domain, api_host(domain), "https" if domain == HUB else ""))
