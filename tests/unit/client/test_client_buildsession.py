"""A cache's folder: an OCI layout, read and written by digest alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from core.client.buildsession import Folder


def name(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_blobs_come_and_go_by_digest(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "new/cache"))
    folder.write(name(b"whole"), iter([b"who", b"le"]))
    assert folder.blob(name(b"whole")).read_bytes() == b"whole"
    with pytest.raises(ValueError, match="came damaged"):
        folder.write(name(b"other"), iter([b"damaged"]))
    assert [path.name for path in (tmp_path / "new/cache/blobs/sha256").iterdir()] == [name(b"whole")[7:]]


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:../../../etc/passwd", "md5:" + "0" * 32, "sha256:" + "A" * 64]
)
def test_nothing_but_a_digest_names_a_blob(tmp_path: Path, digest: str) -> None:
    with pytest.raises(ValueError, match="invalid digest"):
        Folder(str(tmp_path)).blob(digest)


def test_several_caches_lie_in_one_folder(tmp_path: Path) -> None:
    one, two = Folder(str(tmp_path), "one"), Folder(str(tmp_path), "two")
    first = {"mediaType": "m", "digest": name(b"1"), "size": 1}
    second = {"mediaType": "m", "digest": name(b"2"), "size": 2}
    one.name(first)
    assert two.top() == first  # the only one there is
    two.name(second)
    one.name({**first, "size": 9})
    assert one.top()["size"] == 9 and two.top() == second
    with pytest.raises(ValueError, match="there is no cache three in it"):
        Folder(str(tmp_path), "three").top()
    assert json.loads((tmp_path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_index_that_is_none_is_taken_the_place_of(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("[broken")
    folder = Folder(str(tmp_path))
    with pytest.raises(ValueError, match=r"."):
        folder.top()
    folder.name({"mediaType": "m", "digest": name(b"1"), "size": 1})
    assert folder.top()["digest"] == name(b"1")
