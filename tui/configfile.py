"""Writes the keys into the user's settings, and leaves the rest of the file as it was, remarks too."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from tui import config
from tui.config import BadConfig, Config

_TABLE: Final = re.compile(r"^[ \t]*\[")
_KEYS: Final = re.compile(r"^[ \t]*\[[ \t]*keys[ \t]*\][ \t]*(#.*)?$")
_KEYMAP: Final = re.compile(r"^[ \t]*keymap[ \t]*=")


def save_keys(path: Path, keymap: str, keys: Mapping[str, tuple[str, ...]]) -> str:
    """Write keymap and own keys into the file at `path`; a remark about what became of it, "" for none.

    Beside the file, then renamed over it, so that there is never half of one. What a link points to is written. A
    file that cannot be used is kept beside as `config.toml~`. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    try:
        text = config.read(target) or ""
        known = config.parse(config.document_of(text, str(target)), str(target))
        new, remark = rewritten(text, replace(known, keymap=keymap, keys=dict(keys))), ""
    except BadConfig:
        new, remark = whole(Config(keymap=keymap, keys=dict(keys))), _put_aside(target)
    _write(target, new)
    return remark


def rewritten(text: str, wanted: Config) -> str:
    """The file's text with these keys in it: only their lines change, where that can be told from the rest."""
    lines = text.splitlines()
    outside, inside = [], False
    for line in lines:
        if _TABLE.match(line):
            inside = bool(_KEYS.match(line))
        if not inside:
            outside.append(line)
    top = next((n for n, line in enumerate(outside) if _TABLE.match(line)), len(outside))
    named = [line for line in outside[:top] if not _KEYMAP.match(line)]
    if wanted.keymap != Config().keymap or len(named) != top:
        at = next((n for n, line in enumerate(outside[:top]) if _KEYMAP.match(line)), 0)
        named.insert(at, f"keymap = {_quoted(wanted.keymap)}")
    rest = [*named, *outside[top:]]
    while rest and not rest[-1].strip():
        rest.pop()
    made = "\n".join([*rest, *([""] if rest and wanted.keys else []), *_table(wanted)]) + "\n"
    try:
        if config.parse(config.document_of(made, ""), "") == wanted:
            return made
    except BadConfig:
        pass  # the keys stand there in a way of their own: dotted, or inside a text of several lines
    return whole(wanted)


def whole(wanted: Config) -> str:
    """A file that says all of it."""
    lines = [
        f"{name} = {_quoted(value)}"
        for name in ("theme", "keymap", "glyphs")
        if (value := getattr(wanted, name)) != getattr(Config(), name)
    ]
    if wanted.registries:
        lines.append(f"registries = [{', '.join(map(_quoted, wanted.registries))}]")
    return "\n".join([*lines, *([""] if lines and wanted.keys else []), *_table(wanted)]) + "\n"


def _table(wanted: Config) -> list[str]:
    if not wanted.keys:
        return []
    lines = ["[keys]"]
    for action, keys in sorted(wanted.keys.items()):
        value = _quoted(keys[0]) if len(keys) == 1 else f"[{', '.join(map(_quoted, keys))}]"
        name = action if re.fullmatch(r"[A-Za-z0-9_-]+", action) else _quoted(action)
        lines.append(f"{name} = {value}")
    return lines


def _quoted(text: str) -> str:
    """A basic string of TOML; JSON's is one but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _put_aside(target: Path) -> str:
    if not target.is_file():
        return ""
    target.replace(target.with_name(f"{target.name}~"))
    return f"the file that could not be read is {target.name}~ now"


def _write(target: Path, text: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o644
    with suppress(OSError):
        mode = target.stat().st_mode & 0o777
    number, beside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(number, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fchmod(number, mode)
            os.fsync(number)
        Path(beside).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(beside).unlink()
        raise
