"""Out of a root file system, stopped and running, and into volumes."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from store_kit import ForkingZygote, Store, make_tar, run_forked, special

from core.errors import NoSuchPath, NoSuchVolume
from core.storage.volumes import Volumes

pytestmark = pytest.mark.root

BASE = {
    "etc/": special("etc", tarfile.DIRTYPE, mode=0o755, mtime=10),
    "etc/conf": b"base",
    "etc/hard": special("etc/hard", tarfile.LNKTYPE, linkname="etc/conf"),
    "data/": special("data", tarfile.DIRTYPE, mode=0o2770, uid=33, gid=44),
    "data/a": b"1",
    "data/sub/b": b"22",
    "data/link": special("data/link", tarfile.SYMTYPE, linkname="/etc/passwd"),
    "data/.wh.odd": b"",
    "gone": b"x",
    "out": special("out", tarfile.SYMTYPE, linkname="/"),
    "esc": special("esc", tarfile.SYMTYPE, linkname="../../../../tmp"),
}


def copied(job: str, args: dict[str, Any], tmp_path: Path) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    with open(tmp_path / "out.tar", "w+b") as output:
        answer = run_forked(job, args, [output.fileno()])
        assert answer["size"] == os.fstat(output.fileno()).st_size
        output.seek(0)
        with tarfile.open(fileobj=io.BytesIO(output.read())) as tar:
            return {item.name: (item, _body(tar, item)) for item in tar}


def _body(tar: tarfile.TarFile, item: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(item) if item.isreg() else None
    return file.read() if file else b""


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    opened = Store.open(tmp_path)
    image = await opened.import_(make_tar(BASE))
    await opened.images.prepare("c", image)
    upper = opened.snapshots.upper("c")
    (upper / "new").write_text("written")
    os.mknod(upper / "gone", 0o20000, os.makedev(0, 0))
    return opened


async def test_an_export_is_the_whole_root_as_it_is_seen(store: Store, tmp_path: Path) -> None:
    rootfs = store.snapshots.rootfs("c")
    found = copied("copy-out", {"rootfs": rootfs, "path": "/", "flat": True}, tmp_path)
    assert found["etc/conf"][1] == b"base"
    assert found["new"][1] == b"written"
    assert "gone" not in found
    assert (found["etc/hard"][0].type, found["etc/hard"][0].linkname) == (tarfile.LNKTYPE, "etc/conf")
    assert found["out"][0].linkname == "/"
    assert (found["data"][0].mode, found["data"][0].uid, found["etc"][0].mtime) == (0o2770, 33, 10)
    for name in (".dockerenv", "dev/console", "etc/hosts", "etc/hostname", "etc/resolv.conf"):
        assert (found[name][0].isreg(), found[name][1]) == (True, b"")


async def test_an_export_is_the_same_bytes_every_time_and_touches_nothing(store: Store, tmp_path: Path) -> None:
    rootfs = store.snapshots.rootfs("c")
    before = sorted(path.name for path in store.snapshots.upper("c").rglob("*"))
    args = {"rootfs": rootfs, "path": "/", "flat": True}
    copied("copy-out", args, tmp_path)
    first = (tmp_path / "out.tar").read_bytes()
    copied("copy-out", args, tmp_path)
    assert (tmp_path / "out.tar").read_bytes() == first
    assert sorted(path.name for path in store.snapshots.upper("c").rglob("*")) == before
    assert "snapshots" not in Path("/proc/self/mounts").read_text()


async def test_a_path_comes_out_under_its_last_name(store: Store, tmp_path: Path) -> None:
    rootfs = store.snapshots.rootfs("c")
    found = copied("copy-out", {"rootfs": rootfs, "path": "/data/../data/"}, tmp_path)
    assert sorted(found) == ["data", "data/a", "data/link", "data/sub", "data/sub/b"]
    found = copied("copy-out", {"rootfs": rootfs, "path": "/out/etc/conf"}, tmp_path)
    assert {name: body for name, (_, body) in found.items()} == {"conf": b"base"}
    with pytest.raises(NoSuchPath, match="/nope"):
        copied("copy-out", {"rootfs": rootfs, "path": "/nope"}, tmp_path)


async def test_links_do_not_lead_to_the_host(store: Store, tmp_path: Path) -> None:
    (tmp_path / "host").write_text("secret")
    rootfs = store.snapshots.rootfs("c")
    with pytest.raises(NoSuchPath):
        copied("copy-out", {"rootfs": rootfs, "path": f"/out{tmp_path}/host"}, tmp_path)


@contextmanager
def running(rootfs: dict[str, Any], tmp_path: Path) -> Iterator[int]:
    """A process whose root is an overlay with something mounted in it."""
    root = tmp_path / "merged"
    root.mkdir()
    options = f"lowerdir={':'.join(rootfs['lower'])},upperdir={rootfs['upper']},workdir={rootfs['work']}"
    script = (
        f"mount -t overlay overlay -o {options} {root} && mount -t tmpfs none {root}/data && "
        f"echo hidden > {root}/data/mounted && cd {root} && mkdir -p old && pivot_root . old && "
        "umount -l /old && echo ready && exec sleep 60"
    )
    busybox = root / "bin/busybox"
    (Path(rootfs["upper"]) / "bin").mkdir()
    (Path(rootfs["upper"]) / "bin/busybox").write_bytes(Path("/bin/busybox").read_bytes())
    (Path(rootfs["upper"]) / "bin/busybox").chmod(0o755)
    for name in ("sleep", "umount", "sh"):
        (Path(rootfs["upper"]) / "bin" / name).symlink_to("busybox")
    assert not busybox.exists()
    environment = {"PATH": "/bin:/usr/bin:/sbin:/usr/sbin"}
    process = subprocess.Popen(
        ["unshare", "-m", "--propagation", "private", "/bin/busybox", "sh", "-c", script],
        stdout=subprocess.PIPE,
        env=environment,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="needs busybox")
async def test_a_running_root_is_read_without_its_mounts_for_an_export(store: Store, tmp_path: Path) -> None:
    with running(store.snapshots.rootfs("c"), tmp_path) as pid:
        found = copied("copy-out", {"rootfs": {"pid": pid}, "path": "/", "flat": True}, tmp_path)
        assert found["new"][1] == b"written"
        assert found["data/a"][1] == b"1"
        assert "data/mounted" not in found
        found = copied("copy-out", {"rootfs": {"pid": pid}, "path": "/data"}, tmp_path)
        assert sorted(found) == ["data", "data/mounted"]


async def test_a_new_volume_takes_over_what_the_image_has(store: Store) -> None:
    volumes = Volumes(store.db, store.paths, ForkingZygote())
    volume = await volumes.create("vol", {"a": "b"})
    await volumes.prefill(volume, store.snapshots.rootfs("c"), "/data")
    data = Path(volume.mountpoint)
    assert sorted(str(path.relative_to(data)) for path in data.rglob("*")) == ["a", "link", "sub", "sub/b"]
    assert (data.stat().st_mode & 0o7777, data.stat().st_uid, data.stat().st_gid) == (0o2770, 33, 44)
    assert str((data / "link").readlink()) == "/etc/passwd"
    (data / "a").write_text("changed")
    (data / "sub/b").unlink()
    await volumes.prefill(volume, store.snapshots.rootfs("c"), "/data")
    assert (data / "a").read_text() == "changed"
    assert not (data / "sub/b").exists()


@pytest.mark.parametrize("path", ["/missing", "/etc/conf", "/esc", "/../../../tmp"])
async def test_a_path_that_is_no_folder_of_the_image_fills_nothing(store: Store, path: str) -> None:
    volumes = Volumes(store.db, store.paths, ForkingZygote())
    volume = await volumes.create(None, {})
    await volumes.prefill(volume, store.snapshots.rootfs("c"), path)
    assert list(Path(volume.mountpoint).iterdir()) == []
    assert len(volume.name) == 64
    assert volume.anonymous
    await volumes.remove(volume.name)
    with pytest.raises(NoSuchVolume):
        await volumes.get(volume.name)
