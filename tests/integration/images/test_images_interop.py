"""What other tools write and read, and what this machine gives by itself."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from store_kit import Store, config_of, docker_archive, ignore, make_tar, sha256

from core.model.image import Image

pytestmark = pytest.mark.root

ONE = make_tar({"etc/one": b"1", "gone": b"x"})
TWO = make_tar({"etc/two": b"22", ".wh.gone": b""})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path)


def run(command: list[str | Path]) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


async def test_the_starter_needs_nothing_but_this_machine(store: Store) -> None:
    image = await store.images.starter(ignore)
    assert image.references == ("docker.io/onggi/starter:latest",)
    assert image.config.config.cmd == ("sh",)
    assert (await store.images.starter(ignore)).id == image.id
    assert image.snapshot is not None
    script = "export PATH=/bin:/usr/bin; cat /etc/passwd && ls -d /tmp"
    output = run(["chroot", store.snapshots.upper(image.snapshot), "/bin/sh", "-c", script])
    assert output.endswith(b"/tmp\n")


SKOPEO = pytest.mark.skopeo


@SKOPEO
@pytest.mark.parametrize("transport", ["docker-archive:{}:t:1", "oci-archive:{}:1"])
async def test_skopeo_reads_what_we_save(store: Store, tmp_path: Path, transport: str) -> None:
    await store.load(docker_archive([ONE, TWO], ["t:1"], packed=True))
    (tmp_path / "saved.tar").write_bytes(await store.save("t:1"))
    source = transport.format(tmp_path / "saved.tar")
    shown = run(["skopeo", "inspect", "--config", "--raw", source])
    assert shown == config_of([ONE, TWO])
    copied = f"dir:{tmp_path / 'copied'}"
    run(["skopeo", "copy", "--insecure-policy", "-q", source, copied])
    assert {sha256(path.read_bytes()) for path in (tmp_path / "copied").iterdir()} >= {sha256(ONE), sha256(TWO)}


@SKOPEO
@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
async def test_we_load_what_skopeo_writes(store: Store, tmp_path: Path, transport: str) -> None:
    (tmp_path / "source.tar").write_bytes(docker_archive([ONE, TWO], ["t:1"]))
    target = f"{transport}:{tmp_path / 'made.tar'}:made:9"
    source = f"docker-archive:{tmp_path / 'source.tar'}"
    run(["skopeo", "copy", "--insecure-policy", "-q", source, target])
    assert await store.load((tmp_path / "made.tar").read_bytes()) == ("Loaded image: made:9",)
    image = await store.images.resolve("made:9")
    assert image.config.rootfs.diff_ids == (f"sha256:{sha256(ONE)}", f"sha256:{sha256(TWO)}")


@SKOPEO
@pytest.mark.parametrize("kind", ["zstd", "gzip"])
async def test_the_layers_of_other_tools_may_be_compressed(store: Store, tmp_path: Path, kind: str) -> None:
    (tmp_path / "source.tar").write_bytes(docker_archive([ONE, TWO], ["t:1"]))
    target = f"oci-archive:{tmp_path / 'made.tar'}:made:9"
    command = ["skopeo", "copy", "--insecure-policy", "-q", "--dest-compress-format", kind, "--dest-compress"]
    run([*command, f"docker-archive:{tmp_path / 'source.tar'}", target])
    assert await store.load((tmp_path / "made.tar").read_bytes()) == ("Loaded image: made:9",)
    image = await store.images.resolve("made:9")
    assert image.config.rootfs.diff_ids == (f"sha256:{sha256(ONE)}", f"sha256:{sha256(TWO)}")
    assert await store.save("made:9") == await again(tmp_path, store)


async def again(tmp_path: Path, store: Store) -> bytes:
    """The archive that a second store, which loaded the image from plain layers, writes."""
    second = Store.open(tmp_path / "second")
    await second.load(docker_archive([ONE, TWO], ["made:9"], config=store.content.read((await made(store)).id)))
    return await second.save("made:9")


async def made(store: Store) -> Image:
    return await store.images.resolve("made:9")


def podman(folder: Path) -> list[str | Path]:
    places: list[str | Path] = ["--root", folder / "root", "--runroot", folder / "run", "--tmpdir", folder / "tmp"]
    return [
        "podman",
        *places,
        "--storage-driver",
        "vfs",
        "--cgroup-manager",
        "cgroupfs",
        "--events-backend",
        "none",
    ]


@pytest.mark.skipif(shutil.which("podman") is None, reason="needs podman")
@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
async def test_podman_and_we_exchange_archives(store: Store, tmp_path: Path, form: str) -> None:
    await store.load(docker_archive([ONE, TWO], ["docker.io/library/t:1"], packed=True))
    image = await store.images.resolve("t:1")
    (tmp_path / "ours.tar").write_bytes(await store.save("t:1"))
    folder = Path(tempfile.mkdtemp(prefix="onggi-"))  # short: podman wants less than 50 characters
    command = podman(folder)
    try:
        run([*command, "load", "-q", "-i", tmp_path / "ours.tar"])
        assert (
            run([*command, "inspect", "--format", "{{.Id}}", "docker.io/library/t:1"]).strip().decode()
            == image.id.hex
        )
        run([*command, "save", "-q", "--format", form, "-o", tmp_path / "theirs.tar", "docker.io/library/t:1"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    second = Store.open(tmp_path / "second")
    await second.load((tmp_path / "theirs.tar").read_bytes())
    assert (await second.images.resolve("t:1")).id == image.id
    assert await second.save("t:1") == (tmp_path / "ours.tar").read_bytes()


@pytest.mark.skipif(shutil.which("umoci") is None, reason="needs umoci")
async def test_we_load_what_umoci_writes(store: Store, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    (tmp_path / "file").write_text("hello")
    for arguments in (
        ["init", "--layout", layout],
        ["new", "--image", f"{layout}:me/x:1"],
        ["insert", "--image", f"{layout}:me/x:1", tmp_path / "file", "/opt/file"],
        ["insert", "--image", f"{layout}:me/x:1", "--whiteout", "/opt/other"],
        ["config", "--image", f"{layout}:me/x:1", "--config.cmd", "sh"],
    ):
        run(["umoci", *arguments])
    with tarfile.open(tmp_path / "made.tar", "w") as tar:
        tar.add(layout, ".")
    (line,) = await store.load((tmp_path / "made.tar").read_bytes())
    image = (await store.images.list())[0]
    assert line.startswith("Loaded image")
    assert image.config.config.cmd == ("sh",)
    lower = store.snapshots.rootfs(image.snapshot or "")["lower"]
    assert (Path(lower[-1]) / "opt/file").read_text() == "hello"
