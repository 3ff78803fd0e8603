"""Overlays of many layers, and namespaces for networks."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from core.linux import mounts, namespaces
from core.linux.constants import CLONE_NEWPID
from core.linux.mounts import mount_overlay
from tests.support.containers import Result, in_child

pytestmark = pytest.mark.root


def layers(folder: Path, count: int) -> list[str]:
    """Top first; every layer says its number in `same`, and has a file of its own."""
    made = []
    for number in range(count):
        layer = folder / str(number) / "fs"
        layer.mkdir(parents=True)
        (layer / "same").write_text(str(number))
        (layer / f"own-{number}").touch()
        made.append(str(layer))
    return made


@pytest.mark.parametrize("old_kernel", [False, True])
@pytest.mark.parametrize("count", [1, 2, 127])
def test_layers_lie_on_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, old_kernel: bool
) -> None:
    if old_kernel:
        monkeypatch.setattr(mounts, "takes_single_layers", lambda release: False)
    folder = tmp_path / ("long" * 20)
    lower = layers(folder, count)
    for name in ("upper", "work", "target"):
        (folder / name).mkdir()

    def work() -> Result:
        before = Path.cwd()
        target = folder / "target"
        mount_overlay(lower, str(folder / "upper"), str(folder / "work"), str(target))
        (target / "written").touch()
        assert Path.cwd() == before
        return Result(len(list(target.iterdir())), (target / "same").read_text())

    result = in_child(work)
    assert (result.code, result.output) == (count + 2, "0")
    assert [path.name for path in (folder / "upper").iterdir()] == ["written"]


@pytest.mark.parametrize("count", [1, 3])
def test_without_an_upper_nothing_can_be_written(tmp_path: Path, count: int) -> None:
    lower = layers(tmp_path, count)
    (tmp_path / "target").mkdir()

    def work() -> Result:
        mount_overlay(lower, None, None, str(tmp_path / "target"))
        try:
            (tmp_path / "target/x").touch()
        except OSError as error:
            return Result(error.errno or 0, "")
        return Result(0, "written")

    assert in_child(work).code == 30  # EROFS


def test_no_layers_at_all(tmp_path: Path) -> None:
    for name in ("upper", "work", "target"):
        (tmp_path / name).mkdir()

    def work() -> Result:
        mount_overlay([], str(tmp_path / "upper"), str(tmp_path / "work"), str(tmp_path / "target"))
        (tmp_path / "target/x").touch()
        return Result(0, "")

    in_child(work)
    assert (tmp_path / "upper/x").exists()


def test_a_network_namespace_with_its_loopback_and_netlink() -> None:
    def work() -> Result:
        namespace, netlink = namespaces.make_netns()
        with socket.socket() as server, socket.socket() as client:
            server.bind(("127.0.0.1", 0))
            server.listen()
            client.connect(server.getsockname())
        with socket.socket(fileno=netlink) as found:
            kind = found.family == socket.AF_NETLINK and found.type == socket.SOCK_DGRAM
        inside = Path("/proc/self/ns/net").readlink()
        again = namespaces.open_netns(namespace)
        return Result(int(kind and again > 0), str(inside))

    result = in_child(work)
    assert result.code == 1
    assert result.output != str(Path("/proc/self/ns/net").readlink())


def test_only_children_of_the_moment_are_born_elsewhere() -> None:
    def born() -> int:
        pid = os.fork()
        if pid == 0:
            os._exit(int(os.getpid() == 1))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def work() -> Result:
        found = []
        for _ in range(2):
            with namespaces.children_in(CLONE_NEWPID):
                found.append(born())
            found.append(born())
        return Result(0, str(found))

    assert in_child(work).output == "[1, 0, 1, 0]"
