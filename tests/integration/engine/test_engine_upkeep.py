"""What only onggi's API has for images, on a whole engine: load by descriptor, layers, undo."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from typing import IO, Any

import pytest

from core.client import upkeep
from core.client.aclient import AsyncClient
from core.errors import InvalidArgument, NotFound
from tests.integration.conftest import EngineUnderTest
from tests.support.images import archive, busybox_archive, busybox_layer

pytestmark = pytest.mark.root


@pytest.fixture
def client(engine: EngineUnderTest) -> AsyncClient:
    return AsyncClient(engine.host)


@pytest.fixture
def saved() -> Iterator[IO[bytes]]:
    with busybox_archive("handed:1") as file:
        yield file


async def lines(client: AsyncClient, file: IO[bytes]) -> list[dict[str, Any]]:
    return [value async for value in upkeep.load_file(client, file)]


async def test_an_archive_is_loaded_by_its_descriptor(client: AsyncClient, saved: IO[bytes]) -> None:
    found = await lines(client, saved)
    assert found[-2:] == [{"stream": "Loaded image: handed:1\n"}, {"aux": {"Images": 1}}]
    assert "handed:1" in (await client.get("/images/handed:1/json"))["RepoTags"]
    await client.delete("/images/handed:1")


async def test_a_root_file_system_is_imported_by_its_descriptor(client: AsyncClient) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(busybox_layer())
        file.flush()
        found = [one async for one in upkeep.import_file(client, file, "root:1", changes=["CMD echo hi"])]
        ident = found[-1]["aux"]["ID"]
        assert found[-2] == {"status": ident}
        image = await client.get("/images/root:1/json")
        assert (image["Id"], image["Config"]["Cmd"]) == (ident, ["/bin/sh", "-c", "echo hi"])
        (refused,) = [one async for one in upkeep.import_file(client, file, changes=["NONSENSE"])]
        assert refused["error"] == "nonsense is not a valid change command"
    await client.delete("/images/root:1")


async def test_only_a_regular_file_may_be_handed_over(client: AsyncClient, saved: IO[bytes]) -> None:
    reader, writer = os.pipe()
    device = os.open("/dev/zero", os.O_RDONLY)
    write_only = os.open(f"/proc/self/fd/{saved.fileno()}", os.O_WRONLY)
    for fd in (reader, device, write_only):
        with os.fdopen(fd, "rb", closefd=False) as file:
            (answer,) = await lines(client, file)
        assert "no regular file" in answer["error"]
        os.close(fd)
    os.close(writer)


async def test_an_archive_is_saved_into_a_descriptor(client: AsyncClient, engine: EngineUnderTest) -> None:
    with tempfile.TemporaryFile() as file:
        *told, last = [value async for value in upkeep.save_file(client, ["busybox"], file)]
        assert told
        assert {value["status"] for value in told} == {"Saving"}
        assert last == {"aux": {"Bytes": os.fstat(file.fileno()).st_size}}
        assert file.read() == b""  # the position is the engine's too: it has written to the end
        file.seek(0)
        assert file.read() == engine.client.open("GET", "/images/get", {"names": "busybox"}).read()
        with pytest.raises(NotFound, match="nope"):
            [value async for value in upkeep.save_file(client, ["nope"], file)]
    with os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb") as full:
        *_, last = [value async for value in upkeep.save_file(client, ["busybox"], full)]
        assert "open for writing" in last["error"]


async def test_a_bad_archive_is_one_line(client: AsyncClient) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"not an archive" * 1000)
        file.flush()
        assert (await lines(client, file))[-1]["error"] == "not a tar archive"


async def test_a_client_that_sends_nothing_or_too_much_is_let_go(client: AsyncClient, saved: IO[bytes]) -> None:
    stream = await client.hijack("/onggi/v1/images/load")
    stream.sock.close()
    stream = await client.hijack("/onggi/v1/images/load")
    stream.sock.setblocking(True)
    socket.send_fds(stream.sock, [b"\0"], [saved.fileno(), saved.fileno()])
    assert "exactly one" in json.loads(stream.sock.recv(1000))["error"]
    stream.sock.close()
    with pytest.raises(InvalidArgument, match="upgrade"):
        await client.post("/onggi/v1/images/load")


async def test_the_insides_of_an_image_by_the_client(client: AsyncClient) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(archive([busybox_layer(), busybox_layer()], "in:1", {"Cmd": ["sh"]}))
        file.flush()
        assert (await lines(client, file))[-1] == {"aux": {"Images": 1}}
    layers = await upkeep.layers(client, "in:1")
    assert [layer["Empty"] for layer in layers] == [False, False]
    files = {item["Path"]: item for item in await upkeep.layer_files(client, "in:1", 1)}
    assert files["/etc/passwd"]["Change"] == "changed"
    shell = files["/bin/sh"]
    assert (shell["Kind"], shell["Link"], shell["Uid"], shell["Size"]) == ("link", "busybox", 0, 0)
    wasted = await upkeep.waste(client, "in:1")
    assert 0.4 < wasted["Efficiency"] < 0.6
    assert wasted["Files"][0]["Path"] == "/bin/busybox"
    assert (await upkeep.file(client, "in:1", "/etc/group")).startswith(b"root:x:0:")
    with pytest.raises(NotFound):
        await upkeep.layer_files(client, "in:1", 2)
    await client.delete("/images/in:1")


async def test_what_was_removed_comes_back(client: AsyncClient, engine: EngineUnderTest, saved: IO[bytes]) -> None:
    await lines(client, saved)
    await upkeep.forget(client)
    ident = (await client.get("/images/handed:1/json"))["Id"]
    await client.delete("/images/handed:1")
    (entry,) = await upkeep.removals(client)
    assert (entry["Command"], entry["What"]) == ("rmi handed:1", "handed:1")
    engine.kill_daemon()
    done = await upkeep.undo(client, entry["Id"])
    assert (done["Names"], done["Images"], done["Taken"]) == (["handed:1"], [ident], [])
    assert await upkeep.removals(client) == []
    with pytest.raises(NotFound, match="nothing to undo"):
        await upkeep.undo(client)
    await client.delete("/images/handed:1")
    assert await upkeep.forget(client) == 0  # its layers are another image's too
    with pytest.raises(NotFound):
        await upkeep.undo(client)
