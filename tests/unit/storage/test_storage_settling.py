"""A blob is there in every moment in which it is put in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.oci.digest import Digest
from core.paths import Paths
from core.storage.content import ContentStore


class _SettledOnTheWay(dict[Digest, Path]):
    """What waits, and is put in its place just after somebody was told where it is."""

    store: ContentStore

    def get(self, key: Digest, default: Any = None) -> Any:
        found = super().get(key, default)
        if found is not None:
            found.rename(self.store.folder / key.hex)
            del self[key]
        return found


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    made = ContentStore(Paths(tmp_path / "root", tmp_path / "run"))
    made._beside = _SettledOnTheWay()
    made._beside.store = made
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
