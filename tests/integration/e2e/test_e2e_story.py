"""The whole story, played by a person at a terminal: no engine yet, no image, and at the end nothing is left."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.tmux import Terminal

pytestmark = [pytest.mark.root, pytest.mark.tmux]

PAGE = "served from a container"


def in_network(machine: EngineUnderTest, *command: str) -> str:
    return subprocess.run(
        ["nsenter", f"--net={machine.netns}", *command], capture_output=True, text=True, check=True, timeout=30
    ).stdout


def detach(app: Terminal) -> None:
    app.press("C-p")
    app.press("C-q")
    app.see("enter open")


def test_run_work_detach_come_back_stop_remove(app: Terminal, machine: EngineUnderTest) -> None:
    app.see(r"No containers yet")
    app.press("b")  # the starter image needs no network
    app.see(r"[▸ ] onggi/starter\S* +\d+ M")

    app.press("2", "r")
    app.see(r"Run a container from .*starter")
    app.write("jar")
    fill(app, 3, "ports", "18080:80")
    app.see(r"\$ onggi run -it --name jar -p 18080:80 .*starter")
    app.press("Enter")
    app.see(r"the keyboard is in the container")
    app.see(r"[#$] ")

    app.write("echo 항아리 $((6*7))")
    app.press("Enter")
    app.see(r"항아리 42")
    edit_in_vi(app)
    app.write(f"echo '{PAGE}' > /tmp/index.html; httpd -p 80 -h /tmp; echo up")
    app.press("Enter")
    app.see(r"(?m)up\s*│?$|\bup\b")

    detach(app)
    app.see(r"● jar\s+18080→80")
    assert PAGE in in_network(machine, "busybox", "wget", "-qO-", "http://127.0.0.1:18080/")
    assert machine.client.get("/containers/jar/json")["State"]["Running"]

    app.press("1", "[")
    app.see(r"항아리 42")  # the log has what the screen had

    app.press("a")
    app.see(r"the keyboard is in the container")
    app.see(r"항아리 42")  # the screen as it was, before any key
    app.write("echo still $((1+1))")
    app.press("Enter")
    app.see(r"still 2")
    detach(app)

    app.press("s")
    app.see(r"▪ jar")
    app.press("d")
    app.see(r"onggi rm jar")
    app.press("d")
    wait_until(lambda: not machine.client.get("/containers/json", {"all": "1"}), "the container is removed")
    app.press("q")
    app.see(r"ended 0")


def fill(app: Terminal, tabs: int, label: str, value: str) -> None:
    """Go on by `tabs` fields, to the one behind `label`, and write into it."""
    for _ in range(tabs):
        app.press_and_watch("Tab")
    app.write(value)
    app.see(rf"{label} +{re.escape(value)}")


def edit_in_vi(app: Terminal) -> None:
    """vi takes the whole screen, every key reaches it, and the shell's screen is back afterwards."""
    app.write("vi /tmp/note")
    app.press("Enter")
    app.see(r"(?m)│~")
    app.press("i")
    app.write("항아리 안에서")
    app.see(r"항아리 안에서")
    app.press("Escape")
    app.see(r"- /tmp/note")
    app.write(":wq")
    app.press("Enter")
    app.miss(r"(?m)│~")
    app.write("cat /tmp/note")
    app.press("Enter")
    app.see(r"(?m)항아리 안에서\s")
