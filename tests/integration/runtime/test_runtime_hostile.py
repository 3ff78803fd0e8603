"""Images that try to get out while their container is being built."""

from __future__ import annotations

import os
import shutil
import sysconfig
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import EngineError
from core.oci.runtime import Mount
from tests.support.containers import Sandbox, docker_like

pytestmark = pytest.mark.root


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the host's that nothing may change."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim").write_text("untouched\n")
    return folder


def untouched(folder: Path) -> bool:
    return [path.name for path in folder.iterdir()] == ["victim"] and (
        folder / "victim"
    ).read_text() == "untouched\n"


def swap(root: Path, name: str, target: str) -> None:
    """Put a symbolic link in place of what the image has at `name`."""
    place = root / name
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    place.symlink_to(target)


@pytest.mark.parametrize("climb", ["", "../../../../../../../../../.."])
@pytest.mark.parametrize("name", ["dev", "proc", "sys", "etc", "tmp"])
def test_a_link_in_place_of_a_folder_leads_nowhere(
    hostile: Sandbox, outside: Path, tmp_path: Path, name: str, climb: str
) -> None:
    swap(hostile.lower, name, f"{climb}{outside}")
    bound = tmp_path / "bound"
    bound.write_text("bound\n")
    spec = docker_like("sh", "-c", "echo ran", terminal=True)
    spec = replace(
        spec,
        mounts=(
            *spec.mounts,
            Mount("/etc/hosts", "bind", str(bound), ("rbind", "rprivate")),
            Mount("/tmp/place", "bind", str(tmp_path / "outside"), ("rbind", "ro")),
        ),
    )
    try:
        assert "ran" in hostile.run(spec).output
    except EngineError as error:
        assert "\n" not in str(error)
    assert untouched(outside)


@pytest.mark.parametrize("name", ["proc", "sys"])
def test_procfs_and_sysfs_are_mounted_on_ordinary_folders_only(hostile: Sandbox, name: str) -> None:
    (hostile.lower / "elsewhere").mkdir()
    swap(hostile.lower, name, "/elsewhere")
    with pytest.raises(EngineError, match=f"mount {name}(fs)? at /{name}"):
        hostile.run(docker_like("true"))


@pytest.mark.parametrize("destination", ["/proc", "/proc/self", "/proc/sys/kernel", "/proc/../proc/1"])
def test_nothing_covers_proc_by_name(sandbox: Sandbox, outside: Path, destination: str) -> None:
    spec = docker_like("true")
    spec = replace(spec, mounts=(*spec.mounts, Mount(destination, "bind", str(outside), ("rbind",))))
    with pytest.raises(EngineError, match="nothing may cover /proc"):
        sandbox.run(spec)


def test_nothing_covers_proc_through_a_link(hostile: Sandbox, outside: Path) -> None:
    (hostile.lower / "data").symlink_to("/proc/self")
    spec = docker_like("true")
    spec = replace(spec, mounts=(*spec.mounts, Mount("/data/attr", "bind", str(outside), ("rbind",))))
    with pytest.raises(EngineError, match=r"mount .* at /data/attr"):
        hostile.run(spec)


def test_a_volume_whose_place_is_a_link_out(hostile: Sandbox, outside: Path, tmp_path: Path) -> None:
    (hostile.lower / "volume").symlink_to(str(outside))
    (tmp_path / "own").mkdir()
    spec = docker_like("sh", "-c", "echo written > /volume/file")
    spec = replace(spec, mounts=(*spec.mounts, Mount("/volume", "bind", str(tmp_path / "own"), ("rbind",))))
    try:
        hostile.run(spec)
    except EngineError:
        pass
    assert untouched(outside)


@pytest.mark.parametrize("module", ["json", "errno", "encodings", "os", "codecs", "core", "signal", "traceback"])
def test_python_files_of_the_image_are_never_run(hostile: Sandbox, outside: Path, module: str) -> None:
    marker = "open('/dev/shm/planted', 'w').write('ran as root')\n"
    for folder in ("/", sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")):
        place = hostile.lower / folder.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{module}.py").write_text(marker)
    # Both ways through init: one that runs, and one that fails late and has to tell why.
    assert hostile.run(docker_like("ls", "/dev/shm")).output == ""
    with pytest.raises(EngineError, match="not found"):
        hostile.run(docker_like("nope", cwd="/root"))


@pytest.mark.parametrize("cwd", ["/proc/self/fd/3", "/proc/self/fd/7", "/proc/1/cwd", "/proc/self/root"])
def test_the_working_folder_cannot_be_a_descriptor(sandbox: Sandbox, cwd: str) -> None:
    with pytest.raises(EngineError):
        sandbox.run(docker_like("pwd", cwd=cwd))


def test_a_working_folder_that_is_a_link_out_stays_inside(hostile: Sandbox, outside: Path) -> None:
    (hostile.lower / "work").symlink_to(str(outside / "new"))
    try:
        hostile.run(docker_like("touch", "x", cwd="/work"))
    except EngineError:
        pass
    assert untouched(outside)


def test_a_planted_dev_does_not_become_ours(hostile: Sandbox, outside: Path) -> None:
    # The image's own /dev/null, console and ptmx lie under the tmpfs.
    for name in ("null", "console", "ptmx", "tty"):
        (hostile.lower / "dev" / name).symlink_to(str(outside / "victim"))
    spec = docker_like("sh", "-c", "stat -c %t:%T /dev/null; cat /proc/interrupts; tty", terminal=True)
    assert hostile.run(spec).output == "1:3\r\n/dev/pts/0\r\n"
    assert untouched(outside)


def test_without_a_tmpfs_links_in_dev_are_not_followed_out(hostile: Sandbox, outside: Path) -> None:
    for name in ("null", "console", "zero"):
        (hostile.lower / "dev" / name).symlink_to(str(outside / "victim"))
    spec = docker_like("true", terminal=True)
    spec = replace(spec, mounts=tuple(mount for mount in spec.mounts if mount.destination != "/dev"))
    with pytest.raises(EngineError):
        hostile.run(spec)
    assert untouched(outside)


def test_a_fifo_in_place_of_a_file_does_not_hang(hostile: Sandbox, tmp_path: Path) -> None:
    os.mkfifo(hostile.lower / "etc/hosts")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    spec = docker_like("cat", "/etc/hosts")
    spec = replace(spec, mounts=(*spec.mounts, Mount("/etc/hosts", "bind", str(tmp_path / "hosts"), ("rbind",))))
    assert hostile.run(spec).output == "127.0.0.1 localhost\n"
