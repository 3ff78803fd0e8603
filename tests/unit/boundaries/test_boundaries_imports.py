"""Which modules each process loads, seen in a fresh interpreter: they cost memory and time, or fork badly."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

BELOW_THE_FORK_LINE = (
    "asyncio", "threading", "concurrent", "logging", "http", "msgspec", "h11", "pyroute2", "textual", "psutil",
)  # fmt: skip
SLOW_FOR_A_COMMAND = (
    "argparse", "asyncio", "dataclasses", "threading", "concurrent", "logging", "http", "msgspec", "h11",
    "pyroute2", "textual", "psutil", "subprocess", "ctypes", "sqlite3", "pathlib", "hashlib",
)  # fmt: skip
SLOW_FOR_EVERY_COMMAND = {  # each takes 1 to 9 ms, where `ps` as a whole takes 15
    "collections", "contextlib", "enum", "functools", "importlib", "json", "re", "signal", "socket", "types",
    "typing",
}  # fmt: skip
ENGINE_WING = (
    "core.daemon", "core.api", "core.engine", "core.images", "core.network", "core.zygote", "core.shim",
    "core.runtime", "core.storage", "core.cgroups", "core.logs", "core.linux",
)  # fmt: skip


def loaded(code: str) -> set[str]:
    """The top-level modules that `code` loads in a bare interpreter that knows the project and its dependencies."""
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True).stdout
    return set(json.loads(output.splitlines()[-1]))


def tops(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize(
    "module", ["core.zygote.server", "core.zygote.jobs", "core.shim.supervisor", "core.runtime.__main__"]
)
def test_nothing_heavy_lives_below_the_fork_line(module: str) -> None:
    assert tops(loaded(f"import {module}")).isdisjoint(BELOW_THE_FORK_LINE)


def test_the_zygote_starts_without_site_packages() -> None:
    script = f"import sys; sys.path.insert(0, {sys_path_of_core()!r}); import core.zygote.server"
    subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True)


def sys_path_of_core() -> str:
    import core

    return str(core.__path__[0]).rpartition("/")[0]


def test_the_zygote_has_one_thread() -> None:
    script = "import os, core.zygote.server; print(len(os.listdir('/proc/self/task')))"
    output = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "1"


def test_a_short_command_loads_little() -> None:
    modules = loaded("import core.cli.main")
    assert tops(modules).isdisjoint(SLOW_FOR_A_COMMAND)
    assert not {name for name in modules if name.startswith(("core.engine", "core.api", "tui"))}


@pytest.mark.parametrize(
    "verb",
    ["attach", "create", "exec", "images", "inspect", "kill", "logs", "ps", "rm", "run", "start", "stop", "wait"],
)
def test_a_common_command_loads_next_to_nothing(verb: str) -> None:
    script = f"import sys; sys.path.append({sys_path_of_core()!r}); from core.cli import main, verbs; "
    script += f"verbs.load({verb!r}); import core.cli.session; print(*sys.modules)"
    bare = [sys.executable, "-I", "-S", "-c", script]
    modules = set(subprocess.run(bare, capture_output=True, text=True, check=True).stdout.split())
    assert not modules & SLOW_FOR_EVERY_COMMAND
    assert len(modules) < 70  # 25 of which an interpreter has before it reads anything of ours


@pytest.mark.parametrize("module", ["tui.app", "core.cli.main", "core.client.aclient"])
def test_clients_know_nothing_of_the_engine(module: str) -> None:
    assert not {name for name in loaded(f"import {module}") if name.startswith(ENGINE_WING)}


def test_the_emulator_knows_no_textual() -> None:
    assert "textual" not in tops(loaded("import tui.terminal.screen, tui.terminal.stream, tui.terminal.scrollback"))
