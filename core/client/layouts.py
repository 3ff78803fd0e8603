"""One image of an OCI image layout on this side, as an archive to be loaded. image-spec image-layout.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

from core.client.contexttar import ContextTar
from core.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

_TAG = "org.opencontainers.image.ref.name"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DOCUMENT = 4 << 20  # bytes
_DEPTH = 4  # indexes inside each other
_BLOBS = 1000


def chosen(where: str) -> IO[bytes]:
    """`FOLDER[:TAG][@DIGEST]` as a tar of what that image needs, without its name. Raises InvalidArgument."""
    path, _, digest = where.partition("@")
    tag = ""
    if not Path(path).is_dir():
        path, _, tag = path.rpartition(":")
    try:
        return _packed(path, _top(path, tag, digest))
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise InvalidArgument(f"cannot read the OCI layout {where}: {error}") from error


def _top(path: str, tag: str, digest: str) -> dict[str, Any]:
    manifests = _document(Path(path, "index.json"))["manifests"]
    if digest:
        found = [one for one in manifests if one["digest"] == digest]
        return found[0] if found else _described(path, digest)
    named = [one for one in manifests if (one.get("annotations") or {}).get(_TAG) == (tag or "latest")]
    if not named and not tag and len(manifests) == 1:
        named = manifests
    if not named:
        raise ValueError(f"there is no image {tag or 'latest'} in it")
    return dict(named[0])


def _described(path: str, digest: str) -> dict[str, Any]:
    found = _document(_blob(path, digest))
    return {"mediaType": found["mediaType"], "digest": digest, "size": _blob(path, digest).stat().st_size}


def _packed(path: str, top: dict[str, Any]) -> IO[bytes]:
    archive = ContextTar()
    try:
        named = {member: top[member] for member in ("mediaType", "digest", "size")}
        archive.put("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        archive.put("index.json", json.dumps({"schemaVersion": 2, "manifests": [named]}).encode())
        for digest in dict.fromkeys(_needed(path, top, _DEPTH)):
            archive.add(str(_blob(path, digest)), f"blobs/sha256/{digest.removeprefix('sha256:')}")
        return archive.end()
    except BaseException:
        archive.close()
        raise


def _needed(path: str, descriptor: dict[str, Any], depth: int) -> Iterator[str]:
    """The digests of a manifest or an index, and of all below that is there."""
    if not depth or not _blob(path, descriptor["digest"]).is_file():
        return
    yield str(descriptor["digest"])
    document = _document(_blob(path, descriptor["digest"]))
    for one in list(document.get("manifests") or ())[:_BLOBS]:
        yield from _needed(path, one, depth - 1)
    for one in [*([document["config"]] if "config" in document else []), *(document.get("layers") or ())][:_BLOBS]:
        if _blob(path, one["digest"]).is_file():
            yield str(one["digest"])


def _blob(path: str, digest: str) -> Path:
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"invalid digest {digest[:80]!r}")
    return Path(path, "blobs/sha256", digest.removeprefix("sha256:"))


def _document(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        found = json.loads(file.read(_DOCUMENT))
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not an object")
    return found
