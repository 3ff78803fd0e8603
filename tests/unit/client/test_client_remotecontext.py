"""Contexts from repositories and URLs, from a server of the test's own."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.client import remotecontext
from core.errors import InvalidArgument, Unavailable

git = pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL that it is served at."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def run(*argv: str, cwd: Path) -> None:
    subprocess.run(argv, cwd=cwd, check=True, capture_output=True)


def repository(place: Path, bare: Path) -> None:
    place.mkdir()
    run("git", "init", "-q", "-b", "main", cwd=place)
    (place / "deep").mkdir()
    (place / "deep/file").write_text("first")
    (place / "out").symlink_to("/etc")
    identity = ("-c", "user.name=n", "-c", "user.email=e")
    run("git", "add", ".", cwd=place)
    run("git", *identity, "commit", "-q", "-m", "one", cwd=place)
    run("git", "branch", "old", cwd=place)
    (place / "deep/file").write_text("second")
    run("git", *identity, "commit", "-q", "-a", "-m", "two", cwd=place)
    run("git", "clone", "-q", "--bare", str(place), str(bare), cwd=place)
    run("git", "update-server-info", cwd=bare)


@git
def test_a_repository_with_a_branch_and_a_folder(served: tuple[Path, str], tmp_path: Path) -> None:
    folder, url = served
    repository(tmp_path / "work", folder / "r.git")
    with remotecontext.cloned(f"{url}/r.git") as found:
        assert (Path(found) / "deep/file").read_text() == "second" and not (Path(found) / ".git").exists()
    assert not Path(found).exists()
    with remotecontext.cloned(f"{url}/r.git#old:deep") as found:
        assert [path.name for path in Path(found).iterdir()] == ["file"]
        assert (Path(found) / "file").read_text() == "first"
    for fragment in ("#nosuch", "#:nosuch", "#:out"):
        with pytest.raises((Unavailable, InvalidArgument)), remotecontext.cloned(f"{url}/r.git{fragment}"):
            pass


@pytest.mark.parametrize(
    "where",
    [
        "--upload-pack=evil", "https://x/y.git#--upload-pack=evil", "https://x/y.git#a b", "https://x/y.git#main:../..",
        "https://x/y.git#+refs/heads/*", "https://x/y.git#a..b^", "ssh://-oProxyCommand=evil/x", "git@-x:y",
        "https://x/y.git#main:.git/hooks", "https://x/y.git#main:a/.GIT", "git://x y/z", "https://u:p@-x/y.git",
    ],
)  # fmt: skip
def test_nothing_of_a_url_becomes_an_option_or_leads_out(where: str) -> None:
    """CVE-2019-13139, CVE-2026-33748."""
    with pytest.raises(InvalidArgument):
        remotecontext.parse_git(where)


def test_what_is_a_repository() -> None:
    for text in (
        "https://x/y.git",
        "https://x/y.git#main:dir",
        "git@github.com:a/b",
        "github.com/a/b",
        "ssh://x/y",
    ):
        assert remotecontext.is_git(text)
    for text in ("https://x/y.tar.gz", "./github.com/a", "folder.git", "ext::sh -c evil", "file:///x.git"):
        assert not remotecontext.is_git(text)


def test_archives_and_dockerfiles_are_told_apart(served: tuple[Path, str]) -> None:
    folder, url = served
    (folder / "Dockerfile").write_text("FROM scratch\n")
    with tarfile.open(folder / "c.tar.gz", "w:gz") as archive:
        archive.add(folder / "Dockerfile", "Dockerfile")
    for name, expected in (("Dockerfile", False), ("c.tar.gz", True)):
        file, is_archive = remotecontext.downloaded(f"{url}/{name}")
        with file:
            assert is_archive is expected and file.read() == (folder / name).read_bytes()
    with pytest.raises(Unavailable, match="fetch http"):
        remotecontext.downloaded(f"{url}/nosuch")
