"""The door: verbs, groups, help, errors and exit codes, without an engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.cli import verbs
from core.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(list(argv))
    done = capsys.readouterr()
    return code, done.out, done.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("-v", "--version"):
        assert run(capsys, flag) == (0, "onggi version 0.1.0\n", "")


def test_help_is_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--help")
    assert (code, err) == (0, "")
    for name in (*verbs.VERBS, *verbs.GROUPS):
        assert f"\n  {name} " in out
    for name in verbs.VERBS:
        code, out, err = run(capsys, name, "--help")
        assert (code, err) == (0, "")
        assert out.startswith(f"Usage:  onggi {name}")
    for group, (summary, table) in verbs.GROUPS.items():
        code, out, _ = run(capsys, group, "--help")
        assert code == 0 and summary in out
        for verb in table:
            assert run(capsys, group, verb, "--help")[0] == 0


def test_no_line_of_help_is_wider_than_a_small_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], *([name, "--help"] for name in verbs.VERBS)):
        lines = run(capsys, *argv)[1].splitlines()
        wide = [line for line in lines if len(line) > 80 and not line.startswith("  onggi")]
        assert not wide


def test_help_lists_every_spelling(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "ps", "--help")[1]
    assert "Aliases:\n  onggi container ls, onggi container list, onggi container ps, onggi ps\n" in out


@pytest.mark.parametrize(
    ("argv", "code", "first"),
    [
        (("bogus",), 1, "onggi: unknown command: onggi bogus"),
        (("container", "bogus"), 1, "onggi: unknown command: onggi container bogus"),
        (("-x",), 125, "unknown shorthand flag: 'x' in -x"),
        (("--nope",), 125, "unknown flag: --nope"),
        (("volume", "--nope"), 125, "unknown flag: --nope"),
        (("-H", "ssh://x", "ps"), 1, "invalid host 'ssh://x': expected unix:///path or tcp://address:port"),
        (("ps", "-x"), 125, "unknown shorthand flag: 'x' in -x"),
        (("stop",), 1, "onggi: 'onggi stop' requires at least 1 argument"),
        (("container", "rm"), 1, "onggi: 'onggi container rm' requires at least 1 argument"),
        (("import",), 1, "onggi: 'onggi import' requires at least 1 argument"),
        (("run", "-d", "-a", "stdout", "x"), 1, "conflicting options: cannot specify both --attach and --detach"),
        (
            ("run", "--pull", "x", "y"),
            125,
            'onggi: invalid pull option: \'x\': must be one of "always", "missing" or',
        ),
        (("start", "-a", "x", "y"), 1, "you cannot start and attach multiple containers at once"),
        (("logs", "--since", "zzz", "-H"), 125, "unknown shorthand flag: 'H' in -H"),
    ],
)
def test_a_mistake_is_told_on_stderr(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], code: int, first: str
) -> None:
    got, out, err = run(capsys, *argv)
    assert (got, out) == (code, "")
    assert err.splitlines()[0].startswith(first)


def test_an_unknown_verb_that_is_like_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean 'onggi start'?" in run(capsys, "sttart")[2]


def test_an_engine_elsewhere_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, err = run(capsys, "-H", f"unix://{tmp_path}/x", "ps")
    assert (code, out) == (1, "")
    assert (
        err == f"cannot connect to the engine at unix://{tmp_path}/x: no such file or directory; is it running?\n"
    )
    code, _, err = run(capsys, "-H", f"unix://{tmp_path}/x", "run", "img")
    assert code == 125
    assert err.startswith("onggi: cannot connect to the engine at ")


def test_a_reader_that_left_is_no_traceback() -> None:
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    assert reader.stdin
    reader.wait()
    done = subprocess.run(
        [sys.executable, "-I", "-m", "core.cli", "--help"], stdout=reader.stdin, stderr=subprocess.PIPE, check=False
    )
    reader.stdin.close()
    assert (done.returncode, done.stderr) == (141, b"")


def test_without_a_terminal_there_is_help_instead_of_the_app() -> None:
    done = subprocess.run([sys.executable, "-I", "-m", "core.cli"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage:  onggi [OPTIONS] [COMMAND]\n")
