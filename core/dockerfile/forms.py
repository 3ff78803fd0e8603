"""The small forms that instructions are made of: flags, JSON arrays, pairs, words in quotes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from core.dockerfile.instructions import Command, Pairs
from core.dockerfile.lines import Line
from core.dockerfile.quoting import cut_word, split_words
from core.errors import InvalidArgument

ONE, MANY, BOOL = "one", "many", "bool"
STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_FLAG = re.compile(r"--([a-zA-Z0-9-]*)(=)?")


@dataclass(frozen=True, slots=True)
class Flags:
    """The `--name=value` at the start of an instruction, and what follows them."""

    values: tuple[tuple[str, str], ...]
    rest: str

    def given(self, name: str) -> bool:
        return any(found == name for found, _ in self.values)

    def one(self, name: str) -> str:
        """The value, "" when not given."""
        return next((value for found, value in self.values if found == name), "")

    def many(self, name: str) -> tuple[str, ...]:
        return tuple(value for found, value in self.values if found == name)

    def switch(self, name: str) -> bool:
        """A flag that is on when it stands alone. Raises InvalidArgument."""
        value = self.one(name) if self.given(name) else "false"
        if value.lower() not in ("", "true", "false"):
            raise InvalidArgument(f"expecting boolean value for flag {name}, not: {value}")
        return value.lower() != "false"


def take_flags(line: Line, escape: str, **known: str) -> Flags:
    """Take the flags off an instruction. Raises InvalidArgument for one that it does not have."""
    rest = line.rest
    values: list[tuple[str, str]] = []
    while _FLAG.match(rest):
        word, rest = cut_word(rest, escape)
        name, equals, value = word[2:].partition("=")
        if not name:
            break  # `--` ends the flags
        kind = known.get(name)
        if kind is None:
            near = nearest(name, known)
            raise InvalidArgument(f"unknown flag: --{name}" + (f" (did you mean --{near}?)" if near else ""))
        if kind != BOOL and not equals:
            raise InvalidArgument(f"missing a value on flag: {name}")
        if kind != MANY and any(given == name for given, _ in values):
            raise InvalidArgument(f"duplicate flag specified: {name}")
        values.append((name, value))
    return Flags(tuple(values), rest)


def nearest(name: str, known: Iterable[str]) -> str:
    """What was probably meant, or ""."""
    return next(iter(get_close_matches(name.lower(), list(known), 1, 0.7)), "")


def json_words(text: str) -> tuple[str, ...] | None:
    """The strings of a JSON array; None where `text` is none, which makes it the shell form."""
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return tuple(value) if isinstance(value, list) and all(isinstance(word, str) for word in value) else None


def command(text: str) -> Command:
    """Exec form where `text` is a JSON array of strings, else the shell form."""
    words = json_words(text)
    return Command(words=words, shell=False) if words is not None else Command(words=(text,), shell=True)


def pairs(line: Line, escape: str) -> tuple[Pairs, bool]:
    """`KEY=VALUE …` of ENV and LABEL, or the old `KEY VALUE` (then true). Raises InvalidArgument."""
    name = line.name.upper()
    rest = take_flags(line, escape).rest
    words = split_words(rest, escape)
    if not words:
        raise InvalidArgument(f"{name} requires at least one argument")
    if "=" not in words[0]:
        key, *value = rest.split(maxsplit=1)
        if not value:
            raise InvalidArgument(f"{name} must have two arguments")
        return ((key, value[0]),), True
    found = []
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise InvalidArgument(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value')
        if not key:
            raise InvalidArgument(f"{name} names can not be blank")
        found.append((key, text))
    return tuple(found), False


def nanoseconds(text: str, flag: str) -> int:
    """Go's form of a duration, `1m30s`. Raises InvalidArgument."""
    total, at = 0.0, 0
    while found := _DURATION.match(text, at):
        total += float(found[1]) * _NANOSECONDS[found[2]]
        at = found.end()
    if text != "0" and (not at or at < len(text)):
        raise InvalidArgument(f'invalid duration "{text}" for --{flag}')
    return int(total)
