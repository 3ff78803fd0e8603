from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.cli.context import Engine
from core.errors import EngineUnreachable

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def listening(path: Path, answers: list[bytes]) -> Iterator[str]:
    """Gives one connection after the other its answer; an empty one is an engine that dies over it."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            for answer in answers:
                peer, _ = server.accept()
                with peer:
                    peer.recv(65536)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"unix://{path}"
        thread.join()


def test_a_question_is_asked_again_when_the_engine_died_over_it(tmp_path: Path) -> None:
    with listening(tmp_path / "s", [b"", ANSWER]) as host:
        assert Engine(host, start=True).get("/info") == {}


def test_an_act_is_not_repeated(tmp_path: Path) -> None:
    with listening(tmp_path / "s", [b""]) as host, pytest.raises(EngineUnreachable):
        Engine(host, start=True).post("/containers/create")


def test_a_foreign_engine_is_asked_once(tmp_path: Path) -> None:
    with listening(tmp_path / "s", [b""]) as host, pytest.raises(EngineUnreachable):
        Engine(host, start=False).get("/info")
