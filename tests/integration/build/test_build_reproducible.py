"""SOURCE_DATE_EPOCH: the same input gives the same image, whenever and wherever it is built."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest, running_engine

pytestmark = pytest.mark.root

EPOCH = 1_600_000_000
TEXT = """FROM busybox AS made
RUN mkdir /out && date > /dev/null && echo x > /out/f && ln -s f /out/link
FROM busybox
LABEL a=b
WORKDIR /srv/deep
COPY tree .
COPY --from=made /out /out
ADD archive.tar /unpacked/
RUN rm -rf /usr/share; echo y > /made; chown 1:2 /made
CMD ["true"]
"""


def context(folder: Path, moment: float) -> Path:
    (folder / "tree/sub").mkdir(parents=True)
    for name in ("tree/a", "tree/sub/b"):
        (folder / name).write_text(name)
        os.utime(folder / name, (moment, moment))
    with tarfile.open(folder / "archive.tar", "w") as archive:
        member = tarfile.TarInfo("in")
        member.size, member.mtime = 1, EPOCH - 5
        archive.addfile(member, io.BytesIO(b"z"))
    (folder / "Dockerfile").write_text(TEXT)
    return folder


def build(cli: Cli, folder: Path, *asked: str) -> str:
    return cli.ok("build", "-q", "-t", "same:1", "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}", *asked, str(folder))


def test_two_engines_make_the_same_image(engine: EngineUnderTest, tmp_path: Path) -> None:
    one = Cli(engine.environment)
    first = build(one, context(tmp_path / "one", time.time()))
    time.sleep(1.1)  # another second, or times would agree by chance
    assert build(one, tmp_path / "one", "--no-cache") == first
    with running_engine() as other:
        archive = tmp_path / "busybox.tar"
        one.ok("save", "-o", str(archive), "busybox")
        two = Cli(other.environment)
        two.ok("load", "-i", str(archive))
        assert build(two, context(tmp_path / "two", time.time() + 9)) == first


def test_no_time_in_a_layer_is_later(engine: EngineUnderTest, tmp_path: Path) -> None:
    cli = Cli(engine.environment)
    build(cli, context(tmp_path / "one", time.time()))
    cli.ok("save", "-o", str(tmp_path / "saved.tar"), "same:1")
    base = json.loads(cli.ok("image", "inspect", "busybox"))[0]["RootFS"]["Layers"]
    with tarfile.open(tmp_path / "saved.tar") as saved:
        manifest = json.load(saved.extractfile("manifest.json") or io.BytesIO())
        times = {}
        for name in manifest[0]["Layers"][len(base) :]:
            with tarfile.open(fileobj=saved.extractfile(name)) as layer:
                times |= {member.name: member.mtime for member in layer}
    assert times["srv/deep/a"] == EPOCH and times["unpacked/in"] == EPOCH - 5 and times["made"] == EPOCH
    assert max(times.values()) == EPOCH


def test_builds_without_an_epoch_keep_their_own_cache(engine: EngineUnderTest, tmp_path: Path) -> None:
    cli = Cli(engine.environment)
    folder = context(tmp_path / "one", time.time())
    plain = cli.ok("build", "-q", str(folder))
    assert build(cli, folder) != plain
    assert cli.ok("build", "-q", str(folder)) == plain
