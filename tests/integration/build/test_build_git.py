"""ADD of a git repository, and one as the context, from a git daemon of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.errors import EngineError
from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.registry import free_port

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not Path("/usr/lib/git-core/git-daemon").exists(), reason="git-daemon is not installed"),
]
HERE = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z",
}  # fmt: skip
IDENTITY = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "protocol.file.allow=always")


@dataclass(frozen=True)
class Served:
    """Repositories below `folder`, at `url`."""

    folder: Path
    url: str

    def git(self, name: str, *words: str) -> str:
        """Run git in repository `name`."""
        done = subprocess.run(
            ["git", *IDENTITY, *words], cwd=self.folder / name, env={**os.environ, **HERE}, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    def make(self, name: str, files: dict[str, str]) -> str:
        """A repository with one commit: its name."""
        for path, text in files.items():
            (self.folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name / path).write_text(text)
        if not (self.folder / name / ".git").exists():
            self.git(name, "init", "-q", "-b", "main")
        self.git(name, "add", "-A")
        self.git(name, "commit", "-q", "-m", "one", "--allow-empty")
        return self.git(name, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def served(engine: EngineUnderTest) -> Iterator[Served]:
    """Served on the loopback of the engine's network."""
    folder, port = Path(tempfile.mkdtemp(prefix="onggi-git-")), free_port()
    command = [
        "nsenter", f"--net={engine.netns}", "git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1",
        f"--port={port}", f"--base-path={folder}", "--verbose", "--log-destination=stderr",
    ]  # fmt: skip
    env = {**os.environ, "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    log = (folder / "log").open("wb")
    with log, subprocess.Popen(command, stdout=log, stderr=log, env=env) as process:
        try:
            wait_until(lambda: "Ready to rumble" in (folder / "log").read_text(), "the git daemon comes up")
            yield Served(folder, f"git://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait()
            print((folder / "log").read_text())  # what it says of a repository that it does not serve
            shutil.rmtree(folder)


def said(cli: Cli, text: str, *asked: str, code: int = 0) -> str:
    done = cli("build", "-t", "git:1", *asked, "-", stdin=text.encode())
    assert done.code == code, done
    return done.err


def test_add_takes_a_branch_a_commit_and_a_folder(cli: Cli, served: Served, engine: EngineUnderTest) -> None:
    first = served.make("plain", {"a": "first", "deep/f": "deep", "run.sh": "#!/bin/sh"})
    served.git("plain", "tag", "v1")
    served.git("plain", "branch", "other")
    (served.folder / "plain/run.sh").chmod(0o755)
    second = served.make("plain", {"a": "second"})
    where = f"{served.url}/plain/.git"
    text = f"""FROM busybox
ADD {where} /head
ADD {where}#v1:deep /deep/
ADD {where}#{first} /commit
ADD {where}#{first[:10]} /short
ADD --keep-git-dir=true {where}#other /kept
ADD --checksum={second} {where} /checked
RUN cat /head/a; ls /deep; cat /commit/a /short/a; ls -a /kept /head; stat -c '%n %u %a %Y' /head/*
"""
    found = said(cli, text)
    for line in ("secondf\n", "firstfirst/head:", " .git\n", "/head/a 0 644 1577836800", "/head/run.sh 0 755 "):
        assert line in found, found
    assert found.count(" .git\n") == 1
    assert said(cli, text).count("CACHED") == 7
    served.make("plain", {"a": "third"})
    again = said(cli, text.replace(f"--checksum={second} ", ""))
    assert f"changed: {where}" in again.replace("\n", " ") and "third" in again
    wrong = said(cli, f"FROM busybox\nADD --checksum={first} {where} /x\n", code=1)
    assert f"expected checksum to match {first}, got " in wrong
    assert "checksum requires HTTP(S) or git sources" in cli(
        "build", str(make_context(served.folder / "ctx", f"FROM busybox\nADD --checksum={first} Dockerfile /x\n"))
    ).err  # fmt: skip


def make_context(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(text)
    return folder


def test_a_repository_is_the_context_for_the_engine(cli: Cli, served: Served, engine: EngineUnderTest) -> None:
    """`remote` of the API: nobody has cloned it before."""
    dockerfile = "FROM busybox\nCOPY . /all\nRUN ls -a /all; cat /all/f\n"
    served.make("context", {"sub/Dockerfile": dockerfile, "sub/f": "of the context"})
    query = {"remote": f"{served.url}/context/.git#main:sub", "nocache": "1"}
    body = engine.client.open("POST", "/build", query).read().decode()
    assert "of the context" in body and "Successfully built" in body and ".git" not in body.partition("RUN")[2]
    with pytest.raises(EngineError, match="invalid git reference"):
        engine.client.open("POST", "/build", {"remote": f"{served.url}/context/.git#--upload-pack=evil"}).read()
    with pytest.raises(EngineError, match="git fetch: fatal"):
        engine.client.open("POST", "/build", {"remote": f"{served.url}/no/such.git"}).read()
    assert not list((engine.paths.root / "build").iterdir())


def test_nothing_of_a_repository_runs_or_leads_out(cli: Cli, served: Served, engine: EngineUnderTest) -> None:
    """Hooks, filters, links and submodules: CVE-2018-11235, CVE-2018-17456, CVE-2024-32002, CVE-2026-33748."""
    secret = served.folder / "secret"
    secret.mkdir()
    (secret / "key").write_text("host secret")
    served.make("evil", {"f": "fine", ".gitattributes": "* filter=evil diff=evil\n", "hooks/post-checkout": "evil"})
    (served.folder / "evil/out").symlink_to(secret)
    (served.folder / "evil/.git/hooks/post-checkout").write_text("#!/bin/sh\ntouch /tmp/onggi-was-here\n")
    served.make("evil", {})
    where = f"{served.url}/evil/.git"
    assert "no such folder in the repository: out" in said(cli, f"FROM busybox\nADD {where}#:out /x\n", code=1)
    for bad in (f"{where}#:../..", f"{where}#:.git", f"{where}#--upload-pack=x", "ssh://-oProxyCommand=x/y.git"):
        assert "invalid" in said(cli, f"FROM busybox\nADD {bad} /x\n", code=1)
    text = f"FROM busybox\nADD {where} /x\nRUN cat /x/f; ls -l /x; cat /x/out/key; true\n"
    found = said(cli, text)
    assert "fine" in found and "host secret" not in found
    assert not Path("/tmp/onggi-was-here").exists()
    for number, url in enumerate(
        ("ext::sh -c touch% /tmp/onggi-was-here", f"file://{secret}", str(secret), "-u./x")
    ):
        served.make(f"sub{number}", {".gitmodules": f'[submodule "s"]\n\tpath = s\n\turl = {url}\n', "f": "f"})
        head = served.git("evil", "rev-parse", "HEAD")
        served.git(f"sub{number}", "update-index", "--add", "--cacheinfo", f"160000,{head},s")
        served.git(f"sub{number}", "commit", "-q", "-m", "sub")
        refused = said(cli, f"FROM busybox\nADD {served.url}/sub{number}/.git /x\n", code=1)
        assert "git submodule: fatal" in refused, refused
    assert not Path("/tmp/onggi-was-here").exists()
    served.make("sub", {".gitmodules": '[submodule "s"]\n\tpath = s\n\turl = ../../plain2/.git\n', "f": "f"})
    inner = served.make("plain2", {"inside": "of the submodule"})
    served.git("sub", "update-index", "--add", "--cacheinfo", f"160000,{inner},s")
    served.git("sub", "commit", "-q", "-m", "sub")
    assert "of the submodule" in said(cli, f"FROM busybox\nADD {served.url}/sub/.git /x\nRUN cat /x/s/inside\n")


def test_a_server_of_plain_files_is_enough(cli: Cli, served: Served, engine: EngineUnderTest) -> None:
    """Over http, without anything that knows git: no shallow fetch is to be had there."""
    served.make("dumb", {"f": "of plain files"})
    served.git("dumb", "clone", "-q", "--bare", ".", "../dumb.git")
    served.git("dumb.git", "update-server-info")
    argv = [
        "nsenter",
        f"--net={engine.netns}",
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
    ]
    pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(argv, cwd=served.folder, stdout=pipe, stderr=quiet, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split("port ")[1].split()[0]
            where = f"http://127.0.0.1:{port}/dumb.git"
            assert "of plain files" in said(cli, f"FROM busybox\nADD {where} /x\nRUN cat /x/f\n")
        finally:
            server.terminate()
