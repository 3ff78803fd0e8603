"""A machine on which onggi never ran, and the app in a real terminal on it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.paths import Paths
from tests.integration.conftest import EngineUnderTest
from tests.support.tmux import Terminal, terminal

ONGGI = f"{sys.executable} -I -m core.cli"


@pytest.fixture
def machine() -> Iterator[EngineUnderTest]:
    """Empty folders and a network namespace of their own: a machine on which onggi never ran."""
    with tempfile.TemporaryDirectory(prefix="onggi-") as folder:
        name = Path(folder).name
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        found = EngineUnderTest(Paths(Path(folder) / "root", Path(folder) / "run"), f"/run/netns/{name}")
        try:
            yield found
        finally:
            if found.answers():
                found.remove_all()
                found.stop()
            subprocess.run(["ip", "netns", "delete", name], check=False)


@pytest.fixture
def app(machine: EngineUnderTest) -> Iterator[Terminal]:
    """The app in the machine's network, so that the engine which it starts is there too."""
    environment = {key: value for key, value in machine.environment.items() if key != "ONGGI_HOST"}
    command = f"nsenter --net={machine.netns} {ONGGI}"
    with terminal(machine.paths.root.parent, command, environment, width=120, height=40) as found:
        yield found
