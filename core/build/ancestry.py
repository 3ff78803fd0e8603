"""The history of an image that a build's client has named, as a cache: `--cache-from` of Docker's classic builder.

moby image/cache/cache.go: an image has been where a build is when it begins with the same history and the same
layers; if the next line of its history says what the next step is, its next layer is what that step makes. That is
believed and not proved, so only of images that are named (CVE-2024-24557). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from core.build.cache import Entry
from core.build.state import State
from core.images.history import seconds
from core.oci.digest import Digest
from core.oci.image import History, ImageConfig

_ZEROS = re.compile(r"(\.\d*?)0+(?=\D|$)")


@dataclass(frozen=True, slots=True)
class Past:
    """The next step of an image: what its history says of it, and the layers up to it."""

    line: History
    diff_ids: tuple[Digest, ...]

    def entry(self, key: str, text: str) -> Entry:
        """As a step with the key `key`."""
        moment = max(seconds(self.line.created), 0.0)
        return Entry(key, self.diff_ids, not self.line.empty_layer, text, 0, moment, moment, 0)


@dataclass(frozen=True, slots=True)
class Ancestry:
    """How an image came about, by its own account."""

    history: tuple[History, ...]
    diff_ids: tuple[Digest, ...]
    machine: tuple[str, str]  # os, architecture
    _plain: tuple[History, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_plain", _comparable(self.history))

    def after(self, state: State) -> Past | None:
        """The step that follows `state` in it; None where it has never been there."""
        steps, layers = len(state.history), len(state.diff_ids)
        if steps >= len(self.history) or self.diff_ids[:layers] != state.diff_ids:
            return None
        if self.machine != (state.platform.os, state.platform.architecture):
            return None
        if self._plain[:steps] != _comparable(state.history):
            return None
        line = self.history[steps]
        return Past(line, self.diff_ids[: layers if line.empty_layer else layers + 1])


def ancestry_of(config: ImageConfig) -> Ancestry | None:
    """None where an image does not say which step has made which layer."""
    made = sum(not line.empty_layer for line in config.history)
    if not config.history or made != len(config.rootfs.diff_ids):
        return None
    return Ancestry(config.history, config.rootfs.diff_ids, (config.os, config.architecture))


def _comparable(lines: Sequence[History]) -> tuple[History, ...]:
    """Go writes moments without zeros at their end, others with them."""
    return tuple(
        msgspec.structs.replace(line, created=_ZEROS.sub(r"\1", line.created).replace(".Z", "Z")) for line in lines
    )
