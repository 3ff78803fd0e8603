"""`build` from the command line, through a real engine: RUN runs, and what it says is shown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from core.client import buildcontext
from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest

pytestmark = pytest.mark.root

STEPS = """FROM busybox
ENV GREETING=hello
WORKDIR /work
COPY a .
RUN echo "$GREETING" > made && cat a made && echo to stderr >&2
CMD ["cat", "made"]
"""


@pytest.fixture
def context(tmp_path: Path, engine: EngineUnderTest) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "a").write_text("content of a\n")
    (folder / "Dockerfile").write_text(STEPS)
    return folder


def test_an_image_is_built_and_runs(cli: Cli, context: Path) -> None:
    done = cli("build", "-t", "built:1", "--label", "x=y", str(context))
    assert done.code == 0, done
    assert "content of a" in done.err and "hello" in done.err and "to stderr" in done.err
    assert "named built:1" in done.err
    assert cli.ok("run", "--rm", "--network", "none", "built:1") == "hello"
    config = json.loads(cli.ok("inspect", "built:1"))[0]["Config"]
    assert config["Labels"]["x"] == "y" and config["WorkingDir"] == "/work"


def test_the_second_time_it_is_the_same_image_at_once(cli: Cli, context: Path) -> None:
    first = cli.ok("build", "-q", str(context))
    os.utime(context / "a", (1, 1))
    done = cli("build", str(context))
    assert done.err.count("CACHED") == 5
    assert cli.ok("build", "-q", str(context)) == first
    (context / "a").write_text("other\n")
    changed = cli("build", str(context))
    assert changed.err.count("CACHED") == 2
    assert "not cached: changed: a" in changed.err


def test_a_failing_program_shows_what_it_said_and_where_it_stands(cli: Cli, context: Path) -> None:
    with (context / "Dockerfile").open("a") as file:
        file.write("RUN echo it goes wrong; exit 3\n")
    done = cli("build", str(context))
    assert done.code == 1
    assert "it goes wrong" in done.err
    assert "   7 | >>> RUN echo it goes wrong; exit 3" in done.err
    assert done.err.rstrip().endswith("returned a non-zero code: 3")
    assert not [line for line in cli.ok("ps", "-aq").splitlines() if line]


def test_a_dockerfile_from_stdin_needs_no_folder(cli: Cli, engine: EngineUnderTest) -> None:
    image = cli.ok("build", "-q", "-", stdin=b"FROM busybox\nRUN true\n")
    assert image.startswith("sha256:")


def test_a_context_can_come_as_an_archive(cli: Cli, context: Path) -> None:
    file, _ = buildcontext.pack(str(context), "")
    with file:
        assert cli.ok("build", "-q", "-", stdin=file.read()).startswith("sha256:")


def test_build_arguments_and_targets(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    text = "FROM busybox AS one\nARG V=1\nRUN echo v=$V\nFROM one\nRUN echo never\n"
    (tmp_path / "D").write_text(text)
    done = cli(
        "build", "--no-cache", "-f", str(tmp_path / "D"), "--target", "one", "--build-arg", "V=2", str(tmp_path)
    )
    assert "v=2" in done.err and "never" not in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"FROM x\nBOGUS y\n", "ERROR: failed to build: dockerfile parse error line 2: unknown instruction: BOGUS"),
        (b"FROM nosuch:9\n", "ERROR: failed to build: "),
        (b"\n", "ERROR: failed to build: the Dockerfile (.onggi-dockerfile) cannot be empty"),
    ],
)
def test_what_is_wrong_is_one_line(cli: Cli, text: bytes, message: str) -> None:
    done = cli("build", "-", stdin=text)
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith(message)


def test_output_of_a_program_cannot_write_to_the_terminal(cli: Cli, engine: EngineUnderTest) -> None:
    text = b"FROM busybox\nRUN printf 'evil\\033]52;c;eA==\\007\\n'\n"
    done = cli("build", "--no-cache", "--progress", "rawjson", "-", stdin=text)
    assert done.code == 0 and "\x1b" not in done.out


def test_a_live_table_is_drawn_on_a_terminal(cli: Cli, context: Path) -> None:
    with cli.terminal("build", str(context)) as terminal:
        terminal.see("FINISHED")
        assert terminal.end() == 0


@pytest.mark.docker
@pytest.mark.skipif(not shutil.which("docker"), reason="Docker's client is not installed")
def test_dockers_own_client_builds_here(engine: EngineUnderTest, context: Path) -> None:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{engine.paths.socket}", "DOCKER_BUILDKIT": "0"}
    command = ["docker", "build", "-t", "classic:1", str(context)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Step 1/6 : FROM" in done.stdout
    assert "Successfully tagged classic:1" in done.stdout
