"""What the app asks of the engine, one call each. The watching is in `tui.backend`."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import IO, TYPE_CHECKING, Any, Final, Literal, Protocol

from core.client.address import Value, quote
from core.errors import EngineError, NotModified
from tui.logs import Stream
from tui.state import Container, Json, container_of_inspect

if TYPE_CHECKING:
    from core.client.aclient import HijackedSocket

Kind = Literal["containers", "images", "volumes", "networks"]
Headers = Mapping[str, str]
Told = Callable[[int, int], None]
"""Called with bytes done and bytes in all (0 = not known)."""

SHELL: Final = ("/bin/sh", "-c", "exec $(command -v bash || command -v ash || command -v sh)")
"""The best shell that the image has; one without any answers with its own words."""

_COMMAND_LIMIT: Final = 16 << 10  # characters of a header that every server reads
_FRAME: Final = 8  # bytes before each piece of a stream without a terminal: stream, three zeroes, length
_ACTS: Final = {
    "start": ("post", "/containers/{}/start"),
    "stop": ("post", "/containers/{}/stop"),
    "restart": ("post", "/containers/{}/restart"),
    "kill": ("post", "/containers/{}/kill"),
    "pause": ("post", "/containers/{}/pause"),
    "unpause": ("post", "/containers/{}/unpause"),
    "remove": ("delete", "/containers/{}"),
    "image_remove": ("delete", "/images/{}"),
    "volume_remove": ("delete", "/volumes/{}"),
    "image_tag": ("post", "/images/{}/tag"),
}


class Client(Protocol):
    """The calls of `core.client.aclient.AsyncClient` that are used here."""

    host: str

    async def get(self, path: str, **query: Value) -> Any: ...

    async def post(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None, /, **query: Value
    ) -> Any: ...

    async def delete(self, path: str, **query: Value) -> Any: ...

    def stream(
        self, path: str, *, method: str = "GET", body: object = None, headers: Headers = ..., **query: Value
    ) -> AsyncGenerator[Any, None]: ...

    def pieces(
        self, path: str, /, *, method: str = "GET", body: object = None, headers: Headers = ..., **query: Value
    ) -> AsyncGenerator[bytes, None]: ...

    async def hijack(self, path: str, body: object = None, **query: Value) -> HijackedSocket: ...

    def upload(
        self, path: str, file: IO[bytes], progress: Told | None = None, headers: Headers = ..., **query: Value
    ) -> AsyncGenerator[Any, None]: ...

    async def download(self, path: str, file: IO[bytes], progress: Told | None = None, **query: Value) -> int: ...


class Calls:
    """The engine's verbs over a client. Each raises the EngineError of its failure."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def container(self, container: str) -> Container:
        """All that is known of a container, which its row in the list is not."""
        return container_of_inspect(await self.document("containers", container))

    async def document(self, kind: Kind, ref: str) -> Json:
        """Everything the engine says of one object."""
        tail = "" if kind in ("volumes", "networks") else "/json"
        found: Json = await self.client.get(f"/{kind}/{_part(ref)}{tail}")
        return found

    async def history(self, image: str) -> Sequence[Json]:
        """The lines that made an image, newest first."""
        found: Sequence[Json] = await self.client.get(f"/images/{_part(image)}/history")
        return found

    async def layers(self, image: str) -> Sequence[Json]:
        """The layers of an image, bottom first; only our own engine tells."""
        found: Sequence[Json] = await self.client.get(f"/onggi/v1/images/{_part(image)}/layers")
        return found

    async def layer_files(self, image: str, index: int) -> Sequence[Json]:
        """The files of the layer `index`, counted from the bottom among those that have files."""
        found: Sequence[Json] = await self.client.get(f"/onggi/v1/images/{_part(image)}/layers/{index}/files")
        return found

    async def waste(self, image: str) -> Json:
        """What of an image nobody can read any more."""
        found: Json = await self.client.get(f"/onggi/v1/images/{_part(image)}/waste")
        return found

    async def file(self, image: str, path: str, layer: int) -> bytes:
        """The first MiB of one file of an image, as it is in the layers up to `layer`."""
        asked = self.client.pieces(f"/onggi/v1/images/{_part(image)}/file", path=path, layer=layer)
        async with aclosing(asked) as pieces:
            return b"".join([piece async for piece in pieces])

    async def removals(self) -> Sequence[Json]:
        """What can be taken back, newest first; only our own engine keeps removals."""
        found: Sequence[Json] = await self.client.get("/onggi/v1/undo")
        return found

    async def undo(self, ident: int | None = None) -> Json:
        """Take a removal back, the last one by default: what came back."""
        found: Json = await self.client.post("/onggi/v1/undo", id=ident)
        return found

    async def prune_plan(self, *, all_of: bool) -> Json:
        """What a prune of images would remove now, item by item; only our own engine tells."""
        filters = json.dumps({"dangling": ["false" if all_of else "true"]})
        found: Json = await self.client.get("/onggi/v1/prune", what="images", filters=filters)
        return found

    async def prune(self, plan: Json, command: str) -> Json:
        """Carry out such a plan and nothing else; `command` is what undo will tell of it."""
        found: Json = await self.client.post("/onggi/v1/prune", plan, command=command)
        return found

    async def prune_images(self, *, all_of: bool) -> Json:
        """Remove images that no container needs, as Docker's API does: those without a name, or all."""
        filters = json.dumps({"dangling": ["false" if all_of else "true"]})
        found: Json = await self.client.post("/images/prune", filters=filters)
        return found

    async def commit(self, container: str, **query: Value) -> str:
        """Make an image of a container as it is now; its id."""
        return str((await self.client.post("/commit", container=container, **query))["Id"])

    async def changes(self, container: str) -> Sequence[Json]:
        """What a container has changed in its file system."""
        found: Sequence[Json] | None = await self.client.get(f"/containers/{container}/changes")
        return found or ()

    async def isolation(self, container: str) -> Json:
        """What makes a running container a container; only our own engine tells."""
        found: Json = await self.client.get(f"/onggi/v1/containers/{container}/isolation")
        return found

    async def act(self, verb: str, ref: str, **query: Value) -> Any:
        """Do a verb of the table; a thing already in the wanted state is no error."""
        method, path = _ACTS[verb]
        try:
            if method == "delete":
                return await self.client.delete(path.format(_part(ref)), **query)
            return await self.client.post(path.format(_part(ref)), **query)
        except NotModified:
            return None

    async def create(self, body: Json, name: str, command: Sequence[str]) -> str:
        """Make a container; its id. Our own engine keeps `command`, the words that do the same from a shell."""
        said = quote(json.dumps(command))
        headers = {"Onggi-Command": said} if len(said) <= _COMMAND_LIMIT else {}
        answer = await self.client.post("/containers/create", body, headers, name=name or None)
        return str(answer["Id"])

    async def name_of(self, container: str) -> str:
        """The name a container goes by, made up by the engine where none was given."""
        return str((await self.document("containers", container)).get("Name") or container[:12]).removeprefix("/")

    async def logs(self, container: str, *, tty: bool, tail: int) -> AsyncIterator[tuple[Stream, bytes]]:
        """The last `tail` lines and then what comes, as (stream, bytes with a time in front of each line)."""
        path = f"/containers/{container}/logs"
        asked = self.client.pieces(path, follow=True, stdout=True, stderr=True, timestamps=True, tail=tail)
        async with aclosing(asked) as pieces:
            pending = b""
            async for piece in pieces:
                if tty:
                    yield "stdout", piece
                    continue
                frames, pending = _frames(pending + piece)
                for frame in frames:
                    yield frame

    async def attach(self, container: str) -> HijackedSocket:
        """A container's own terminal, with what it showed before."""
        query: dict[str, Value] = {"stream": True, "stdin": True, "stdout": True, "stderr": True}
        return await self.client.hijack(f"/containers/{container}/attach", history=True, viewer=True, **query)

    async def execute(
        self, container: str, argv: Sequence[str], columns: int, lines: int, detach_keys: str
    ) -> tuple[str, HijackedSocket]:
        """One more program in a container, on a terminal of its own: its exec id and its stream."""
        asked = {
            "Cmd": list(argv),
            "Tty": True,
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
            "Env": ["TERM=xterm-256color"],
            "DetachKeys": detach_keys,
            "ConsoleSize": [lines, columns],
        }
        made = await self.client.post(f"/containers/{container}/exec", asked)
        exec_id = str(made["Id"])
        start = {"Detach": False, "Tty": True, "ConsoleSize": [lines, columns]}
        return exec_id, await self.client.hijack(f"/exec/{exec_id}/start", start, viewer=True)

    async def attach_exec(self, exec_id: str) -> HijackedSocket:
        """The terminal of a program that was run in a container and goes on, with what it showed before."""
        query: dict[str, Value] = {"stream": True, "stdin": True, "stdout": True, "stderr": True}
        return await self.client.hijack(f"/onggi/v1/exec/{exec_id}/attach", history=True, viewer=True, **query)

    async def execs(self, container: str) -> list[Json]:
        """The programs that were run in a container and go on."""
        found: list[Json] = await self.client.get(f"/onggi/v1/containers/{container}/execs")
        return found

    async def resize(self, path: str, columns: int, lines: int) -> None:
        """Tell a terminal its size; one that has ended meanwhile does not mind."""
        try:
            await self.client.post(f"{path}/resize", None, h=lines, w=columns)
        except EngineError:
            return


def _part(ref: str) -> str:
    """A reference as one part of a path; Docker's routes take its slashes and colons as they are."""
    return quote(ref).replace("%2F", "/").replace("%3A", ":").replace("%40", "@")


def _frames(data: bytes) -> tuple[list[tuple[Stream, bytes]], bytes]:
    """The whole frames at the front of `data` as (stream, payload), and what is left."""
    found: list[tuple[Stream, bytes]] = []
    at = 0
    while len(data) - at >= _FRAME:
        size = int.from_bytes(data[at + 4 : at + 8], "big")
        if len(data) - at - _FRAME < size:
            break
        stream: Stream = "stderr" if data[at] == 2 else "stdout"
        found.append((stream, data[at + _FRAME : at + _FRAME + size]))
        at += _FRAME + size
    return found, data[at:]
