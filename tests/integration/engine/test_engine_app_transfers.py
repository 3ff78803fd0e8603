"""The app's loads and imports on a real engine of this machine, which reads the file itself."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from core.client.aclient import AsyncClient
from core.errors import EngineError
from tests.integration.conftest import EngineUnderTest
from tests.support.images import archive, busybox_layer
from tui import transfers
from tui.jobs.model import Job, Watch

pytestmark = pytest.mark.root


class Unsent(AsyncClient):
    """A client through which no file may go."""

    def upload(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("the file went through the client")


@pytest.fixture
def client(engine: EngineUnderTest) -> Unsent:
    return Unsent(engine.host)


@pytest.fixture
def job() -> Job:
    return Job("load", "onggi load", 0.0)


def watch(job: Job) -> Watch:
    return Watch(job, lambda: 0.0, lambda: None)


async def test_a_file_of_this_machine_is_read_by_the_engine(client: Unsent, job: Job, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(archive([busybox_layer()], "app:1", {"Cmd": ["sh"]}))
    assert await transfers.load(client, path, watch(job)) == "Loaded image: app:1"
    assert job.again, "it cannot be held in the middle"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = 1 << 20
        tar.addfile(info, io.BytesIO(bytes(1 << 20)))
    path.write_bytes(buffer.getvalue())
    ident = await transfers.import_(client, path, "app/flat:2", ["CMD run"], watch(job))
    found = await client.get("/images/app/flat:2/json")
    assert found["Id"].startswith(ident)
    assert found["Config"]["Cmd"] == ["/bin/sh", "-c", "run"]


async def test_a_save_says_how_long_it_will_be(client: Unsent, job: Job, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(archive([busybox_layer()], "app:1", {"Cmd": ["sh"]}))
    await transfers.load(client, path, watch(job))
    saving = Job("save", "onggi save", 0.0)
    await transfers.save(client, ["app:1"], tmp_path / "saved.tar", watch(saving))
    assert saving.current == saving.total == (tmp_path / "saved.tar").stat().st_size


async def test_what_is_no_archive_is_told_in_a_line(client: Unsent, job: Job, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(b"no archive" * 1000)
    with pytest.raises(EngineError, match=r"^not a tar archive$"):
        await transfers.load(client, path, watch(job))
