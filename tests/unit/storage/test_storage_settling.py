"""A blob is there in every moment in which it is put in its place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from core.oci.digest import Digest
from core.paths import Paths
from core.storage.content import ContentStore
from core.storage.recipes import Recipes

NOTHING = Digest.of(b"")


class _SettledOnTheWay(dict[Digest, Path]):
    """What waits. Just after somebody was told where, a thread puts it in its place, and has not yet noted so."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def get(self, key: Digest, default: Any = None) -> Any:
        found = super().get(key, default)
        if found is not None and found.exists():
            found.rename(self._folder / key.hex)
        return found


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    made = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    made._beside = _SettledOnTheWay(made.folder)
    return made


def test_a_blob_that_is_settled_this_moment_is_there(store: ContentStore) -> None:
    digest, _ = store.put(b"text", settled=False)
    assert store.has(digest)


def test_and_has_its_size(store: ContentStore) -> None:
    digest, _ = store.put(b"text", settled=False)
    assert store.size(digest) == 4


def test_and_can_be_read(store: ContentStore) -> None:
    digest, _ = store.put(b"text", settled=False)
    assert store.read(digest) == b"text"


@pytest.fixture
def recipes(store: ContentStore, tmp_path: Path) -> Recipes:
    """They hold one, of NOTHING."""
    made = store.recipes
    made._beside, made.locate = _SettledOnTheWay(made._folder), lambda _: tmp_path
    path, fd = made.begin()
    os.close(fd)
    made.adopt(NOTHING, path)
    return made


def test_a_recipe_that_is_settled_this_moment_is_there(recipes: Recipes) -> None:
    assert recipes.has(NOTHING)


def test_and_can_be_opened(recipes: Recipes) -> None:
    parts = recipes.open(NOTHING)
    assert parts is not None
    for part in parts:
        os.close(part)


def test_what_is_lost_before_it_is_settled_is_told(tmp_path: Path) -> None:
    store = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    digest, _ = store.put(b"text", settled=False)
    store.path(digest).unlink()
    with pytest.raises(FileNotFoundError):
        store.settle(store.unsettled())


def test_what_nobody_wants_any_more_is_not_settled(tmp_path: Path) -> None:
    store = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    digest, _ = store.put(b"text", settled=False)
    waiting = store.unsettled()
    store.delete(digest)
    store.settle(waiting)
    assert not store.has(digest)
