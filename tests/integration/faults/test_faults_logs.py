"""Who follows a log when the engine is killed: nothing is lost, nothing comes twice."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from faults_kit import command, onggi

from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.tmux import terminal

pytestmark = pytest.mark.root

LINES = 200
TALK = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; usleep 10000; done; echo done; sleep 600"
WAYS = ((), ("--grep", "line|done"))  # bytes as they come, and line by line


def test_a_command_that_follows_ends_with_a_line_and_has_every_line_once(faulty: EngineUnderTest) -> None:
    faulty.run("sh", "-c", TALK, name="talk")
    clients = [
        subprocess.Popen(
            command(faulty, "logs", "-f", *way, "talk"),
            env=faulty.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for way in WAYS
    ]  # fmt: skip
    try:
        outs = [client.stdout for client in clients if client.stdout]
        heads = [[out.readline() for _ in range(20)] for out in outs]
        faulty.kill_daemon()
        for client in clients:
            client.wait(60)
        tails = [out.readlines() for out in outs]  # less than a pipe holds
        errors = [client.stderr.read() for client in clients if client.stderr]
    finally:
        for client in clients:
            client.kill()
            client.communicate()
    for client, head, tail, err in zip(clients, heads, tails, errors, strict=True):
        seen = [*head, *tail]
        assert seen == [f"line {n}\n" for n in range(1, len(seen) + 1)]
        assert client.returncode == 1
        assert err == "follow logs: the engine went away; the containers go on, and so do their logs\n"
    wait_until(lambda: onggi(faulty, "logs", "--tail", "1", "talk").out == "done\n", "it has talked to its end")
    assert onggi(faulty, "logs", "talk").out.splitlines() == [*(f"line {n}" for n in range(1, LINES + 1)), "done"]


@pytest.mark.tmux
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_app_goes_on_following(faulty: EngineUnderTest, tmp_path: Path) -> None:
    faulty.run("sh", "-c", TALK, name="talk")
    environment = {key: value for key, value in faulty.environment.items() if key != "ONGGI_HOST"}
    program = f"nsenter --net={faulty.netns} {sys.executable} -I -m core.cli"
    with terminal(tmp_path, program, environment, width=100, height=30) as app:
        app.see(r"[▸ ]● talk ")
        app.press("Enter")
        app.see(r"line \d+")
        faulty.kill_daemon()
        app.see(rf"{LINES + 1} lines")
        for first in range(1, LINES, 60):
            app.press("/")
            app.write(f"line {first}$")
            app.press("Enter")
            app.see(rf":\d\d(\.\d+)? line {first} ")
            wait_until(lambda: not _gaps(app.screen()), "each line stands there once")


def _gaps(screen: str) -> bool:
    """Whether what is shown is not one line after the other; so it is, too, in the middle of a repaint."""
    shown = [int(number) for number in re.findall(r":\d\d(?:\.\d+)? line (\d+)", screen)]
    return not shown or shown != list(range(shown[0], shown[0] + len(shown)))
