"""Writes keys and theme into the user's settings, and leaves the rest of the file as it was, remarks too."""

from __future__ import annotations

import errno
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
_LINE: Final = r"^([ \t]*%s[ \t]*=[ \t]*)(?:\"[^\"\\]*\"|'[^']*')?(.*)$"
_SETTING: Final = re.compile(r"^[ \t]*[A-Za-z]+[ \t]*=")
_WRITE: Final = 0o222


def save_keys(path: Path, keymap: str, keys: Mapping[str, tuple[str, ...]]) -> str:
    """Write keymap and own keys into the file at `path`; a remark about what became of it, "" for none.

    Beside the file, then renamed over it, so that there is never half of one. What a link points to is written. A
    file that cannot be used is kept beside as `config.toml~`. Raises OSError, for a file that is read-only too.
    """
    target = _writable(path)
    try:
        text, known = _known(target)
        new, remark = rewritten(text, replace(known, keymap=keymap, keys=dict(keys))), ""
    except BadConfig:
        new, remark = whole(Config(keymap=keymap, keys=dict(keys))), _put_aside(target)
    _write(target, new)
    return remark


def save_theme(path: Path, theme: str) -> None:
    """Write the theme's name into the file at `path`, as `save_keys` does; but a file that cannot be used stays.

    Raises OSError and BadConfig.
    """
    target = _writable(path)
    text, known = _known(target)
    if known.theme != theme:
        _write(target, rewritten(text, replace(known, theme=theme)))


def _writable(path: Path) -> Path:
    """What is written. Who takes the write permission away means it, though a rename would not ask (EACCES)."""
    target = Path(os.path.realpath(path))
    with suppress(FileNotFoundError, NotADirectoryError):
        if not target.stat().st_mode & _WRITE:
            raise PermissionError(errno.EACCES, "it is read-only", str(target))
    return target


def _known(target: Path) -> tuple[str, Config]:
    text = config.read(target) or ""
    return text, config.parse(config.document_of(text, str(target)), str(target))


def rewritten(text: str, wanted: Config) -> str:
    """The file's text, which can be read, with these settings in it: only the lines of those that differ change,
    where that can be told from the rest."""
    known = config.parse(config.document_of(text, ""), "")
    lines = text.splitlines()
    if wanted.keys != known.keys:
        lines = _with_keys(lines, wanted)
    for name in ("keymap", "theme"):
        if (value := getattr(wanted, name)) != getattr(known, name):
            lines = _with_text(lines, name, value)
    made = "\n".join(lines) + "\n"
    try:
        if config.parse(config.document_of(made, ""), "") == wanted:
            return made
    except BadConfig:
        pass  # it stands there in a way of its own: dotted, or inside a text of several lines
    return whole(wanted)


def _with_keys(lines: list[str], wanted: Config) -> list[str]:
    rest, inside = [], False
    for line in lines:
        if _TABLE.match(line):
            inside = bool(_KEYS.match(line))
        if not inside:
            rest.append(line)
    while rest and not rest[-1].strip():
        rest.pop()
    return [*rest, *([""] if rest and wanted.keys else []), *_table(wanted)]


def _with_text(lines: list[str], name: str, value: str) -> list[str]:
    """With `name = "value"` in its line, whose remark stays, or in one of its own before the first setting."""
    top = next((n for n, line in enumerate(lines) if _TABLE.match(line)), len(lines))
    line = re.compile(_LINE % name)
    for n, found in enumerate(map(line.match, lines[:top])):
        if found is not None:
            return [*lines[:n], f"{found[1]}{_quoted(value)}{found[2]}", *lines[n + 1 :]]
    first = next((n for n, found in enumerate(lines[:top]) if _SETTING.match(found)), 0)
    return [*lines[:first], f"{name} = {_quoted(value)}", *lines[first:]]


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
