"""Committing containers of whole engines: running, paused, stopped, while they are removed, while engines die."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from commit_kit import image, load, members, onggi, save, saved

from core import errors
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.dockerd import Dockerd

pytestmark = pytest.mark.root

SLEEP = ("sh", "-c", "echo 1 > /made; trap : TERM; while :; do sleep 1000 & wait; done")


def commit(engine: EngineUnderTest, container: str, name: str = "", **query: str) -> str:
    """POST /commit; the image's id."""
    repository, _, tag = name.partition(":")
    made = engine.client.post("/commit", {"container": container, "repo": repository, "tag": tag, **query})
    return str(made["Id"])


def actions(engine: EngineUnderTest, since: str) -> list[str]:
    """What has happened since a moment, in order."""
    now = engine.client.get("/info")["SystemTime"]
    lines = engine.client.open("GET", "/events", {"since": since, "until": now}).read().splitlines()
    return [f"{event['Type']} {event['Action']}" for event in map(json.loads, lines)]


def test_a_running_container_runs_on(engine: EngineUnderTest) -> None:
    ident = engine.run(*SLEEP)
    wait_until(lambda: "/made" in onggi(engine, "diff", ident), "the file is there")
    before, since = engine.state(ident), engine.client.get("/info")["SystemTime"]
    made = commit(engine, ident, "run:1", comment="c", author="a")
    after = engine.state(ident)
    assert (after["Pid"], after["Status"]) == (before["Pid"], "running")
    told = actions(engine, since)
    assert told == ["container pause", "container unpause", "container commit", "image tag"]
    assert image(engine, made)["RepoTags"] == ["run:1"]
    engine.client.delete(f"/containers/{ident}", {"force": "1"})
    assert engine.output("cat", "/made", Image="run:1") == "1\n"


def test_without_a_pause_nothing_stands_still(engine: EngineUnderTest) -> None:
    ident = engine.run(*SLEEP)
    since = engine.client.get("/info")["SystemTime"]
    onggi(engine, "commit", "--pause=false", ident)
    assert actions(engine, since) == ["container commit"]
    engine.client.post(f"/containers/{ident}/pause")
    commit(engine, ident)
    assert engine.state(ident)["Status"] == "paused"
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_the_notes_story_of_the_forgotten_port(engine: EngineUnderTest) -> None:
    """Run without -p, put a page into it, commit, and run that again with -p."""
    onggi(engine, "run", "-d", "--name", "web", "busybox", "sleep", "1000")
    onggi(engine, "exec", "web", "sh", "-c", "mkdir /w; echo hello > /w/index.html")
    made = onggi(engine, "commit", "web", "web:1").strip()
    assert made.startswith("sha256:")
    onggi(engine, "rm", "-f", "web")
    onggi(engine, "run", "-d", "--name", "web", "-p", "18081:80", "web:1", "httpd", "-f", "-p", "80", "-h", "/w")
    fetch = ["nsenter", f"--net={engine.netns}", "curl", "-s", "--retry", "20", "--retry-connrefused",
             "--retry-delay", "0", "http://127.0.0.1:18081/"]  # fmt: skip
    assert subprocess.run(fetch, capture_output=True, text=True, check=True, timeout=30).stdout == "hello\n"
    onggi(engine, "rm", "-f", "web")


def test_layers_come_on_top_of_each_other(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "rm -r /data; mkdir /data; echo 1 > /data/one")
    engine.wait(ident)
    commit(engine, ident, "chain:1")
    for number in (2, 3):
        again = engine.run(
            "sh", "-c", f"echo {number} > /data/{number}; rm -f /data/one", Image=f"chain:{number - 1}"
        )
        engine.wait(again)
        commit(engine, again, f"chain:{number}", comment=f"step {number}")
        engine.client.delete(f"/containers/{again}")
    engine.client.delete(f"/containers/{ident}")
    assert engine.output("ls", "/data", Image="chain:3") == "2\n3\n"
    assert len(saved(save(engine, "chain:3")).layers) == 4
    assert [step["Comment"] for step in engine.client.get("/images/chain:3/history")][:2] == ["step 3", "step 2"]
    engine.client.delete("/images/chain:2")
    assert engine.output("cat", "/data/2", Image="chain:3") == "2\n"


def test_nothing_changed_is_no_layer_but_a_step(engine: EngineUnderTest) -> None:
    ident = engine.create("true", name="still")
    commit(engine, ident, "still:1", changes="ENV A=b")
    base, made = image(engine, "busybox"), image(engine, "still:1")
    assert made["RootFS"] == base["RootFS"]
    assert made["Config"]["Env"] == ["PATH=/bin", "A=b"]
    config = saved(save(engine, "still:1")).config
    assert config["history"][-1]["empty_layer"] is True
    engine.client.delete(f"/containers/{ident}")


def test_the_same_container_gives_the_same_layer(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "mkdir /z /a; echo 1 > /z/1; ln /z/1 /a/2; rm -r /home")
    engine.wait(ident)
    ids = [commit(engine, ident, "", comment="same") for _ in range(2)]
    layers = [image(engine, made)["RootFS"]["Layers"] for made in ids]
    assert layers[0] == layers[1]
    assert ids[0] != ids[1], "the time is in it"
    engine.client.delete(f"/containers/{ident}")


def test_volumes_and_mounts_stay_out(engine: EngineUnderTest, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    host = {"Binds": [f"{tmp_path}:/host", "vol:/vol", f"{tmp_path / 'secret'}:/file"], "Tmpfs": {"/t": ""}}
    ident = engine.run("sh", "-c", "echo 1 > /vol/x; echo 2 > /t/y; echo 3 > /dev/shm/z; touch /own", host=host)
    engine.wait(ident)
    commit(engine, ident, "vol:1")
    entries = members(saved(save(engine, "vol:1")).layers[-1])
    assert sorted(entries) == ["file", "host", "own", "t", "vol"]
    assert b"x" not in [entry[7] for entry in entries.values()]
    engine.client.delete(f"/containers/{ident}", {"v": "1"})
    engine.client.delete("/volumes/vol")


def test_a_body_is_laid_over_the_containers_config(engine: EngineUnderTest) -> None:
    ident = engine.create("sleep", "1", Env=["A=1"], Labels={"x": "y"})
    body = {"Cmd": ["other"], "Env": ["B=2"], "Labels": {"z": "w"}}
    made = engine.client.post("/commit", {"container": ident, "changes": ["ENV C=3"]}, body)
    config = image(engine, made["Id"])["Config"]
    assert (config["Cmd"], config["Labels"]) == (["other"], {"x": "y", "z": "w"})
    assert sorted(config["Env"]) == ["A=1", "B=2", "C=3", "PATH=/bin"]
    with pytest.raises(errors.InvalidArgument, match="commit request"):
        engine.client.post("/commit", {"container": ident}, {"Cmd": 7})
    engine.client.delete(f"/containers/{ident}")


def test_a_container_is_not_removed_under_a_commit(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "dd if=/dev/urandom of=/big bs=1M count=60; touch /last; exec sleep 1000")
    wait_until(lambda: "/last" in onggi(engine, "diff", ident), "the file is written")
    made: list[str] = []
    thread = threading.Thread(target=lambda: made.append(commit(engine, ident, "big:1")))
    thread.start()
    wait_until(lambda: engine.state(ident)["Status"] == "paused" or bool(made), "it stands still")
    engine.client.delete(f"/containers/{ident}", {"force": "1"})
    thread.join()
    entries = members(saved(save(engine, "big:1")).layers[-1])
    assert {"big", "last"} <= set(entries)
    assert len(entries["big"][7]) == 60 << 20  # type: ignore[arg-type]
    engine.client.delete("/images/big:1")


def test_a_client_that_goes_away_leaves_nothing_standing_still(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "dd if=/dev/zero of=/big bs=1M count=300; touch /last; exec sleep 1000")
    wait_until(lambda: "/last" in onggi(engine, "diff", ident), "the file is written")
    client = subprocess.Popen(
        ["curl", "-s", "-X", "POST", "--unix-socket", engine.paths.socket, f"http://x/commit?container={ident}"]
    )
    wait_until(lambda: engine.state(ident)["Status"] == "paused" or client.poll() is not None, "it stands still")
    client.kill()
    client.wait()
    wait_until(lambda: engine.state(ident)["Status"] == "running", "it runs again")
    wait_until(lambda: not any((engine.paths.content / "ingest").iterdir()), "nothing half-written is left")
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_an_engine_that_dies_over_it_lets_the_container_go_on(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    ident = engine.run("sh", "-c", "dd if=/dev/zero of=/big bs=1M count=300; touch /last; exec sleep 1000")
    wait_until(lambda: "/last" in onggi(engine, "diff", ident), "the file is written")
    client = subprocess.Popen(
        ["curl", "-s", "-X", "POST", "--unix-socket", engine.paths.socket, f"http://x/commit?container={ident}"]
    )
    wait_until(lambda: engine.state(ident)["Status"] == "paused", "it stands still")
    engine.kill_daemon()
    client.wait()
    assert engine.state(ident)["Status"] == "running"
    assert onggi(engine, "exec", ident, "echo", "alive") == "alive\n"
    assert not any((engine.paths.content / "ingest").iterdir())


def test_one_that_was_paused_by_hand_stays_so_over_an_engines_death(fresh_engine: EngineUnderTest) -> None:
    ident = fresh_engine.run("sleep", "1000")
    fresh_engine.client.post(f"/containers/{ident}/pause")
    commit(fresh_engine, ident)
    fresh_engine.kill_daemon()
    assert fresh_engine.state(ident)["Status"] == "paused"


def test_its_image_gone_is_said(engine: EngineUnderTest) -> None:
    ident = engine.create("true")
    made = commit(engine, ident, "gone:1")
    other = engine.create("true", Image="gone:1")
    engine.client.delete(f"/images/{made}", {"force": "1"})
    with pytest.raises(errors.NotFound, match="No such image"):
        commit(engine, other)
    assert made.startswith("sha256:")
    for container in (ident, other):
        engine.client.delete(f"/containers/{container}")


def test_what_we_commit_loads_elsewhere_with_the_same_id(
    engine: EngineUnderTest, dockerd: Dockerd, tmp_path: Path
) -> None:
    ident = engine.run("sh", "-c", "rm -r /data; mkdir /data; echo 1 > /data/é; ln /data/é /data/2; mkfifo /data/p")
    engine.wait(ident)
    made = commit(engine, ident, "mine:1", changes='CMD ["cat","/data/é"]')
    engine.client.delete(f"/containers/{ident}")
    archive = save(engine, "mine:1")
    dockerd.run("load", stdin=archive)
    assert dockerd.run("images", "-q", "--no-trunc", "mine:1").strip() == made
    assert dockerd.run("run", "--rm", "--network", "none", "mine:1") == "1\n"
    back = dockerd.read("save", "mine:1")
    engine.client.delete("/images/mine:1")
    assert "mine:1" in load(engine, back)
    assert image(engine, "mine:1")["Id"] == made
    (tmp_path / "mine.tar").write_bytes(archive)
    source = f"docker-archive:{tmp_path}/mine.tar:mine:1"
    if shutil.which("skopeo"):
        shown = subprocess.run(["skopeo", "inspect", "--config", "--raw", source], capture_output=True, check=True)
        assert json.loads(shown.stdout) == saved(archive).config
    if shutil.which("podman"):
        assert podman_id(tmp_path / "mine.tar") == made.removeprefix("sha256:")


def podman_id(archive: Path) -> str:
    """The id that podman gives the image `mine` of an archive."""
    with tempfile.TemporaryDirectory(prefix="pod-") as folder:  # short: it refuses a long --runroot
        podman = ["podman", "--root", f"{folder}/p", "--runroot", f"{folder}/r", "--storage-driver", "vfs"]
        environment = {**os.environ, "TMPDIR": folder}
        for words in (["load", "-q", "-i", str(archive)], ["images", "-q", "--no-trunc", "mine"]):
            done = subprocess.run([*podman, *words], check=True, env=environment, capture_output=True, text=True)
        return done.stdout.strip().removeprefix("sha256:")


@pytest.mark.docker
def test_dockers_client_commits_here(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "touch /here; exec sleep 1000")
    wait_until(lambda: "/here" in onggi(engine, "diff", ident), "the file is there")

    def docker(*words: str) -> str:
        return subprocess.run(
            ["docker", *words], env=engine.environment, check=True, capture_output=True, text=True
        ).stdout

    assert docker("diff", ident) == "A /here\n"
    made = docker("commit", "-m", "x", "-c", "CMD ls /here", ident, "docker/made:1").strip()
    assert docker("images", "-q", "--no-trunc", "docker/made:1").strip() == made
    assert docker("run", "--rm", "--network", "none", "docker/made:1") == "/here\n"
    engine.client.delete(f"/containers/{ident}", {"force": "1"})
