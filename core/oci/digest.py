"""Digests: image-spec descriptor.md, "Digests". Only sha256 is registered with us."""

from __future__ import annotations

import hashlib
import re

from core.errors import InvalidArgument

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Digest(str):
    """`sha256:<64 lower case hex>`; a str whose text has been checked, so that it is safe in a path."""

    __slots__ = ()

    def __new__(cls, text: str) -> Digest:
        if not _DIGEST.fullmatch(text):
            raise InvalidArgument(f"invalid digest {text[:80]!r}")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The digest of `data`."""
        return cls(f"sha256:{hashlib.sha256(data).hexdigest()}")

    @property
    def algorithm(self) -> str:
        return self.partition(":")[0]

    @property
    def hex(self) -> str:
        return self.partition(":")[2]


def chain_ids(diff_ids: list[Digest] | tuple[Digest, ...]) -> tuple[Digest, ...]:
    """The chainID of every layer, bottom first: image-spec config.md, "Layer ChainID"."""
    chain: list[Digest] = []
    for diff_id in diff_ids:
        chain.append(Digest.of(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return tuple(chain)
