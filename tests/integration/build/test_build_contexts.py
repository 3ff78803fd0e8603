"""`--build-context` in all its forms: as a base, to copy from, to mount from."""

from __future__ import annotations

import functools
import http.server
import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest

pytestmark = pytest.mark.root

TEXT = """FROM busybox
COPY --from=it /etc/mark /copied
RUN --mount=from=it,target=/m cat /m/etc/mark /copied; ls -a /m
FROM it
COPY --from=0 /copied /twice
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Says nothing of what it serves."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The URL of `tmp_path`, for the client: contexts are fetched by who asks."""
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(10)


@pytest.fixture
def tree(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> Path:
    """A folder that can stand for an image: with a file to tell it by."""
    folder = tmp_path / "tree"
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/mark").write_text("of the tree\n")
    return folder


def builds(cli: Cli, where: str, mark: str) -> None:
    done = cli("build", "--no-cache", "--build-context", f"it={where}", "-t", "named:1", "-", stdin=TEXT.encode())
    assert done.code == 0 and done.err.count(mark) >= 2 and ".onggi-contexts" not in done.err, done
    layers = json.loads(cli.ok("image", "inspect", "named:1"))[0]["RootFS"]["Layers"]
    made = [
        line for line in cli.ok("history", "-H=false", "--format", "{{.Size}}", "named:1").split() if line != "0"
    ]
    assert len(layers) == len(made) == 2


def test_a_folder_and_an_image(cli: Cli, tree: Path) -> None:
    builds(cli, str(tree), "of the tree")
    text = b"FROM scratch\nCOPY --from=it / /\n"
    cli.ok("build", "-t", "marked:1", "--build-context", f"it={tree}", "-", stdin=text)
    builds(cli, "docker-image://marked:1", "of the tree")
    same = ("--build-context", f"it={tree}", "-")
    first = cli.ok("build", "-q", *same, stdin=b"FROM it\nENV a=b\n")
    assert cli.ok("build", "-q", *same, stdin=b"FROM it\nENV a=b\n") == first  # the files are the key
    (tree / "etc/more").write_text("more")
    assert cli.ok("build", "-q", *same, stdin=b"FROM it\nENV a=b\n") != first


def test_the_archive_of_a_url(cli: Cli, tree: Path, served: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "tree.tar.gz", "w:gz") as archive:
        archive.add(tree, ".")
    builds(cli, f"{served}/tree.tar.gz", "of the tree")
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        for name, link in (("etc", "/etc"), ("etc/mark", ""), ("../../out", "")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = (
                (tarfile.SYMTYPE, link, 0) if link else (tarfile.REGTYPE, "", 4)
            )
            archive.addfile(member, None if link else io.BytesIO(b"evil"))
    failed = cli("build", "--build-context", f"it={served}/evil.tar", "-", stdin=TEXT.encode())
    assert failed.code == 1 and not Path("/etc/mark").exists()
    failed = cli("build", "--build-context", f"it={served}/tree/etc/mark", "-", stdin=TEXT.encode())
    assert "failed to get build context it:" in failed.err and "is not an archive" in failed.err
    failed = cli("build", "--build-context", f"it={served}/nosuch.tar", "-", stdin=TEXT.encode())
    assert failed.code == 1 and "failed to get build context it: fetch http" in failed.err


def test_a_repository(cli: Cli, tree: Path, served: str, tmp_path: Path) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    (tmp_path / "repo").mkdir()
    tree.rename(tmp_path / "repo/sub")
    for words in (
        ("init", "-q", "-b", "main"), ("add", "-A"),
        ("-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "one"),
        ("clone", "-q", "--bare", ".", "../repo.git"), ("--git-dir=../repo.git", "update-server-info"),
    ):  # fmt: skip
        subprocess.run(["git", *words], cwd=tmp_path / "repo", env=env, check=True, timeout=60, capture_output=True)
    builds(cli, f"{served}/repo.git#main:sub", "of the tree")
    failed = cli("build", "--build-context", f"it={served}/repo.git#none", "-", stdin=TEXT.encode())
    assert failed.code == 1 and "failed to get build context it: git fetch: fatal" in failed.err


def test_an_image_of_an_oci_layout(cli: Cli, tree: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tree / "etc/mark").write_text(f"layout {name}\n")
        text = b"FROM scratch\nCOPY --from=it / /\n"
        cli.ok("build", "-t", f"laid:{name}", "--build-context", f"it={tree}", "-", stdin=text)
    cli.ok("save", "-o", str(tmp_path / "two.tar"), "laid:one", "laid:two")
    with tarfile.open(tmp_path / "two.tar") as archive:
        archive.extractall(tmp_path / "layout", filter="data")
    index = json.loads((tmp_path / "layout/index.json").read_text())
    by_name = {one["annotations"]["org.opencontainers.image.ref.name"]: one["digest"] for one in index["manifests"]}
    cli.ok("rmi", "-f", "laid:one", "laid:two")
    layout = f"oci-layout://{tmp_path}/layout"
    assert set(by_name) == {"one", "two"}
    builds(cli, f"{layout}:two", "layout two")
    builds(cli, f"{layout}@{by_name['one']}", "layout one")
    assert "laid" not in cli.ok("images")
    for where, why in (
        (f"{layout}:none", "no image none in it"),
        (f"oci-layout://{tmp_path}/none", "cannot read the OCI"),
    ):
        failed = cli("build", "--build-context", f"it={where}", "-", stdin=TEXT.encode())
        assert failed.code == 1 and why in failed.err, failed
