"""`import` of what a URL has: the client fetches it, as its user."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.support.images import busybox_layer

pytestmark = pytest.mark.root


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_root_file_system_is_imported_from_a_url(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "root.tar").write_bytes(busybox_layer())
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/root.tar"
            assert cli.ok("import", url, "far:1").splitlines()[-1].startswith("sha256:")
            missing = cli("import", f"{url}.gz", "far:2")
        finally:
            server.shutdown()
            thread.join()
    assert cli.ok("history", "--format", "{{.Comment}}", "far:1") == f"Imported from {url}"
    assert cli.ok("run", "--rm", "--network", "none", "far:1", "/bin/busybox", "echo", "hi") == "hi"
    assert missing.code == 1
    assert missing.err.lower() == f"fetch {url}.gz: file not found\n"
    cli.ok("rmi", "far:1")
