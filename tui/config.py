"""The user's settings: `~/.config/onggi/config.toml`. Without the file everything has its default."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_MOST: Final = 1 << 18  # bytes; a file of settings is never so long
_KNOWN = {"theme", "keymap", "glyphs", "keys", "registries"}


class BadConfig(ValueError):
    """The file cannot be used; the text names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Config:
    """`theme` and `keymap` by name, `glyphs` is auto, unicode or ascii, `keys` maps action ids to own keys.

    No theme = `onggi`, or the terminal's own colours where it has but sixteen.

    `registries` are those that the registry browser lists beside the ones logged in to.
    """

    theme: str = ""
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
    source = path if path is not None else place()
    text = read(source)
    return Config() if text is None else parse(document_of(text, str(source)), str(source))


def place() -> Path:
    """The file of settings."""
    return folder() / "config.toml"


def read(path: Path) -> str | None:
    """What the file says; None where there is none. Raises BadConfig.

    It is opened without waiting: a pipe in its place never gets a writer.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadConfig(f"read {path}: {_reason(error)}") from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise BadConfig(f"read {path}: it is not a file")
    with open(number, "rb") as file:
        try:
            data = file.read(_MOST + 1)
        except OSError as error:
            raise BadConfig(f"read {path}: {_reason(error)}") from error
    if len(data) > _MOST:
        raise BadConfig(f"read {path}: it is longer than {_MOST >> 10} KiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadConfig(f"read {path}: byte {error.start + 1} is not UTF-8") from error


def document_of(text: str, source: str) -> dict[str, Any]:
    """The TOML document of a text; `source` names it in errors. Raises BadConfig."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = " ".join(str(error).split())
        raise BadConfig(f"read {source}: {reason[:1].lower()}{reason[1:]}") from error
    except RecursionError as error:
        raise BadConfig(f"read {source}: it is nested too deeply") from error


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()


def parse(document: Mapping[str, Any], source: str) -> Config:
    """Settings from a TOML document; `source` names it in errors. Raises BadConfig."""
    unknown = sorted(set(document) - _KNOWN)
    if unknown:
        raise BadConfig(f"read {source}: unknown setting {unknown[0]!r:.60}")
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
            raise BadConfig(f"read {source}: keys.{ascii(action)[1:-1]:.60} must be a key or a list of keys")
        found[action] = tuple(given)
    return found
