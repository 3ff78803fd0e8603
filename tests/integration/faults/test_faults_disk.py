"""A full disk: the container goes on, errors are one line, nothing half is kept, and space given back is used."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any

import pytest
from faults_kit import Leftovers, fill, onggi, start

from core.errors import EngineError
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.images import archive, busybox_layer

pytestmark = pytest.mark.root


def test_a_full_disk_does_not_stop_a_container_that_talks(small: EngineUnderTest) -> None:
    leftovers = Leftovers(small)
    ident = small.run(
        "sh", "-c",
        "until [ -e /dev/shm/go ]; do sleep 0.01; done; seq 1 100000; touch /dev/shm/done; "
        "until [ -e /dev/shm/room ]; do sleep 0.01; done; echo after",
    )  # fmt: skip
    shm = Path(f"/proc/{small.state(ident)['Pid']}/root/dev/shm")
    fill(small.paths.root)
    (shm / "go").touch()
    wait_until((shm / "done").exists, "it wrote to its end, its log is cut")
    (small.paths.root / "filler").unlink()
    (shm / "room").touch()
    assert small.wait(ident) == 0 and small.answers()
    *lines, after = small.logs(ident).splitlines()
    told = r"onggi: ([\d,]+) lines? of this log could not be written: no space left on device"
    lost = [int(found[1].replace(",", "")) for line in lines if (found := re.fullmatch(told, line))]
    kept = [int(line) for line in lines if line.isdigit()]
    assert after == "after" and lost and len(kept) + sum(lost) == 100_000
    assert kept == sorted(kept) and len(lines) == len(kept) + len(lost)
    small.client.delete(f"/containers/{ident}")
    assert small.output("echo", "again") == "again\n"
    wait_until(lambda: not [line for line in leftovers.found() if "mount" in line], "no mount is left")


def test_an_exit_is_told_and_removed_when_not_even_the_database_has_room(small: EngineUnderTest) -> None:
    root = small.paths.root
    idents = [small.run("sh", "-c", "until [ -e /dev/shm/go ]; do sleep 0.01; done; exit 4") for _ in range(2)]
    fill(root)
    (root / "onggi.db-reserve").unlink()
    (root / "filler").rename(root / "filler1")
    fill(root)  # and with it the reserve
    for ident in idents:
        Path(f"/proc/{small.state(ident)['Pid']}/root/dev/shm/go").touch()
    assert [small.wait(ident) for ident in idents] == [4, 4]
    (root / "filler").unlink()
    small.client.delete(f"/containers/{idents[0]}")
    small.kill_daemon()
    assert small.state(idents[1])["ExitCode"] == 4, "it was stored as soon as there was room"


def without_use(images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Images but for when a container was made of them last."""
    return [{name: value for name, value in image.items() if name != "LastUsed"} for image in images]


def test_nothing_half_is_kept_of_a_full_disk(small: EngineUnderTest) -> None:
    root = small.paths.root
    images = small.client.get("/images/json")
    fill(root, leave=1 << 19)
    data = archive([busybox_layer(), os.urandom(1 << 10)], "other:1", {"Cmd": ["sh"]})
    with pytest.raises(EngineError, match="no space left to take in"):
        small.client.open("POST", "/images/load", None, data).read()
    assert small.client.get("/images/json") == images
    assert not list(small.paths.content.glob("ingest/*"))
    fill(root)
    done = onggi(small, "run", "--name", "full", "busybox", "true")
    assert done.code in (0, 125), done
    if done.code:
        assert "Traceback" not in done.err and len(done.err.splitlines()) <= 3, done.err
    assert small.answers()
    (root / "filler").unlink()
    small.remove_all()
    assert onggi(small, "run", "--rm", "--network", "none", "busybox", "echo", "fine").out == "fine\n"
    fill(root)
    with contextlib.suppress(AssertionError):
        small.kill_daemon()
    (root / "filler").unlink()
    start(small)
    assert without_use(small.client.get("/images/json")) == without_use(images)


def test_a_short_disk_keeps_nothing_for_an_undo(small: EngineUnderTest) -> None:
    def kept() -> list[str]:
        return [entry["What"] for entry in small.client.get("/onggi/v1/undo")]

    for name in ("first", "second"):
        ident = small.run("dd", "if=/dev/zero", "of=/x", "bs=1M", "count=4", name=name)
        assert small.wait(ident) == 0
    small.client.delete("/containers/first")
    assert kept() == ["container first"]
    fill(small.paths.root, leave=1 << 19)
    assert small.client.get("/onggi/v1/host")["undo_seconds"] == 0
    small.client.delete("/containers/second")
    assert kept() == ["container first"], "the other one went for good"
    wait_until(lambda: not any(small.paths.trash.iterdir()), "its bytes go, which would be room enough")
    fill(small.paths.root, leave=1 << 19)
    small.client.open("GET", "/images/get", {"names": "busybox"}).read()
    assert kept() == [], "its room was needed"
    wait_until(lambda: not list(small.paths.root.glob("containers/*")), "its folder goes")
