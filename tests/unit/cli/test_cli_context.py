from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.cli.context import OWN_ID, Engine
from core.errors import EngineUnreachable, NotFound

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\n" + b'{"message":"no"}'


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


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/containers/web/start", {}),
        ("POST", "/containers/web/stop", {}),
        ("POST", "/containers/create", {OWN_ID: "ab" * 32}),
        ("DELETE", "/containers/web", {}),
    ],
)
def test_what_may_be_asked_twice_is(method: str, path: str, headers: dict[str, str], tmp_path: Path) -> None:
    with listening(tmp_path / "s", [b"", ANSWER]) as host:
        assert Engine(host, start=True).call(method, path, headers=headers) == {}


@pytest.mark.parametrize("path", ["/containers/create", "/containers/web/kill", "/containers/web/exec"])
def test_another_act_is_not_repeated_and_the_line_says_where_to_look(path: str, tmp_path: Path) -> None:
    with listening(tmp_path / "s", [b""]) as host, pytest.raises(EngineUnreachable, match='see "onggi ps -a"'):
        Engine(host, start=True).post(path)


def test_what_the_engine_removed_before_it_died_is_no_failure(tmp_path: Path) -> None:
    with listening(tmp_path / "s", [b"", MISSING]) as host:
        assert Engine(host, start=True).delete("/containers/web") is None
    with listening(tmp_path / "t", [MISSING]) as host, pytest.raises(NotFound):
        Engine(host, start=True).delete("/containers/web")


def test_a_foreign_engine_is_asked_once(tmp_path: Path) -> None:
    with listening(tmp_path / "s", [b""]) as host, pytest.raises(EngineUnreachable):
        Engine(host, start=False).get("/info")
