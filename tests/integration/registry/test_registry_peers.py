"""What other tools have pushed, and what they make of what we push: skopeo, and a real dockerd."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import docker_archive, make_tar

from tests.support.dockerd import available as dockerd_available
from tests.support.dockerd import private_dockerd
from tests.support.registry import Registry, available, running_registry
from tests.support.remote_end import RemoteEnd

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="no docker-registry")]

FORMS = {
    "schema2": ("gzip", "--format", "v2s2"),
    "oci": ("tar+gzip", "--format", "oci", "--dest-compress-format", "gzip"),
    "zstd": ("tar+zstd", "--format", "oci", "--dest-compress-format", "zstd", "--dest-compress-level", "3"),
}


def layers(mark: str) -> list[bytes]:
    """Two layers that no other test has: what a registry has already is not compressed anew."""
    return [make_tar({"base": mark.encode() * 20_000}), make_tar({"top": b"x" * 100_000, f"sub/{mark}": b"f"})]


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with running_registry() as running:
        yield running


def skopeo(*words: str) -> str:
    return subprocess.run(["skopeo", *words], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.skopeo
@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
@pytest.mark.parametrize("form", FORMS)
async def test_what_skopeo_pushed_comes_in_as_the_same_image(form: str, tmp_path: Path, registry: Registry) -> None:
    name, (compressed, *asked) = f"{registry.address}/peers/{form}:1", FORMS[form]
    archive = tmp_path / "image.tar"
    archive.write_bytes(docker_archive(layers(form), ["peers:1"]))
    skopeo("copy", *asked, "--dest-tls-verify=false", f"docker-archive:{archive}", f"docker://{name}")
    served = json.loads(skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{name}"))
    kinds = {layer["mediaType"].rpartition(".")[2] for layer in served["layers"]}
    assert kinds == {compressed}

    end = RemoteEnd(tmp_path / "end")
    (pulled,) = await end.pull(name)
    diff_ids = [layer.hex for layer in pulled.image.config.rootfs.diff_ids]
    assert len(diff_ids) == 2
    other = RemoteEnd(tmp_path / "other")
    await other.store.load(docker_archive(layers(form), ["peers:1"]))
    assert [layer.hex for layer in other.store.room.store.find("peers:1").config.rootfs.diff_ids] == diff_ids

    (pushed,) = await end.push(name)
    assert pushed.digest == pulled.digest
    assert end.statuses().count("Layer already exists") == 2


@pytest.mark.skopeo
@pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed")
async def test_skopeo_reads_what_we_pushed(tmp_path: Path, registry: Registry) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/ours/read:1"
    await end.store.load(docker_archive(layers("ours"), [name]))
    image = end.store.room.store.find(name)
    await end.push(name)
    copied = tmp_path / "copied.tar"
    skopeo("copy", "--src-tls-verify=false", f"docker://{name}", f"docker-archive:{copied}:{name}")
    back = RemoteEnd(tmp_path / "back")
    await back.store.load(copied.read_bytes())
    assert back.store.room.store.find(name).config.rootfs == image.config.rootfs


@pytest.mark.docker
@pytest.mark.skipif(not dockerd_available(), reason="dockerd is not installed")
async def test_dockerd_pulls_what_we_pushed_and_we_what_it_pushed(tmp_path: Path, registry: Registry) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/ours/daemon:1"
    await end.store.load(docker_archive(layers("daemon"), [name]))
    image = end.store.room.store.find(name)
    (pushed,) = await end.push(name)
    with private_dockerd() as dockerd:
        assert pushed.digest in dockerd.run("pull", name)
        assert dockerd.run("inspect", "-f", "{{.Id}}", name).strip() == image.id
        theirs = f"{registry.address}/theirs/daemon:1"
        dockerd.run("tag", name, theirs)
        said = dockerd.run("push", theirs)
    other = RemoteEnd(tmp_path / "other")
    (pulled,) = await other.pull(theirs)
    assert pulled.digest in said
    assert pulled.image.id == image.id
