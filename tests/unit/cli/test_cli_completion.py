"""What Tab finds, asked of the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.cli import completions, verbs
from core.cli.main import main

TOP = {*verbs.VERBS, *verbs.GROUPS}
CASES = [
    (("",), TOP),
    (("r",), {"rename", "restart", "rm", "rmi", "run"}),
    (("--host", "tcp://x:1", "ver"), {"verify", "version"}),
    (("container", "l"), {"logs", "ls"}),
    (("volume", ""), set(verbs.GROUPS["volume"][1])),
    (("run", "--health-s"), {"--health-start-interval", "--health-start-period"}),
    (("run", "--name", "run", "--pub"), {"--publish", "--publish-all"}),
    (("image", "ls", "--no"), {"--no-trunc"}),
]


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A folder with an `onggi` that tells what it was asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "onggi"
    script.write_text(
        '#!/bin/sh\ncase "$*" in\nps*) printf "one\\ntwo\\n" ;;\nimages*) echo busybox:latest ;;\nesac\n'
    )
    script.chmod(0o755)
    return folder


def found(shell: str, folder: Path, words: tuple[str, ...], *, listening: bool = True) -> set[str]:
    """What the shell completes the last of `words` to."""
    script = folder / f"complete.{shell}"
    script.write_text(completions.SHELLS[shell]())
    env = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "ONGGI_RUN": str(folder)}
    if listening:
        env["ONGGI_HOST"] = "unix:///somewhere"
    if shell == "bash":
        command = 'source "$0"; COMP_WORDS=(onggi "$@"); COMP_CWORD=$#; _onggi; printf "%s\\n" "${COMPREPLY[@]}"'
        argv = ["bash", "--norc", "-c", command, str(script), *words]
    elif shell == "fish":
        argv = ["fish", "--no-config", "-c", f"source {script}; complete -C $argv[1]", " ".join(("onggi", *words))]
    else:
        command = (
            "compdef() { :; }; "
            'compadd() { while [[ $1 == -* && $1 != -- ]]; do shift; done; shift; said+=("$@") }; '
            '_describe() { said+=("${(@)${(P)2}%%:*}") }; _files() { :; }; typeset -a said words; '
            'source $0; words=(onggi "$@"); CURRENT=$#words; _onggi; '
            "for word in $said; do [[ $word == ${words[CURRENT]}* ]] && print -r -- $word; done; true"
        )
        argv = ["zsh", "-f", "-c", command, str(script), *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return {line.split("\t")[0] for line in done.stdout.splitlines() if line}


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")


@pytest.mark.parametrize("shell", completions.SHELLS)
@pytest.mark.parametrize(("words", "expected"), CASES, ids=[" ".join(words) for words, _ in CASES])
def test_verbs_and_flags(shell: str, bin_folder: Path, words: tuple[str, ...], expected: set[str]) -> None:
    needs(shell)
    assert found(shell, bin_folder, words) == expected


@pytest.mark.parametrize("shell", completions.SHELLS)
def test_names_of_what_there_is_and_only_of_an_engine_that_runs(shell: str, bin_folder: Path) -> None:
    needs(shell)
    assert found(shell, bin_folder, ("stop", "t")) >= {"two"}
    assert found(shell, bin_folder, ("container", "stop", "-t", "5", "o")) >= {"one"}
    assert found(shell, bin_folder, ("run", "-it", "bus")) >= {"busybox:latest"}
    assert not found(shell, bin_folder, ("stop", "t"), listening=False)


@pytest.mark.parametrize("shell", completions.SHELLS)
def test_the_verb_prints_it(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert capsys.readouterr().out.rstrip() == completions.SHELLS[shell]().rstrip()


def test_another_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "cmd"]) == 1
    assert "no completion for 'cmd': expected bash, fish, zsh" in capsys.readouterr().err


def test_kinds_of_operands() -> None:
    every = completions.commands()
    kinds = {path: completions.kind(command) for path, command in every.items()}
    assert kinds["stop"] == kinds["container stop"] == kinds["exec"] == kinds["stats"] == "container"
    assert kinds["run"] == kinds["rmi"] == kinds["tag"] == "image"
    assert kinds["volume rm"] == "volume" and kinds["ps"] == kinds["inspect"] == ""


def test_it_costs_other_verbs_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, core.cli.main; print('core.cli.completions' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "False\n"
