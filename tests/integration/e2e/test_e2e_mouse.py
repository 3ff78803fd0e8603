"""The mouse's wheel and what is pasted reach the program in the container, byte for byte as it asked for them."""

from __future__ import annotations

import re

import pytest

from tests.support.tmux import Terminal

pytestmark = [pytest.mark.root, pytest.mark.tmux]

WHEEL_DOWN = "\x1b[<65;90;20M"
PASTE = "\x1b[200~항아리 [한 줄]\x1b[201~"


def start_shell(app: Terminal) -> None:
    app.see(r"No containers yet")
    app.press("b")
    app.see(r"[▸ ] onggi/starter\S* +\d+ M")
    app.press("2", "r")
    app.see(r"Run a container from .*starter")
    app.write("mouse")
    app.press("Enter")
    app.see(r"the keyboard is in the container")
    app.see(r"[#$] ")


def test_wheel_and_paste_reach_vi_and_who_asks_for_them(app: Terminal) -> None:
    start_shell(app)
    app.write("seq 1 200 > /tmp/n; vi /tmp/n")
    app.press("Enter")
    app.see(r"(?m)│ ?1 +│$")
    for _ in range(30):
        app.write(WHEEL_DOWN)  # vi asks for no mouse: it gets cursor keys
    app.see(r"\b91/200\b")  # the last has arrived: the wheel goes by way of the app, and typing may overtake it
    app.press("o")
    app.write(PASTE)  # nor for brackets: it gets the text alone
    app.see(r"항아리 \[한 줄\]")
    app.press("Escape")
    app.see(r"- /tmp/n")
    app.write(":wq")
    app.press("Enter")
    app.miss(r"- /tmp/n")
    app.see(r"[#$] ")
    app.write("clear; grep -n 한 /tmp/n")
    app.press("Enter")
    line = re.search(r"(\d+):항아리 \[한 줄\]\s", app.see(r"\d+:항아리 \[한 줄\]\s"))
    assert line is not None and int(line.group(1)) > 30

    app.write(r"clear; printf '\033[?1000h\033[?1006h\033[?2004h'; echo as''ked; cat -v >/dev/null")
    app.press("Enter")
    app.see(r"\basked\b")
    app.write(WHEEL_DOWN)
    told = re.search(r"\^\[\[<65;(\d+);(\d+)M", app.see(r"\^\[\[<65;\d+;\d+M"))
    assert told is not None
    assert (int(told.group(1)), int(told.group(2))) < (90, 20)  # counted from the pane's corner, not the screen's
    app.write(PASTE)
    app.see(r"\^\[\[200~항아리 \[한 줄\]\^\[\[201~")
    app.press("C-c")
    app.press("C-p")
    app.press("C-q")
    app.see("enter open")
