"""A build as a person does it: it fails, is mended in an editor, goes on from the cache, and what it made runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.tmux import Terminal

pytestmark = [pytest.mark.root, pytest.mark.tmux]

DOCKERFILE = """\
FROM onggi/starter AS kiln
WORKDIR /src
COPY clay.txt .
RUN echo heating the kiln; cp clay.txt /jar; sleep 0.5
RUN echo no wood; exit 3

FROM onggi/starter
ENV GLAZE brown
COPY --from=kiln /jar /jar
CMD ["sh", "-c", "echo fired $(cat /jar); sleep 1000"]
"""


@pytest.fixture(autouse=True)
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to build from, and an editor that is a real one."""
    monkeypatch.setenv("EDITOR", "busybox vi")
    monkeypatch.delenv("VISUAL", raising=False)
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "clay.txt").write_text("옹기\n")
    return tmp_path


def test_build_fail_edit_build_again_run(app: Terminal, machine: EngineUnderTest, workshop: Path) -> None:
    app.see(r"No containers yet")
    app.press("b")
    app.see(r"[▸ ] onggi/starter\S* +\d+ M")

    app.press("2", "m")
    app.see(r"Build an image from a Dockerfile")
    app.write("jar:1")
    app.see(r"onggi build -t jar:1 \.")
    app.press_and_watch("BTab")
    app.press_and_watch("C-u")
    app.write(str(workshop))
    app.see(r"9 steps in 2 stages")
    app.press("Enter")
    app.see(r"heating the kiln")
    app.see(r"failed in step 5")
    app.see(r"ended with exit code 3")
    app.see(r"(?m)no wood\s*│?$")
    app.see(r"▸ 5  RUN echo no wood; exit 3")
    app.see(r"ENV GLAZE=brown")  # the hint gives the line to write

    app.press("e")
    app.see(r"(?m)^WORKDIR /src")
    app.write(":%s/exit 3/true/")
    app.press("Enter")
    app.write(":wq")
    app.press("Enter")
    app.see(r"▪ done")
    app.see(r"cached")
    app.miss(r"failed")

    app.press("Enter")
    app.see(r"(?s)jar:1 · \w+.*Layers")
    app.press("r")
    app.see(r"Run a container from jar:1")
    app.write("pot")
    app.press("Enter")
    app.see(r"● pot ")
    wait_until(lambda: machine.client.get("/containers/pot/json")["State"]["Running"], "the pot runs")
    app.press("1", "Enter")
    app.see(r"fired 옹기")


def test_a_shell_in_what_was_there_before_the_step_that_failed(app: Terminal, workshop: Path) -> None:
    app.see(r"No containers yet")
    app.press("b")
    app.see(r"[▸ ] onggi/starter\S* +\d+ M")
    app.press(":")
    app.see(r"Go to, do, or type a command")
    app.write(f"docker build {workshop}")
    app.see(r"onggi build /tmp/")
    app.press("Enter")
    app.see(r"ended with exit code 3")
    app.press("E")
    app.see(r"the keyboard is in the container")
    app.see(r"/src # ")
    app.write("cat /jar clay.txt; pwd")
    app.press("Enter")
    app.see(r"(?s)옹기.*옹기.*/src")
    app.write("exit")
    app.press("Enter")
    app.see(r"run -it: ended")
    app.press("H")
    app.see(r"1 build kept")  # the way to the shell is no build of anybody's
    app.press("Enter")
    app.see(r"failed in step 5")
    app.press("q")
    app.see(r"ended 0")
