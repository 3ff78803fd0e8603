"""The user's settings: `~/.config/onggi/config.toml`. Without the file everything has its default."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_KNOWN = {"theme", "keymap", "glyphs", "keys", "registries"}


class BadConfig(ValueError):
    """The file cannot be used; the text names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Config:
    """`theme` and `keymap` by name, `glyphs` is auto, unicode or ascii, `keys` maps action ids to own keys.

    `registries` are those that the registry browser lists beside the ones logged in to.
    """

    theme: str = "onggi"
    keymap: str = "lazydocker"
    glyphs: str = "auto"
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    registries: tuple[str, ...] = ()


def folder() -> Path:
    """`$XDG_CONFIG_HOME/onggi`, else `~/.config/onggi`."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "onggi"


def load(path: Path | None = None) -> Config:
    """Read the settings; no file means the defaults. Raises BadConfig."""
    source = path if path is not None else folder() / "config.toml"
    try:
        document = tomllib.loads(source.read_text("utf-8"))
    except FileNotFoundError:
        return Config()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"read {source}: {error}") from error
    return parse(document, str(source))


def parse(document: Mapping[str, Any], source: str) -> Config:
    """Settings from a TOML document; `source` names it in errors. Raises BadConfig."""
    unknown = sorted(set(document) - _KNOWN)
    if unknown:
        raise BadConfig(f"read {source}: unknown setting {unknown[0]}")
    texts: dict[str, str] = {}
    for name in ("theme", "keymap", "glyphs"):
        if name in document:
            if not isinstance(document[name], str):
                raise BadConfig(f"read {source}: {name} must be a text")
            texts[name] = document[name]
    if texts.get("glyphs", "auto") not in ("auto", "unicode", "ascii"):
        raise BadConfig(f"read {source}: glyphs must be auto, unicode or ascii")
    registries = document.get("registries", [])
    if not isinstance(registries, list) or not all(isinstance(one, str) and one for one in registries):
        raise BadConfig(f"read {source}: registries must be a list of names")
    keys = _keys(document.get("keys", {}), source)
    return Config(**texts, keys=keys, registries=tuple(registries))


def _keys(table: Any, source: str) -> dict[str, tuple[str, ...]]:
    if not isinstance(table, dict):
        raise BadConfig(f"read {source}: keys must be a table of action = key")
    found: dict[str, tuple[str, ...]] = {}
    for action, keys in table.items():
        given = [keys] if isinstance(keys, str) else keys
        if not isinstance(given, list) or not all(isinstance(key, str) and key for key in given):
            raise BadConfig(f"read {source}: keys.{action} must be a key or a list of keys")
        found[action] = tuple(given)
    return found
