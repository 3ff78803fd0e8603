"""`--squash`: one layer over the base, with what the steps have left behind, and nothing of what they took away."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest

pytestmark = pytest.mark.root

BASE = """FROM busybox
RUN mkdir -p /dir/deep /gone /kept && echo base > /dir/deep/f && echo base > /gone/g && echo base > /kept/k
"""
TEXT = """FROM squash/base:1
RUN echo secret > /secret && mkdir /new && echo 1 > /new/one && ln /new/one /new/linked
RUN rm /secret && echo two > /new/one && rm -rf /gone /dir/deep
RUN mkdir -p /dir/deep && echo later > /dir/deep/other && chown 5:6 /kept && chmod 700 /kept
RUN rm -rf /new/linked && ln -s /new/one /new/link && rm /kept/k && mkdir /kept/k && touch -d @1000000 /kept/k
CMD ["true"]
"""
LIST = "cd /; find dir gone kept new secret 2>/dev/null | sort | xargs stat -c '%n %f %u %g %s'; cat dir/deep/*"


def test_one_layer_is_what_many_were(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    for name, text in (("base", BASE), ("made", TEXT)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(text)
    cli.ok("build", "-q", "-t", "squash/base:1", str(tmp_path / "base"))
    cli.ok("build", "-q", "-t", "squash/many:1", str(tmp_path / "made"))
    cli.ok("build", "-q", "-t", "squash/one:1", "--squash", str(tmp_path / "made"))
    base, many, one = (
        json.loads(cli.ok("inspect", f"squash/{name}:1"))[0]["RootFS"]["Layers"] for name in ("base", "many", "one")
    )
    assert len(many) == len(base) + 4 and one[:-1] == base
    run = ("run", "--rm", "--network", "none")
    assert cli.ok(*run, "squash/one:1", "sh", "-c", LIST) == cli.ok(*run, "squash/many:1", "sh", "-c", LIST)
    steps = [
        json.loads(line)
        for line in cli.ok("history", "--no-trunc", "--format", "json", "squash/one:1").splitlines()
    ]
    assert steps[0]["Comment"] == "merge of 4 layers to " + steps[0]["Comment"].rpartition(" ")[2]
    assert any("rm /secret" in step["CreatedBy"] for step in steps)
    cli.ok("save", "-o", str(tmp_path / "saved.tar"), "squash/one:1")
    with tarfile.open(tmp_path / "saved.tar") as saved:
        manifest = json.load(saved.extractfile("manifest.json") or io.BytesIO())
        with tarfile.open(fileobj=saved.extractfile(manifest[0]["Layers"][-1])) as layer:
            names = set(layer.getnames())
    assert not {"secret", "new/linked"} & names
    assert {".wh.gone", "dir/deep/.wh..wh..opq"} <= names or {".wh.gone", "dir/deep/.wh.f"} <= names
    assert cli("verify").code == 0


def test_squashing_nothing_changes_nothing(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN echo 1 > /one\nRUN rm /one\n")
    cli.ok("build", "-q", "-t", "squash/none:1", "--squash", str(tmp_path))
    layers = json.loads(cli.ok("inspect", "squash/none:1"))[0]["RootFS"]["Layers"]
    assert layers == json.loads(cli.ok("inspect", "busybox"))[0]["RootFS"]["Layers"]
