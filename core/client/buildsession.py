"""What stays with the client of a build while the engine builds: folders with caches, and ssh agents.

The engine asks on one connection, a JSON line at a time; each thing it asks for gets a connection and a thread. A
folder gives nothing but blobs by digest and takes nothing else; an agent is asked for its keys and for signatures,
and for nothing that would change it.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import socket
import threading
from pathlib import Path

from core.client.transport import Client, Stream
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Any

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'
_INDEX = "application/vnd.oci.image.index.v1+json"
_TAG = "org.opencontainers.image.ref.name"
_PIECE = 1 << 18
_DOCUMENT = 4 << 20  # bytes
_LIST_KEYS, _SIGN = 11, 13  # draft-miller-ssh-agent, 5.1
_FAILURE = b"\x00\x00\x00\x01\x05"
_MESSAGE = 256 << 10  # bytes, the limit of OpenSSH's own


class Folder:
    """A cache in a folder, an OCI image layout: `tag` in its index. image-spec image-layout.md."""

    def __init__(self, path: str, tag: str = "latest") -> None:
        self.path = Path(path)
        self.tag = tag

    def blob(self, digest: str) -> Path:
        """Where a blob is. Raises ValueError for what is no digest."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"invalid digest {digest[:80]!r}")
        return self.path / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def top(self) -> dict[str, Any]:
        """The descriptor of the cache's manifest. Raises OSError, ValueError."""
        with (self.path / "index.json").open("rb") as file:
            index = json.loads(file.read(_DOCUMENT))
        found = [one for one in index["manifests"] if (one.get("annotations") or {}).get(_TAG) == self.tag]
        if not found and len(index["manifests"]) == 1:
            found = index["manifests"]
        if not found:
            raise ValueError(f"there is no cache {self.tag} in it")
        return {name: found[0][name] for name in ("mediaType", "digest", "size")}

    def name(self, top: dict[str, Any]) -> None:
        """Have `top` be the cache from here on: the index last, beside and renamed. Raises OSError, ValueError."""
        others: list[Any] = []
        try:
            with (self.path / "index.json").open("rb") as file:
                listed = json.loads(file.read(_DOCUMENT))["manifests"]
            others = [one for one in listed if (one.get("annotations") or {}).get(_TAG) != self.tag]
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            pass
        named = {**top, "annotations": {_TAG: self.tag}}
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [*others, named]}
        _write_beside(self.path / "oci-layout", [_LAYOUT])
        _write_beside(self.path / "index.json", [json.dumps(index).encode()])

    def write(self, digest: str, pieces: Iterator[bytes]) -> None:
        """Store a blob, checked. Raises OSError, ValueError."""
        path = self.blob(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_beside(path, pieces, digest)


def _write_beside(path: Path, pieces: Sequence[bytes] | Iterator[bytes], digest: str = "") -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    sha = hashlib.sha256()
    try:
        with beside.open("xb") as file:
            for piece in pieces:
                sha.update(piece)
                file.write(piece)
        if digest and f"sha256:{sha.hexdigest()}" != digest:
            raise ValueError(f"blob {digest} came damaged")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


class Session:
    """As a context manager: there while inside. `agents` are sockets by id."""

    def __init__(self, engine: Client, folders: Sequence[Folder], agents: Mapping[str, str]) -> None:
        self.id = secrets.token_hex(16)
        self._engine = engine
        self._folders = folders
        self._agents = agents
        self._handlers = {
            "ssh": self._ssh, "read": self._read, "missing": self._missing, "write": self._write,
            "name": self._name,
        }  # fmt: skip

    def __enter__(self) -> Session:
        self._control = self._engine.hijack("/onggi/v1/build/session", {"id": self.id})
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._control.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._control.close()

    def _listen(self) -> None:
        pending = self._control.early
        try:
            while True:
                *lines, pending = pending.split(b"\n")
                for line in lines:
                    threading.Thread(target=self._serve, args=(json.loads(line),), daemon=True).start()
                if not (piece := self._control.sock.recv(_PIECE)) or len(pending) > _DOCUMENT:
                    return
                pending += piece
        except (OSError, ValueError):
            return  # the build is over

    def _serve(self, asked: dict[str, Any]) -> None:
        handler = self._handlers.get(str(asked.get("Kind")))
        if handler is None:
            return
        try:
            stream = self._engine.hijack("/onggi/v1/build/stream", {"id": str(asked["Id"])})
        except (EngineError, OSError):
            return
        try:
            handler(asked, stream)
        except OSError as error:
            _answer(stream, {"error": f"{error.filename or 'the folder'}: {(error.strerror or 'failed').lower()}"})
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            _answer(stream, {"error": f"no build cache there: {error}"})
        finally:
            stream.close()

    def _folder(self, asked: dict[str, Any]) -> Folder:
        return self._folders[int(asked["Number"])]

    def _read(self, asked: dict[str, Any], stream: Stream) -> None:
        with self._folder(asked).blob(asked["Digest"]).open("rb") as file:
            while piece := file.read(_PIECE):
                stream.sock.sendall(piece)

    def _missing(self, asked: dict[str, Any], stream: Stream) -> None:
        folder = self._folder(asked)
        wanted = json.loads(b"".join(_pieces(stream)))
        _answer(stream, [digest for digest in wanted if not folder.blob(digest).exists()])

    def _write(self, asked: dict[str, Any], stream: Stream) -> None:
        self._folder(asked).write(asked["Digest"], _pieces(stream))
        _answer(stream, {})

    def _name(self, asked: dict[str, Any], stream: Stream) -> None:
        folder = self._folder(asked)
        if asked.get("Top"):
            folder.name(asked["Top"])
            _answer(stream, {})
        else:
            _answer(stream, folder.top())

    def _ssh(self, asked: dict[str, Any], stream: Stream) -> None:
        """One question after the other: an agent answers in order."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
            agent.connect(self._agents[asked["Name"]])
            source = _Reader(stream.sock, stream.early)
            back = _Reader(agent, b"")
            while (question := source.message()) is not None:
                if question[4:5] not in (bytes([_LIST_KEYS]), bytes([_SIGN])):
                    stream.sock.sendall(_FAILURE)
                    continue
                agent.sendall(question)
                answer = back.message()
                if answer is None:
                    return
                stream.sock.sendall(answer)


class _Reader:
    """Messages of the agent's protocol: four bytes of length, and as many bytes."""

    def __init__(self, sock: Any, early: bytes) -> None:
        self._sock = sock
        self._pending = early

    def message(self) -> bytes | None:
        """One whole; None at the end, or where none follows that can be one."""
        head = self._take(4)
        size = int.from_bytes(head or b"", "big")
        if head is None or not 0 < size <= _MESSAGE:
            return None
        body = self._take(size)
        return None if body is None else head + body

    def _take(self, size: int) -> bytes | None:
        while len(self._pending) < size:
            piece = self._sock.recv(_PIECE)
            if not piece:
                return None
            self._pending += piece
        found, self._pending = self._pending[:size], self._pending[size:]
        return found


def _pieces(stream: Stream) -> Iterator[bytes]:
    if stream.early:
        yield stream.early
    while piece := stream.sock.recv(_PIECE):
        yield piece


def _answer(stream: Stream, value: object) -> None:
    try:
        stream.sock.sendall(json.dumps(value).encode())
    except OSError:
        pass  # it has gone, and its question with it
