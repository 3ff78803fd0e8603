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
    assert " changed: a\n" in changed.err


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
        (
            b"FROM busybox\nSTOPSIGNAL SIGFOO\n",
            "ERROR: failed to build: dockerfile parse error line 2: Invalid signal: SIGFOO",
        ),
        (
            b"FROM busybox\nCOPY --chmod=9z9 <<EOF /x\nx\nEOF\n",
            "ERROR: failed to build: dockerfile parse error line 2-4: invalid chmod parameter: '9z9'. "
            "it should be octal string and between 0 and 07777",
        ),
        (
            b"FROM busybox\nADD http://127.0.0.1:1/x /\n",
            "ERROR: failed to build: fetch http://127.0.0.1:1/x: connection refused",
        ),
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
def test_what_a_failure_beside_it_ends_is_cancelled(cli: Cli, engine: EngineUnderTest) -> None:
    text = (
        b"FROM busybox AS a\nRUN sleep 0.3; exit 3\nFROM busybox\nRUN echo beside; sleep 30\nCOPY --from=a /x /x\n"
    )
    done = cli("build", "--no-cache", "--progress", "tty", "-", stdin=text)
    last = done.err.rpartition("[+] Building")[2]
    assert "=> ERROR [a 2/2] RUN sleep 0.3; exit 3" in last
    assert "=> CANCELED [stage-1 2/3] RUN echo beside; sleep 30" in last and "# beside" not in last


def test_dockers_own_client_builds_here(engine: EngineUnderTest, context: Path) -> None:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{engine.paths.socket}", "DOCKER_BUILDKIT": "0"}
    command = ["docker", "build", "-t", "classic:1", str(context)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "Step 1/6 : FROM" in done.stdout
    assert "Successfully tagged classic:1" in done.stdout


def built(cli: Cli, text: str, *asked: str, folder: Path) -> str:
    """The image of a Dockerfile, and everything that was said on the way."""
    (folder / "Dockerfile").write_text(text)
    done = cli("build", "--no-cache", "-t", "mounts:1", *asked, str(folder))
    assert done.code == 0, done
    return done.err


def test_mounts_of_a_step_leave_nothing_in_the_image(cli: Cli, context: Path) -> None:
    (context / "dir").mkdir()
    (context / "dir/f").write_text("from context\n")
    said = built(cli, """FROM busybox AS other
RUN echo from stage > /made
FROM busybox
RUN --mount=type=bind,source=dir,target=/ctx cat /ctx/f && ! touch /ctx/x
RUN --mount=type=bind,source=dir,target=/deep/new/ctx,rw touch /deep/new/ctx/x
RUN --mount=type=bind,from=other,source=/made,target=/made cat /made
RUN --mount=type=bind,from=busybox,source=/bin,target=/b ls /b/sh
RUN --mount=type=tmpfs,target=/t touch /t/x && grep ' /t tmpfs' /proc/mounts
""", folder=context)  # fmt: skip
    assert "from context" in said and "from stage" in said and "/b/sh" in said
    assert not (context / "dir/x").exists()
    listed = cli.ok("run", "--rm", "--network", "none", "mounts:1", "ls", "/")
    assert not {"ctx", "deep", "made", "b", "t"} & set(listed.split())


def test_a_cache_mount_is_kept_between_builds_and_not_in_the_image(cli: Cli, context: Path) -> None:
    text = "FROM busybox\nRUN --mount=type=cache,target=/c,id=kept,sharing=locked echo x >> /c/n; wc -l < /c/n\n"
    first, second = built(cli, text, folder=context), built(cli, text, folder=context)
    assert " 1\n" in first and " 2\n" in second
    assert cli("run", "--rm", "--network", "none", "mounts:1", "ls", "/c").code != 0


def test_a_secret_is_seen_by_its_step_and_by_nobody_else(
    cli: Cli, context: Path, tmp_path: Path, engine: EngineUnderTest
) -> None:
    (tmp_path / "token").write_text("hunter2-unguessable")
    text = """FROM busybox
RUN --mount=type=secret,id=token cd /run/secrets && wc -c < token && stat -c %a token
RUN --mount=type=secret,id=token,env=TOKEN test "${#TOKEN}" = 19 && echo seen
RUN --mount=type=secret,id=absent test ! -e /run/secrets/absent
RUN test ! -e /run/secrets/token
"""
    said = built(cli, text, "--secret", f"id=token,src={tmp_path / 'token'}", folder=context)
    assert " 19\n" in said and "seen" in said and " 400\n" in said
    assert "hunter2" not in cli.ok("history", "--no-trunc", "mounts:1")
    assert b"hunter2" not in subprocess.run(
        cli.argv("save", "mounts:1"), env=cli.environment, capture_output=True, check=True
    ).stdout  # fmt: skip
    left = subprocess.run(
        ["grep", "-rl", "hunter2", str(engine.paths.root), str(engine.paths.run)], capture_output=True, check=False
    )
    assert left.stdout == b""
    failed = cli("build", "-", stdin=b"FROM busybox\nRUN --mount=type=secret,id=no,required=true true\n")
    assert failed.code == 1 and "secret no: not found" in failed.err


@pytest.mark.parametrize(
    "mount",
    ["source=out", "source=out/passwd", "source=/../../etc", "source=up", "source=nosuch", "source=out,rw"],
)
def test_a_bind_mount_never_leaves_the_context(cli: Cli, context: Path, mount: str) -> None:
    """CVE-2024-1753 and its kin: a link in the context to a folder of the host as the source of a mount."""
    (context / "out").symlink_to("/etc")
    (context / "up").symlink_to("../../../../../../etc")
    (context / "Dockerfile").write_text(
        f"FROM busybox\nRUN --mount=type=bind,{mount},target=/m ls /m; cat /m/hostname\n"
    )
    done = cli("build", "--no-cache", str(context))
    assert done.code == 1
    assert "shadow" not in done.err


def test_a_mount_target_that_is_a_link_stays_in_the_root(cli: Cli, context: Path, tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.mkdir()
    (context / "Dockerfile").write_text(
        f"FROM busybox\nRUN ln -s {host} /evil\n"
        "RUN --mount=type=cache,target=/evil/c touch /evil/c/x; true\n"
        "RUN --mount=type=tmpfs,target=/evil true; true\n"
    )
    cli("build", "--no-cache", str(context))
    assert not list(host.iterdir())
