"""Why a step is not what it was the last time: what of it has changed, in a few words.

Of every step of a Dockerfile the store keeps what it was made of. Lines that were put in or taken out push the
others along, so those of a stage are laid beside the old ones first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from core.build.cache import Cache, Parts
from core.dockerfile.instructions import Copy, Instruction
from core.model.build import PlannedStep

NOT_THERE, BEFORE, NEW = "not in the cache any more", "a step before it changed", "the line is new"
_FILES_NAMED = 3
_WORDS_NAMED = 5
_LONGEST = 40  # characters of a word
_SENTENCES = {
    "user": "the user changed", "workdir": "the working directory changed", "network": "the network changed",
    "mounts": "a mount changed", "mounted": "what it mounts changed", "trees": "an image that it mounts changed",
    "chown": "the owner changed", "chmod": "the mode changed", "target": "the destination changed",
    "folder": "the destination changed", "digest": "the files changed", "shell": "the shell changed",
}  # fmt: skip


class Causes:
    """For one build of the Dockerfile that `place` names. `lines` are those of each stage, FROM first."""

    def __init__(self, cache: Cache, place: str, lines: Mapping[str, Sequence[str]]) -> None:
        self._cache = cache
        self._place = place
        self._lines = lines
        self._before: dict[str, dict[int, Parts]] = {}
        for rest, parts in cache.places(f"{place}/").items():
            stage, _, number = rest.rpartition("/")
            if number.isdecimal():
                self._before.setdefault(stage, {})[int(number)] = parts
        self._beside = {stage: self._laid_beside(stage) for stage in lines}

    def of(self, told: PlannedStep, instruction: Instruction, parts: Parts, base: str) -> str:
        """What has changed of a step since the last time; "" the first time. Remembers its `parts`.

        `base` = what the stage's first step stands on.
        """
        stage, number = told.stage, told.number
        if number == 1:
            return ""  # a trigger of the base image, which is no line of this file
        if number == 2:
            parts = {**parts, "base": base}
        plain = json.loads(json.dumps({key: part for key, part in parts.items() if key != "files"}))  # no tuples
        parts = {**plain, "files": parts.get("files", {}), "line": self._lines[stage][number - 1]}
        old = self._before.get(stage)
        here = (old or {}).get(number)
        if here != parts:
            self._cache.put_place(f"{self._place}/{stage}/{number}", parts)
        if not old:
            return ""
        before = old.get(self._beside[stage].get(number, 0))
        return NEW if before is None else difference(before, parts, _name(instruction))

    def _laid_beside(self, stage: str) -> dict[int, int]:
        """The old number of each line that was there."""
        old = self._before.get(stage, {})
        lines = self._lines[stage]
        were = [str(old.get(number, {}).get("line", "")) for number in range(1, max(old, default=0) + 1)]
        now = list(lines)
        if were[1:] == now[1:] or not any(were):  # FROM has no parts; what an older engine wrote has no line
            return {number: number for number in range(1, len(now) + 1)}
        from difflib import SequenceMatcher

        found: dict[int, int] = {}
        for kind, a, b, c, d in SequenceMatcher(None, were[1:], now[1:], autojunk=False).get_opcodes():
            if kind in ("equal", "replace"):
                found |= {c + n + 2: a + n + 2 for n in range(min(b - a, d - c))}
        for number in old:
            if number > len(now):
                self._cache.drop_place(f"{self._place}/{stage}/{number}")
        return found


def difference(before: Parts, after: Parts, name: str = "") -> str:
    """What of a step has changed, in a few words: what people can do something about comes first."""
    if before.get("text") != after.get("text"):
        word = "the command" if str(after.get("line", "")).upper().startswith("RUN") else "the line"
        return f"{word} changed: {words_between(str(before.get('text', '')), str(after.get('text', '')))}"
    old, new = before.get("files"), after.get("files")
    if isinstance(old, dict) and isinstance(new, dict) and old != new:
        return f"{name} changed: {', '.join(_files(old, new))}".strip()
    if before.get("env") != after.get("env"):
        return f"a variable changed: {', '.join(_variables(before.get('env'), after.get('env')))}"
    for part in sorted(before.keys() | after.keys()):
        if before.get(part) != after.get(part) and part not in ("parent", "base", "line"):
            return _SENTENCES.get(part, f"{part} changed")
    if before.get("parent") == after.get("parent"):
        return NOT_THERE
    old_base, base = before.get("base"), after.get("base")
    if base and old_base == base:
        return f"{base} changed"
    return f"{base} instead of {old_base}" if base and old_base else BEFORE


def _name(instruction: Instruction) -> str:
    """What the files of a step are called: `COPY src`."""
    name = instruction.text.split()[0].upper()
    return " ".join((name, *instruction.sources)) if isinstance(instruction, Copy) else name


def _files(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[str]:
    changed = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    # A folder that is new says as much as all that it holds.
    shown = [path for path in changed if path.rpartition("/")[0] not in changed or (path in old and path in new)]
    for path in shown[:_FILES_NAMED]:
        yield path if path in old and path in new else f"{path} (new)" if path in new else f"{path} (gone)"
    if not shown:
        yield "files"
    if len(shown) > _FILES_NAMED:
        yield f"+{len(shown) - _FILES_NAMED} more"


def _variables(old: object, new: object) -> list[str]:
    before, after = set(old if isinstance(old, list) else ()), set(new if isinstance(new, list) else ())
    return sorted({str(text).partition("=")[0] for text in before ^ after}) or ["their order"]


def words_between(before: str, after: str) -> str:
    """What stands between the words that two texts have in common at both ends: `"curl" is now "curl git"`."""
    old, new = before.split(), after.split()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    gone, come = old[start : len(old) - end], new[start : len(new) - end]
    if not gone and not come:
        return "only its spaces"
    if not gone:
        return f"{_quoted(come)} is new"
    return f"{_quoted(gone)} is now {_quoted(come)}" if come else f"{_quoted(gone)} is gone"


def _quoted(words: Sequence[str]) -> str:
    shown = [word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…" for word in words[:_WORDS_NAMED]]
    return f'"{" ".join(shown)}{" …" if len(words) > _WORDS_NAMED else ""}"'
