"""A registry that does as it is told: rightly by default, and as badly as a test wants."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

OCI = "application/vnd.oci.image"


@dataclass
class Asked:
    """One request that came."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes


@dataclass
class Say:
    """An answer. `stop_after` = bytes of the body after which the line is cut, or goes silent with `hang`."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    stop_after: int | None = None
    hang: bool = False
    length: int | None = None  # what Content-Length says, if not the truth
    drip: float = 0.0  # seconds between two bytes of the whole answer
    after: float = 0.0  # seconds before it comes


Answer = Callable[[Asked], "Say | None"]


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class HostileRegistry:
    """`put_image` gives it something; `answer` is asked first for each request."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.asked: list[Asked] = []
        self.answer: Answer = lambda asked: None
        self.address = ""
        self.ranges = True
        self.uploads: dict[str, bytearray] = {}
        self.cuts: list[int] = []  # bytes after which the next uploads break off
        self.silent = False  # what breaks off goes silent instead
        self.gate = asyncio.Event()  # set: what comes without a size is read
        self.gate.set()

    def put_image(self, layers: list[bytes], tag: str = "1", **config: Any) -> dict[str, Any]:
        """An image of plain tars, served as gzip; its manifest."""
        document = {
            "architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z",
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]}, **config,
        }  # fmt: skip
        data = json.dumps(document).encode()
        packed = [gzip.compress(layer, mtime=0) for layer in layers]
        self.blobs |= {digest_of(blob): blob for blob in [data, *packed]}
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": {"mediaType": f"{OCI}.config.v1+json", "digest": digest_of(data), "size": len(data)},
            "layers": [
                {"mediaType": f"{OCI}.layer.v1.tar+gzip", "digest": digest_of(blob), "size": len(blob)}
                for blob in packed
            ],
        }
        self.put_manifest(manifest, tag)
        return manifest

    def put_manifest(self, manifest: Any, tag: str = "1", kind: str = f"{OCI}.manifest.v1+json") -> str:
        """Serve a document under `tag` and its digest; the digest."""
        data = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        self.manifests[tag] = self.manifests[digest_of(data)] = (kind, data)
        return digest_of(data)

    def blob_requests(self) -> list[Asked]:
        return [asked for asked in self.asked if "/blobs/" in asked.path]

    def _serve(self, asked: Asked) -> Say:
        kind, _, name = asked.path.rpartition("/")
        if asked.path == "/v2/":
            return Say(200, b"{}")
        if "/blobs/uploads/" in asked.path or (asked.method == "PUT" and kind.endswith("/manifests")):
            return self._take(asked, name)
        if kind.endswith("/manifests") and name in self.manifests:
            media_type, data = self.manifests[name]
            return Say(200, data, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(data)})
        if kind.endswith("/blobs") and name in self.blobs:
            data = self.blobs[name]
            wanted = asked.headers.get("range", "")
            if wanted and self.ranges:
                start = int(wanted.removeprefix("bytes=").split("-")[0])
                return Say(206, data[start:], {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})
            return Say(200, data)
        code = "MANIFEST_UNKNOWN" if "/manifests/" in asked.path else "BLOB_UNKNOWN"
        words = code.lower().replace("_", " ")
        return Say(404, json.dumps({"errors": [{"code": code, "message": words}]}).encode())

    def _take(self, asked: Asked, name: str) -> Say:
        """A step of a push."""
        if "/manifests/" in asked.path:
            self.put_manifest(asked.body, name, asked.headers["content-type"])
            return Say(201)
        if asked.method == "POST":
            name = f"u{len(self.uploads)}"
            self.uploads[name] = bytearray()
            return Say(202, headers={"Location": f"{asked.path}{name}"})
        taken = self.uploads[name]
        if asked.method == "GET":
            return Say(204, headers={"Range": f"0-{max(0, len(taken) - 1)}", "Location": asked.path})
        taken += asked.body
        if asked.method == "PATCH":
            return Say(202, headers={"Location": asked.path})
        digest = asked.query["digest"][0]
        if digest_of(bytes(taken)) != digest:
            return Say(400, b'{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match"}]}')
        self.blobs[digest] = bytes(taken)
        return Say(201)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            first_byte = await reader.readexactly(1)
            if first_byte == b"\x16":  # a TLS greeting
                return
            while head := first_byte + await reader.readuntil(b"\r\n\r\n"):
                first_byte = b""
                first, *lines = head.decode().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines if one)}
                parts = urlsplit(target)
                chunked = headers.get("transfer-encoding") == "chunked"
                long = chunked or int(headers.get("content-length", 0)) > 0
                if long and self.cuts and "/uploads/" in parts.path:
                    most = self.cuts.pop(0)
                    self.uploads[parts.path.rpartition("/")[2]] += (await _body(reader, headers, most))[:most]
                    await asyncio.sleep(60 if self.silent else 0)
                    return
                if chunked:
                    await self.gate.wait()
                body = await _body(reader, headers)
                asked = Asked(method, parts.path, parse_qs(parts.query), headers, body)
                self.asked.append(asked)
                if not await self._say(self.answer(asked) or self._serve(asked), method, writer):
                    break

    async def _say(self, say: Say, method: str, writer: asyncio.StreamWriter) -> bool:
        length = len(say.body) if say.length is None else say.length
        fields = {"Content-Length": str(length), **say.headers}
        head = f"HTTP/1.1 {say.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        await asyncio.sleep(say.after)
        if say.drip:
            for byte in head.encode() + b"\r\n" + say.body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(say.drip)
            return True
        writer.write(head.encode() + b"\r\n")
        body = b"" if method == "HEAD" else say.body
        writer.write(body if say.stop_after is None else body[: say.stop_after])
        await writer.drain()
        if say.hang:
            await asyncio.sleep(60)
        return say.stop_after is None and not say.hang and say.length is None


async def _body(reader: asyncio.StreamReader, headers: dict[str, str], most: int | None = None) -> bytes:
    """A request's body; no more is read than gives `most` bytes of it. RFC 9112, 7.1."""
    if headers.get("transfer-encoding") != "chunked":
        length = int(headers.get("content-length", 0))
        return await reader.readexactly(length if most is None else min(length, most))
    body = bytearray()
    while most is None or len(body) < most:
        size = int(await reader.readline(), 16)
        missing = size if most is None else min(size, most - len(body))
        body += await reader.readexactly(missing)
        if missing < size:
            break
        await reader.readexactly(2)
        if not size:
            break
    return bytes(body)


@asynccontextmanager
async def hostile_registry(context: ssl.SSLContext | None = None) -> AsyncIterator[HostileRegistry]:
    """One on a port of the loopback, for the time of a `with`."""
    registry = HostileRegistry()
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            with suppress(asyncio.CancelledError):
                await registry._talk(reader, writer)
        finally:
            writer.close()
            talks.discard(task)

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    registry.address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]  # noqa: UP031
    try:
        yield registry
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
