"""Push, remove, pull against a real registry: what comes back is what went, and nothing goes twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from store_kit import docker_archive, make_tar

from core.errors import EngineError, NoSuchImage, NotFound, Unauthorized
from core.images.store import NewImage
from core.model.registry import Credentials
from tests.support.registry import PASSWORD, USER, Registry, available, running_registry
from tests.support.remote_end import RemoteEnd

pytestmark = [pytest.mark.root, pytest.mark.skipif(not available(), reason="no docker-registry")]

BASE = make_tar({"base": b"0123456789" * 20_000})
TOP = make_tar({"top": b"x" * 100_000})


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with running_registry() as running:
        yield running


async def test_comes_back_with_the_same_digest(tmp_path: Path, registry: Registry) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/me/one:1"
    await end.store.load(docker_archive([BASE, TOP], [name]))
    image = end.store.room.store.find(name)
    (pushed,) = await end.push(name)
    assert end.statuses().count("Pushed") == 2
    assert end.said[-1].status == f"1: digest: {pushed.digest} size: {pushed.size}"

    await end.push(name)
    assert end.statuses().count("Layer already exists") == 2
    assert "Pushed" not in end.statuses()

    await end.remove(name)
    assert not end.images()
    (pulled,) = await end.pull(name)
    assert pulled.digest == pushed.digest
    assert pulled.new
    assert pulled.image.id == image.id
    assert end.store.room.store.find(name).repo_digests == (f"{registry.address}/me/one@{pushed.digest}",)
    assert end.statuses()[0] == "Pulling from me/one"
    assert end.statuses()[-1] == f"Status: Downloaded newer image for {name}"
    assert end.statuses().count("Pull complete") == 2

    (again,) = await end.pull(name)
    assert not again.new
    assert end.statuses()[-1] == f"Status: Image is up to date for {name}"
    (pushed_again,) = await end.push(name)
    assert pushed_again.digest == pushed.digest


async def test_by_digest_and_with_all_tags(tmp_path: Path, registry: Registry) -> None:
    end, name = RemoteEnd(tmp_path / "one"), f"{registry.address}/me/many"
    await end.store.load(docker_archive([BASE], [f"{name}:a", f"{name}:b"]))
    first, second = await end.push(name, all_tags=True)
    assert first.digest == second.digest
    assert end.statuses().count("Preparing") == 2
    assert end.statuses().count("Layer already exists") == 1

    other = RemoteEnd(tmp_path / "other")
    (by_digest,) = await other.pull(f"{name}@{first.digest}")
    assert by_digest.image.references == ()
    assert other.said[0].id == f"{name}@{first.digest}"
    assert other.store.room.store.find(f"{name}@{first.digest}").id == by_digest.image.id
    await other.pull(name, all_tags=True)
    assert other.images() == [f"{name}:a", f"{name}:b"]
    assert other.statuses()[-1] == f"Status: Downloaded newer image for {name}"
    assert "Already exists" not in other.statuses()  # it is only another name for what is here


async def test_another_repository_of_the_same_registry_lends_its_layers(tmp_path: Path, registry: Registry) -> None:
    end, first, second = RemoteEnd(tmp_path), f"{registry.address}/lend/a:1", f"{registry.address}/lend/b:1"
    await end.store.load(docker_archive([make_tar({"lent": b"1" * 5000})], [first, second]))
    await end.push(first)
    await end.push(second)
    assert "Mounted from lend/a" in end.statuses()
    assert "Pushing" not in end.statuses()


async def test_a_repository_that_only_may_have_a_layer_is_asked_last(tmp_path: Path, registry: Registry) -> None:
    end, first, second = RemoteEnd(tmp_path), f"{registry.address}/lend/c:1", f"{registry.address}/lend/d:1"
    await end.store.load(docker_archive([make_tar({"lent": b"2" * 5000})], [first, second]))
    await end.push(first)
    store = end.store.room.store
    image, otherwise = store.find(first), f"{registry.address}/aaa/packed-otherwise@sha256:{'0' * 64}"
    store.register([NewImage(image.id, image.manifest, image.config, image.size, (), (otherwise,))])
    await end.push(second)
    assert "Mounted from lend/c" in end.statuses()


async def test_what_is_not_there_is_told_in_dockers_words(tmp_path: Path, registry: Registry) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/not/there:9"
    with pytest.raises(NoSuchImage) as told:
        await end.pull(name)
    assert str(told.value) == f"manifest for {name} not found: manifest unknown: manifest unknown"
    with pytest.raises(NoSuchImage) as told:
        await end.push(name)
    assert str(told.value) == f"An image does not exist locally with the tag: {registry.address}/not/there"
    await end.store.load(docker_archive([BASE], [f"{registry.address}/not/there:8"]))
    with pytest.raises(NoSuchImage) as told:
        await end.push(name)
    assert str(told.value) == f"tag does not exist: {name}"
    with pytest.raises(EngineError) as refused:
        await end.pull("127.0.0.1:1/x:1")
    assert 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused' in str(refused.value)
    with pytest.raises(EngineError) as unknown:
        await end.pull("nowhere.invalid/x:1")
    assert "dial tcp: lookup nowhere.invalid" in str(unknown.value)


async def test_looks_around(tmp_path: Path, registry: Registry) -> None:
    end, name = RemoteEnd(tmp_path), f"{registry.address}/look/around:7"
    await end.store.load(docker_archive([TOP], [name]))
    (pushed,) = await end.push(name)
    assert "look/around" in await end.remote.catalog(registry.address, None)
    assert await end.remote.tags(f"{registry.address}/look/around", None) == ["7"]
    descriptor, data = await end.remote.manifest(name, None)
    assert descriptor.digest == pushed.digest
    assert len(data) == pushed.size
    assert [str(one) for one in await end.remote.platforms(name, None)] == ["linux/amd64"]
    hits = await end.remote.search(f"{registry.address}/look", limit=25, filters={}, credentials=None)
    assert [hit.name for hit in hits] == [f"{registry.address}/look/around"]
    with pytest.raises(NotFound):
        await end.remote.tags(f"{registry.address}/look/nowhere", None)


async def test_passwords_over_tls(tmp_path: Path) -> None:
    with running_registry(htpasswd=True, tls=True) as closed:
        name = f"{closed.address}/secret/one:1"
        folder = tmp_path / "certs" / closed.address
        folder.mkdir(parents=True)
        assert closed.ca is not None
        (folder / "ca.crt").write_bytes(closed.ca.read_bytes())
        end = RemoteEnd(tmp_path, certificates=[tmp_path / "certs"])
        await end.store.load(docker_archive([TOP], [name]))
        alice = Credentials(username=USER, password=PASSWORD, server_address=closed.address)
        assert await end.remote.login(closed.address, alice) is None
        with pytest.raises(Unauthorized) as told:
            await end.remote.login(closed.address, Credentials(username=USER, password="wrong"))
        assert str(told.value) == (
            f"login attempt to https://{closed.address}/v2/ failed with status: 401 Unauthorized"
        )
        with pytest.raises(Unauthorized) as told:
            await end.pull(name)
        assert (
            str(told.value)
            == f'Head "https://{closed.address}/v2/secret/one/manifests/1": no basic auth credentials'
        )
        for nobody in (None, Credentials(USER, PASSWORD, server_address="other.example")):
            with pytest.raises(Unauthorized, match="no basic auth credentials"):
                await end.push(name, credentials=nobody)
        await end.push(name, credentials=alice)
        await end.remove(name)
        await end.pull(name, credentials=alice)
        assert end.images() == [name]
        assert PASSWORD not in closed.log()


async def test_a_certificate_that_nobody_vouches_for_is_no_reason_to_speak_plain(tmp_path: Path) -> None:
    with running_registry(tls=True) as closed:
        name = f"{closed.address}/x:1"
        folder = tmp_path / "certs" / closed.address
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(_another_authority(tmp_path))
        end = RemoteEnd(tmp_path, certificates=[tmp_path / "certs"])
        with pytest.raises(EngineError) as told:
            await end.pull(name)
        assert (
            str(told.value) == f'Get "https://{closed.address}/v2/": x509: certificate signed by unknown authority'
        )


def _another_authority(folder: Path) -> bytes:
    from tests.support.registry import make_certificate

    return make_certificate(folder)[0].read_bytes()
