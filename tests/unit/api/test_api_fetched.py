"""What a URL has, for an import: figures, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from core.api import fetched as module
from core.api.fetched import fetched, url_of
from core.errors import DiskFull, InvalidArgument, Unavailable
from core.model.events import Progress
from core.paths import Paths

DATA = bytes(range(256)) * 4000


class Handler(BaseHTTPRequestHandler):
    """Answers by the path."""

    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404, "Not Found")
        elif self.path in ("/moved", "/to-file", "/to-ftp"):
            there = {"/moved": "/data", "/to-file": "file:///etc/passwd", "/to-ftp": "ftp://127.0.0.1/x"}
            self.send_response(302)
            self.send_header("Location", there[self.path])
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(DATA)))
            self.end_headers()
            self.wfile.write(DATA[: 1000 if self.path == "/cut" else None])

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:
            running.shutdown()
            thread.join(10)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Paths(tmp_path, tmp_path / "run")


async def test_comes_whole_and_is_told_of(paths: Paths) -> None:
    told: list[Progress] = []
    with server() as address, await fetched(paths, f"{address}/moved", told.append) as file:
        assert file.read() == DATA
    assert told[0].status == f"Downloading from {address}/moved"
    assert told[-1] == Progress("", "Downloading", len(DATA), len(DATA))


async def test_what_is_refused_is_told_in_one_line_and_leaves_nothing(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server() as address:
        for path, words in (
            ("/missing", "failed to GET .*/missing with status 404 Not Found"),
            ("/cut", "fetch .*/cut: .*1000"),
            ("/to-file", "status 302"),
            ("/to-ftp", "status 302"),
        ):
            with pytest.raises(Unavailable, match=words) as failure:
                await fetched(paths, address + path, lambda step: None)
            assert "\n" not in str(failure.value)
        monkeypatch.setattr(module, "free_bytes", lambda place: 1000)
        with pytest.raises(DiskFull, match=r"no space left to fetch http.*: it needs 1\.0MB, and the disk of /"):
            await fetched(paths, f"{address}/data", lambda step: None)
    with pytest.raises(Unavailable, match="refused"):
        await fetched(paths, f"{address}/data", lambda step: None)
    assert list(paths.root.iterdir()) == []


def test_what_is_a_url() -> None:
    assert url_of("example.com/x.tgz") == "http://example.com/x.tgz"
    assert url_of("https://example.com/x") == "https://example.com/x"
    for source in ("file:///etc/passwd", "ftp://x/y", "http://x/ y", "http://x/\r\nHost: z", "data://x"):
        with pytest.raises(InvalidArgument, match="invalid source"):
            url_of(source)
