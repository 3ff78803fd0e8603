"""docker-compose 1.29 and Docker's SDK for Python, as Debian has them, on our socket: `build:` and what follows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest

COMPOSE = shutil.which("docker-compose")
pytestmark = [
    pytest.mark.root,
    pytest.mark.docker,
    pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed"),
]

FILE = """version: "3.4"
services:
  web:
    build:
      context: ./app
      dockerfile: Dockerfile.web
      args: {GREETING: hello}
      target: final
      labels: {a.b: c}
      cache_from: ["composed/web:1"]
    image: composed/web:1
    command: ["sh", "-c", "cat /greeting /file; exec sleep 1000"]
    volumes: ["data:/data", "./app:/src:ro"]
    network_mode: none
    depends_on: [db]
  db:
    build: ./app
    command: sleep 1000
    network_mode: none
volumes:
  data:
"""
WEB = """ARG BASE=busybox
FROM $BASE AS first
ARG GREETING=none
RUN echo $GREETING > /greeting
FROM first AS final
COPY file /file
FROM first AS never
RUN false
"""
SDK = """import docker, io, json, sys
client = docker.DockerClient(base_url=sys.argv[1])
asked = {"tag": "sdk:1", "rm": True, "labels": {"x": "y"}, "cache_from": ["busybox"]}
image, lines = client.images.build(path=sys.argv[2], **asked)
told = {"tags": image.tags, "label": image.labels["x"], "lines": [line.get("stream", "") for line in lines]}
try:
    client.images.build(fileobj=io.BytesIO(b"FROM busybox\\nRUN exit 3\\n"))
except docker.errors.BuildError as error:
    told["failed"] = str(error)
told["ran"] = client.containers.run("sdk:1", "cat /f", remove=True, network_mode="none").decode()
events = client.events(decode=True)
more = {"network_mode": "none", "volumes": {"sdk": {"bind": "/v"}}}
made = client.containers.run("sdk:1", ["sleep", "100"], detach=True, **more)
out, err = made.exec_run(["sh", "-c", "echo out; echo err >&2; exit 5"], demux=True).output
told["exec"] = [out.decode(), err.decode()]
told["event"] = next(event["Action"] for event in events if event["Type"] == "container")
events.close()
made.kill()
told["code"] = made.wait()["StatusCode"]
made.remove(v=True)
print(json.dumps(told))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "proj"
    (folder / "app").mkdir(parents=True)
    (folder / "docker-compose.yml").write_text(FILE)
    (folder / "app/Dockerfile.web").write_text(WEB)
    (folder / "app/Dockerfile").write_text("FROM busybox\nCOPY file /f\nVOLUME /kept\n")
    (folder / "app/file").write_text("one\n")
    return folder


def compose(engine: EngineUnderTest, folder: Path, *words: str, cli: bool = False) -> str:
    """Run docker-compose, which builds itself or has Docker's client do it: stdout, and what it says besides."""
    environment = {**engine.environment, "COMPOSE_DOCKER_CLI_BUILD": str(int(cli)), "DOCKER_BUILDKIT": "0"}
    command = [str(COMPOSE), "--ansi", "never", *words]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, (words, done)
    return done.stdout + done.stderr


def test_compose_builds_runs_and_takes_down(cli: Cli, engine: EngineUnderTest, project: Path) -> None:
    said = compose(engine, project, "up", "--build", "-d", cli=shutil.which("docker") is not None)
    assert "Successfully tagged composed/web:1" in said and "RUN false" not in said, said
    assert "Creating proj_web_1" in said
    labels = json.loads(cli.ok("image", "inspect", "-f", "{{json .Config.Labels}}", "composed/web:1"))
    assert labels["a.b"] == "c"
    assert cli.ok("exec", "proj_web_1", "cat", "/src/file", "/greeting") == "one\nhello"
    before = cli.ok("inspect", "-f", "{{range .Mounts}}{{.Name}}{{end}}", "proj_db_1")
    (project / "app/file").write_text("two\n")
    said = compose(engine, project, "up", "--build", "-d", "-t", "0")
    assert "Recreating proj_web_1" in said and "Recreating proj_db_1" in said, said
    after = cli.ok("inspect", "-f", "{{range .Mounts}}{{.Name}}{{end}}", "proj_db_1")
    assert after == before  # its anonymous volume goes along
    assert said.count("Using cache") == 2, said  # ARG and RUN of web: what stands above the copy
    said = compose(engine, project, "ps")
    assert "proj_web_1" in said and " Up " in said
    assert compose(engine, project, "logs", "--no-color", "web").splitlines()[-2:] == [
        "web_1  | hello",
        "web_1  | two",
    ]
    said = compose(engine, project, "down", "-v", "-t", "0", "--rmi", "all")
    assert "Removing volume proj_data" in said and "Removing image composed/web:1" in said, said
    assert not cli.ok("ps", "-aq") and "proj" not in cli.ok("volume", "ls", "-q")


def test_dockers_sdk_builds_and_runs(cli: Cli, engine: EngineUnderTest, project: Path, tmp_path: Path) -> None:
    (tmp_path / "sdk.py").write_text(SDK)
    command = ["/usr/bin/python3", str(tmp_path / "sdk.py"), engine.host, str(project / "app")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    lines = "".join(told.pop("lines"))
    assert "Step 1/4 : FROM busybox" in lines and lines.endswith("Successfully tagged sdk:1\n"), lines
    assert told == {
        "tags": ["sdk:1"], "label": "y", "failed": "The command '/bin/sh -c exit 3' returned a non-zero code: 3",
        "ran": "one\n", "exec": ["out\n", "err\n"], "event": "create", "code": 137,
    }  # fmt: skip
