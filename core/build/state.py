"""Where a stage stands after a step. Pure: each step makes a new state."""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from core.build.scope import Scope
from core.dockerfile.words import Expander
from core.images.instruct import variables
from core.oci.digest import Digest, chain_ids
from core.oci.image import ExecutionConfig, History, Platform

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The image so far. `key` says how it came about: equal keys, equal result."""

    scope: Scope
    key: str
    config: ExecutionConfig = field(default_factory=ExecutionConfig)
    diff_ids: tuple[Digest, ...] = ()
    history: tuple[History, ...] = ()
    platform: Platform = field(default_factory=Platform)
    author: str = ""
    under: int = 0  # how many of the layers came with the stage's FROM
    steps_under: int = 0  # and of the history
    has_command: bool = False  # CMD was given in this stage: an ENTRYPOINT leaves it alone

    @property
    def parent(self) -> Digest | None:
        """The snapshot that the next step stands on."""
        return chain_ids(self.diff_ids)[-1] if self.diff_ids else None

    @property
    def env(self) -> dict[str, str]:
        return variables(self.config.env)

    @property
    def expander(self) -> Expander:
        return self.scope.expander(self.env)

    def next(self, key: str, *, layer: Digest | None, created_by: str, created: str) -> State:
        """The state after a step that made `layer`, or none."""
        step = History(created=created, created_by=created_by, author=self.author, empty_layer=layer is None)
        return self.followed(key, step, layer)

    def followed(self, key: str, step: History, layer: Digest | None) -> State:
        """The state after what history tells as `step`."""
        return replace(
            self, key=key,
            diff_ids=self.diff_ids if layer is None else (*self.diff_ids, layer), history=(*self.history, step),
        )  # fmt: skip


def step_key(parent: str, parts: Any) -> str:
    """The key of a step: of all before it, and of what it does. `parts` is JSON."""
    text = json.dumps([parent, parts], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def created_text(moment: float) -> str:
    """A moment as an image's config says it."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def with_path(config: ExecutionConfig) -> ExecutionConfig:
    """Every stage has a PATH, as in moby's builder (dispatchState.setDefaultPath)."""
    if "PATH" in variables(config.env):
        return config
    return msgspec.structs.replace(config, env=(*config.env, DEFAULT_PATH))
