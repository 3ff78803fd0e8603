"""Log files by descriptor, and the command line over several containers, against a real engine."""

from __future__ import annotations

import asyncio
import json
import os
import socket

import pytest
from textual.app import App, ComposeResult

from core.client.aclient import AsyncClient
from core.client.transport import Client
from tests.integration.conftest import EngineUnderTest, wait_until
from tui.calls import Calls
from tui.logview import LogView
from tui.logview.feed import Container, Feed
from tui.logview.sources import Sources

pytestmark = pytest.mark.root

TALK = "i=0; while [ $i -lt {count} ]; do i=$((i+1)); echo {name} $i; done; read end"


def talker(engine: EngineUnderTest, name: str, count: int = 50, **more: object) -> str:
    script = TALK.format(count=count, name=name)
    return engine.run("sh", "-c", script, OpenStdin=True, **more)  # type: ignore[arg-type]


def logged(client: Client, ident: str) -> bytes:
    return client.open("GET", f"/containers/{ident}/logs", {"stdout": "1", "stderr": "1"}).read()


def test_the_files_come_and_cannot_be_written(engine: EngineUnderTest) -> None:
    ident = talker(engine, "a")
    wait_until(lambda: b"a 50" in logged(engine.client, ident), "it has talked")
    stream = engine.client.hijack(f"/onggi/v1/containers/{ident}/log")
    with socket.socket(fileno=os.dup(stream.sock.fileno())) as sock:
        stream.close()
        sock.sendall(b"\0")
        data, fds, _, _ = socket.recv_fds(sock, 4096, 10)
        assert json.loads(data) == {"files": [1]}
        assert os.pread(fds[0], 1 << 20, 0).count(b"\n") == 50
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(fds[0], b"x")
        os.close(fds[0])
        engine.client.delete(f"/containers/{ident}?force=1")
        said = b""
        while piece := sock.recv(4096):
            said += piece
        assert b'"ended"' in said


class Host(App[None]):
    def compose(self) -> ComposeResult:
        yield LogView()


async def test_a_view_of_two_containers_follows_their_files(engine: EngineUnderTest) -> None:
    ids = [await asyncio.to_thread(talker, engine, name, 300) for name in ("a", "b")]
    calls = Calls(AsyncClient(engine.host))
    app = Host()
    try:
        async with app.run_test(size=(60, 12)) as pilot:
            view = app.query_one(LogView)
            view.sources = Sources(["a", "b"])
            containers = [Container(ident, name, False) for ident, name in zip(ids, "ab", strict=True)]
            feed = asyncio.create_task(Feed(view, calls, containers, 100).run())
            async with asyncio.timeout(60):
                while view.shown != "600 lines":
                    await pilot.pause(0.02)
            assert view.pull is not None  # it reads files, and is sent nothing
            seen = [view._store[number] for number in range(view._store.first, view._store.end)]
            for number, name in enumerate("ab"):
                mine = [line.data for line in seen if line.source == number]
                assert mine == [b"%b %d" % (name.encode(), n) for n in range(1, 301)]
            view.sources.mute(0)
            assert view.on_heard is not None
            view.on_heard()
            async with asyncio.timeout(60):
                while view.shown != "300 lines":
                    await pilot.pause(0.02)
            feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)
            assert view.pull is None
    finally:
        for ident in ids:
            await asyncio.to_thread(engine.client.delete, f"/containers/{ident}?force=1")


async def test_a_view_goes_on_over_rotations(engine: EngineUnderTest) -> None:
    config = {"Type": "json-file", "Config": {"max-size": "20k", "max-file": "3"}}
    each = "i=$((i+1)); echo line $i; [ $((i%50)) = 0 ] && usleep 9000"
    script = f"read go; i=0; while [ $i -lt 3000 ]; do {each}; done; read end"
    ident = await asyncio.to_thread(
        lambda: engine.run(
            "sh", "-c", script, OpenStdin=True, HostConfig={"NetworkMode": "none", "LogConfig": config}
        )
    )
    app = Host()
    try:
        async with app.run_test(size=(60, 12)) as pilot:
            view = app.query_one(LogView)
            calls = Calls(AsyncClient(engine.host))
            feed = asyncio.create_task(Feed(view, calls, [Container(ident, "a", False)], 100).run())
            await pilot.pause(0.5)
            hijacked = await calls.client.hijack(f"/containers/{ident}/attach", stdin=True, stream=True)
            hijacked.sock.send(b"go\n")
            async with asyncio.timeout(60):
                while not (len(view._store) and view._store[view._store.end - 1].data == b"line 3000"):
                    await pilot.pause(0.02)
            hijacked.sock.close()
            async with asyncio.timeout(60):
                while len(view._store) == 3000 or not view._store.complete:  # rotation has taken the oldest along
                    await pilot.pause(0.02)
            store = view._store
            numbers = [int(store[n].data.split()[1]) for n in range(store.first, store.end)]
            assert numbers == list(range(numbers[0], 3001)) and 400 < len(numbers) < 3000
            feed.cancel()
            await asyncio.gather(feed, return_exceptions=True)
    finally:
        await asyncio.to_thread(engine.client.delete, f"/containers/{ident}?force=1")
