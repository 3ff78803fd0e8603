"""Docker's own client and ours, asked the same of one engine: the same output and exit code."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.cli.cli_kit import PATIENCE, Cli
from tests.integration.conftest import EngineUnderTest

pytestmark = [pytest.mark.root, pytest.mark.docker, pytest.mark.docker_words]

QUIET = ("--network", "none")
# no column that tells how long ago something was: a second may pass between the two
STILL = "table {{.ID}}\\t{{.Image}}\\t{{.Command}}\\t{{.State}}\\t{{.Ports}}\\t{{.Names}}"

ASKED = [
    ["ps", "-a", "--format", STILL],
    ["ps", "-a", "--no-trunc", "--format", STILL],
    ["ps", "-aq"],
    ["ps", "-a", "-f", "status=exited", "-q", "--no-trunc"],
    ["ps", "-a", "--format", "{{.Names}}\\t{{.Labels}}\\t{{.Mounts}}\\t{{.LocalVolumes}}\\t{{.Networks}}"],
    ["ps", "-a", "--format", '{{upper .Names}} {{.Label "z"}} {{truncate .ID 4}} {{json .Ports}}'],
    ["ps", "-a", "--format", "{{.Names"],
    ["ps", "--nope"],
    ["images", "--format", "{{json .}}"],
    ["images", "--no-trunc"],
    ["images", "-q"],
    ["history", "busybox"],
    ["logs", "ended"],
    ["logs", "-n", "1", "ended"],
    ["logs", "nope"],
    ["port", "up"],
    ["port", "up", "80"],
    ["port", "up", "99"],
    ["inspect", "up"],
    ["inspect", "busybox"],
    ["inspect", "nope"],
    ["inspect", "up", "nope", "-f", "{{.Name}} {{.State.Running}}"],
    ["inspect", "-f", "{{json .Config.Cmd}} {{.Config.Env}} {{len .Config.Env}} {{.HostConfig.Binds}}", "ended"],
    ["inspect", "-f", "{{range $p, $c := .NetworkSettings.Ports}}{{$p}}={{(index $c 0).HostPort}} {{end}}", "up"],
    ["inspect", "-f", "{{if .State.Health}}x{{else}}no health{{end}} {{.HostConfig.RestartPolicy}}", "up"],
    ["inspect", "-f", "{{.State.Pid}} {{.Nope}}", "ended"],
    ["wait", "ended", "nope", "ended"],
    ["start", "up", "nope"],
    ["stop", "ended", "nope"],
    ["kill", "ended"],
    ["rm", "up"],
    ["rm", "-f", "nope"],
    ["rm"],
    ["exec", "up", "sh", "-c", "echo $0; exit 9"],
    ["exec", "ended", "true"],
    ["attach", "ended"],
    ["top", "up", "-o", "pid,args"],
    ["volume", "ls"],
    ["volume", "inspect", "nope"],
    ["network", "ls"],
    ["rmi", "nope"],
    ["tag", "nope", "x:1"],
    ["save", "-o", "/nonexistent/x.tar", "busybox"],
    ["load", "-i", "/nonexistent"],
    ["run", *QUIET, "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7"],
    ["run", *QUIET, "--rm", "busybox", "nosuchprogram"],
    ["run", "--rm", "--restart", "always", "busybox"],
    ["run", "-p", "99999:80", "busybox"],
    ["run", "-m", "x", "busybox"],
    ["run", "-it", "busybox"],
    ["bogus"],
]


@pytest.fixture(scope="module")
def both(engine: EngineUnderTest) -> Iterator[Cli]:
    cli = Cli(engine.environment)
    cli.ok(
        "run", "-d", "--name", "up", "-p", "8080:80", "-p", "127.0.0.1:9000-9002:9000-9002", "-l", "z=1",
        "-l", "a=2", "-v", "data:/d", "busybox", "sleep", "1000",
    )  # fmt: skip
    cli("run", *QUIET, "--name", "ended", "busybox", "sh", "-c", "echo out; echo '한글' >&2; exit 3")
    cli.ok("create", *QUIET, "--name", "made", "busybox", "echo", 'a "b" \\ 한글한글한글')
    yield cli
    engine.remove_all()
    cli.ok("volume", "rm", "data")


@pytest.mark.parametrize("argv", ASKED, ids=" ".join)
def test_the_same_answer(both: Cli, argv: list[str]) -> None:
    ours = both(*argv)
    done = subprocess.run(
        ["docker", *argv],
        input="",
        capture_output=True,
        text=True,
        env=both.environment,
        timeout=PATIENCE,
        check=False,
    )
    assert ours.code == done.returncode
    assert ours.out.replace("onggi", "docker") == done.stdout.replace("onggi", "docker")
    # the first line says what went wrong; how to call the command is worded by each for itself
    first = done.stderr.split("\n", 1)[0].replace("Docker", "docker")
    assert ours.first_error.replace("onggi", "docker") == first.replace("onggi", "docker")
