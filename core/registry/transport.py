"""One exchange with a registry, or with whoever it sends us to: bounded in time, redirected with care, explained.

What is secret goes to the host it was meant for: a redirect elsewhere goes without `Authorization`, never from
TLS to plain HTTP, and never from somewhere else to this machine's own services.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import TracebackType
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from core.errors import DataLoss, Unavailable
from core.oci.document import DOCUMENT_LIMIT
from core.registry.answers import redact, unreachable
from core.registry.settings import CERTIFICATES, STALL, Settings, host_name
from core.registry.tls import make_context

CONNECT = 15.0  # seconds for a connection to stand
HEAD_TIME = 120.0  # seconds the head of an answer may take, however steadily it drips, once the request is sent
COMMIT_TIME = 300.0  # and that of a PUT: what stores in the cloud copies a whole layer before it answers
DOCUMENT_TIME = 120.0  # and a whole document
HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_AGENT = "onggi/0.1 (linux)"

Body = bytes | Callable[[], AsyncIterator[bytes]]
Headers = Mapping[str, str]

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # they would log URLs, and those hold signatures


class Transport:
    """The connections of one command. Leaving it closes them; nothing of who asked stays.

    `unverified` = hosts (with port) whose certificates nobody has to vouch for.
    """

    def __init__(
        self, settings: Settings, *, certificates: Sequence[Path] = CERTIFICATES, stall: float = STALL
    ) -> None:
        self.settings = settings
        self.certificates = certificates
        self.unverified: set[str] = set()
        self._stall = stall
        self._clients: dict[str, httpx.AsyncClient] = {}

    @property
    def stall(self) -> float:
        """Seconds without a sign of life after which the other side counts as gone."""
        return self._stall

    @asynccontextmanager
    async def exchange(
        self, method: str, url: str, *, headers: Headers, body: Body | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The answer's head, whatever its status; the body is still to be read. GET and HEAD follow redirects.

        Raises Unavailable where nothing comes.
        """
        sent = dict(headers)
        for _ in range(HOPS):
            async with self._once(method, url, sent, body) as response:
                target = response.headers.get("location")
                if response.status_code not in _REDIRECTS or method not in ("GET", "HEAD") or not target:
                    yield response
                    return
                following = self.redirected(url, target)
            if origin(following) != origin(url):
                sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
            url = following
        raise Unavailable(f'{method.capitalize()} "{redact(url)}": stopped after {HOPS} redirects')

    async def document(self, response: httpx.Response, limit: int = DOCUMENT_LIMIT) -> bytes:
        """The whole body. Raises DataLoss where it is larger than `limit` bytes, Unavailable where it is cut."""
        data = bytearray()
        url = str(response.url)
        try:
            async with asyncio.timeout(DOCUMENT_TIME):
                async for piece in response.aiter_raw():
                    data += piece
                    if len(data) > limit:
                        raise DataLoss(f"answer of {redact(url)} is larger than {limit} bytes")
        except (httpx.HTTPError, TimeoutError) as error:
            raise unreachable(response.request.method, url, error) from error
        return bytes(data)

    def redirected(self, url: str, target: str) -> str:
        """Where `target`, said by the server at `url`, leads. Raises Unavailable where we do not go."""
        following = urljoin(url, target)
        before, after = urlsplit(url), urlsplit(following)
        why = ""
        if after.scheme not in ("http", "https") or not after.hostname:
            why = "not a web address"
        elif after.username is not None or after.password is not None:
            why = "it holds a user's name"
        elif before.scheme == "https" and after.scheme == "http" and not self.settings.may_be_plain(after.netloc):
            why = "it is not encrypted"
        elif _is_loopback(after) and not _is_loopback(before):
            why = "it leads back to this machine"
        if why:
            raise Unavailable(f'Get "{redact(url)}": redirect to {redact(following)} is refused: {why}')
        return following

    def _once(
        self, method: str, url: str, headers: Headers, body: Body | None
    ) -> AbstractAsyncContextManager[httpx.Response]:
        return _Exchange(self._client(url), method, url, headers, body, self._stall)

    def _client(self, url: str) -> httpx.AsyncClient:
        parts = urlsplit(url)
        name = origin(url)
        if name not in self._clients:
            context = None
            if parts.scheme == "https":
                verify = parts.netloc not in self.unverified
                context = make_context(parts.netloc, self.certificates, verify=verify)
            self._clients[name] = httpx.AsyncClient(
                verify=context or False,
                follow_redirects=False,
                trust_env=not _is_loopback(parts),  # proxies; one of those would look at its own loopback
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=8, keepalive_expiry=20),
            )
        return self._clients[name]

    def forget(self, url: str) -> None:
        """Make new connections to where `url` leads: how it is verified has changed."""
        self._clients.pop(origin(url), None)

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()


class _Exchange:
    """One request and the head of its answer."""

    def __init__(
        self, client: httpx.AsyncClient, method: str, url: str, headers: Headers, body: Body | None, stall: float
    ) -> None:
        fixed = {"User-Agent": _AGENT, "Accept-Encoding": "identity", "Accept": "*/*"}
        self._client = client
        self._method, self._url = method, url
        self._fields = {**fixed, **headers}
        self._body = body
        self._patience = COMMIT_TIME if method == "PUT" else HEAD_TIME
        read = max(stall, COMMIT_TIME) if method == "PUT" else stall
        self._timeout = httpx.Timeout(stall, connect=CONNECT, read=read, pool=None)
        self._response: httpx.Response | None = None

    async def __aenter__(self) -> httpx.Response:
        try:
            async with asyncio.timeout(None) as limit:
                request = self._client.build_request(
                    self._method,
                    self._url,
                    headers=self._fields,
                    content=self._content(limit),
                    timeout=self._timeout,
                )
                self._response = await self._client.send(request, stream=True)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            raise unreachable(self._method, self._url, error) from error
        return self._response

    def _content(self, limit: asyncio.Timeout) -> bytes | AsyncIterator[bytes] | None:
        """The body. A long one takes its time; from its end on the answer has its own."""

        def start() -> None:
            limit.reschedule(asyncio.get_running_loop().time() + self._patience)

        if not callable(self._body):
            start()
            return self._body

        async def pieces(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            async for piece in body:
                yield piece
            start()

        return pieces(self._body())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._response is not None:
            await self._response.aclose()


def origin(url: str) -> str:
    """Scheme, host and port of `url`: whom a secret is for."""
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def _is_loopback(parts: SplitResult) -> bool:
    name = host_name(parts.netloc.rpartition("@")[2])
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
