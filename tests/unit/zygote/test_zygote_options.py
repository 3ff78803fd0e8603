"""The zygote's command line and what the daemon inherits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import InvalidArgument
from core.zygote.daemon import environment
from core.zygote.options import Options, boot


def test_options_have_defaults() -> None:
    options = Options.parse([])
    assert (str(options.paths.root), str(options.paths.run)) == ("/var/lib/onggi", "/run/onggi")
    assert str(options.socket) == "/run/onggi/engine.sock"


def test_options_survive_the_way_back_to_words() -> None:
    argv = ["--root", "/r", "--run=/n", "--host", "unix:///tmp/s", "--group", "wheel", "--netns", "/n/s"]
    options = Options.parse([*argv, "--background"])
    assert str(options.socket) == "/tmp/s"
    again = Options.parse(options.arguments())
    assert (again.paths, again.socket, again.group, again.netns) == (
        options.paths,
        options.socket,
        "wheel",
        "/n/s",
    )
    assert not again.background, "it is detached already"


@pytest.mark.parametrize("argv", [["--what"], ["--host", "tcp://0.0.0.0:2375"], ["root"]])
def test_what_it_does_not_know_is_refused(argv: list[str]) -> None:
    with pytest.raises(InvalidArgument, match="start engine"):
        Options.parse(argv)


def test_the_daemon_inherits_path_and_proxies_only() -> None:
    mine = {"PATH": "/bin", "https_proxy": "http://p", "SECRET": "x", "LD_PRELOAD": "evil.so", "NO_PROXY": ""}
    assert environment(Options.parse(["--root", "/r", "--run", "/n"]), mine) == {
        "PATH": "/bin",
        "https_proxy": "http://p",
        "ONGGI_ROOT": "/r",
        "ONGGI_RUN": "/n",
    }


def test_boot_takes_nothing_from_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").write_text("raise SystemExit('hostile core')")
    (tmp_path / "json.py").write_text("raise SystemExit('hostile json')")
    code = boot("core.errors").replace("import main; main()", "import EngineError; import json")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code + "; print(json.__file__)"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) not in done.stdout
