"""The Config tab: what was asked for in plain words, then the whole document."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from textual.content import Content

from tui.paint import EMPTY, join
from tui.safe import cell_width, safe, safe_plain
from tui.state import Json, container_of_inspect
from tui.text import size_prose

_LABEL = 12
_INDENT = 2


def heading(words: str, term: str = "") -> Content:
    """A group's first line: plain words, the technical name muted beside them."""
    return join((words, "bold $accent"), (f"  {term}" if term else "", "$muted"))


def fact(label: str, value: str, width: int) -> list[Content]:
    """One labelled value, folded under itself when it is long."""
    room = max(width - _LABEL - _INDENT, 8)
    lines = fold(safe_plain(value), room) or [""]
    first = join(" " * _INDENT, (label.ljust(_LABEL), "$muted"), lines[0])
    return [first, *(join(" " * (_INDENT + _LABEL), line) for line in lines[1:])]


def fold(text: str, width: int) -> list[str]:
    """`text` broken at blanks where it can be, else anywhere, into lines of at most `width` cells."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        while cell_width(word) > width:
            if line:
                lines.append(line)
                line = ""
            cut = _cells(word, width)
            lines.append(word[:cut])
            word = word[cut:]
        if line and cell_width(line) + 1 + cell_width(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line] if line else lines


def _cells(text: str, width: int) -> int:
    """How many characters of `text` fit `width` cells, at least one."""
    used = 0
    for at, char in enumerate(text):
        used += cell_width(char)
        if used > width:
            return max(at, 1)
    return len(text)


def container(entry: Json, width: int) -> list[Content]:
    """The Config tab of a container."""
    one = container_of_inspect(entry)
    config, host = entry.get("Config") or {}, entry.get("HostConfig") or {}
    lines = [heading("What runs")]
    lines += fact("image", one.image, width)
    lines += fact("command", shlex.join(one.command), width)
    lines += fact("user", str(config.get("User") or "root"), width)
    if config.get("WorkingDir"):
        lines += fact("folder", str(config["WorkingDir"]), width)
    lines += fact("screen", _screen(one.tty, one.stdin), width)
    lines += [EMPTY, heading("How it goes on", "restart policy")]
    lines += fact("at exit", _policy(one.restart_policy, one.auto_remove), width)
    lines += fact("id", one.id, width)
    lines += _limits(host, width)
    lines += _pairs("What it is told", "environment", config.get("Env") or (), width)
    lines += _mounts(entry.get("Mounts") or (), width)
    lines += _labels(config.get("Labels") or {}, width)
    return [*lines, *document(entry, width)]


def _screen(tty: bool, stdin: bool) -> str:
    if tty and stdin:
        return "keyboard and screen (-it)"
    return "a screen without a keyboard (-t)" if tty else "input only (-i)" if stdin else "none, it runs by itself"


def _policy(policy: str, auto_remove: bool) -> str:
    if auto_remove:
        return "it is removed (--rm)"
    return "it stays as it is" if policy in ("no", "") else f"it is started again ({policy})"


def _limits(host: Json, width: int) -> list[Content]:
    lines: list[Content] = []
    if host.get("Memory"):
        lines += fact("memory", size_prose(int(host["Memory"])), width)
    if host.get("NanoCpus"):
        lines += fact("cpu", f"{int(host['NanoCpus']) / 1e9:g} cores", width)
    if (host.get("PidsLimit") or 0) > 0:
        lines += fact("processes", str(host["PidsLimit"]), width)
    return [EMPTY, heading("How much it may take", "cgroup"), *lines] if lines else []


def _pairs(words: str, term: str, pairs: Sequence[object], width: int) -> list[Content]:
    if not pairs:
        return []
    lines = [EMPTY, heading(words, term)]
    for pair in pairs:
        name, _, value = str(pair).partition("=")
        text = fold(safe_plain(value), max(width - _INDENT - cell_width(safe_plain(name)) - 1, 8)) or [""]
        lines.append(join(" " * _INDENT, safe(name, style="$accent2"), ("=", "$muted"), text[0]))
        lines += [join(" " * (_INDENT + 2), more) for more in text[1:]]
    return lines


def _mounts(mounts: Sequence[Json], width: int) -> list[Content]:
    if not mounts:
        return []
    lines = [EMPTY, heading("What comes from outside", "mounts")]
    for mount in mounts:
        source = str(mount.get("Name") or mount.get("Source") or mount.get("Type", ""))
        mode = "" if mount.get("RW", True) else "  read-only"
        lines += fact(str(mount.get("Type", "")), f"{source} → {mount.get('Destination', '')}{mode}", width)
    return lines


def _labels(labels: Json, width: int) -> list[Content]:
    return _pairs("What is written on it", "labels", [f"{k}={v}" for k, v in labels.items()], width)


def image(entry: Json, width: int) -> list[Content]:
    """The Config tab of an image."""
    config = entry.get("Config") or {}
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    lines = [heading("What it runs")]
    lines += fact("command", shlex.join(map(str, command)) or "none: a run must name one", width)
    lines += fact("user", str(config.get("User") or "root"), width)
    if config.get("WorkingDir"):
        lines += fact("folder", str(config["WorkingDir"]), width)
    if config.get("ExposedPorts"):
        lines += fact("listens on", ", ".join(map(str, config["ExposedPorts"])), width)
    lines += fact("for", f"{entry.get('Os', '')} on {entry.get('Architecture', '')}", width)
    lines += fact("id", str(entry.get("Id", "")), width)
    lines += _pairs("What it is told", "environment", config.get("Env") or (), width)
    lines += _labels(config.get("Labels") or {}, width)
    return [*lines, *document(entry, width)]


def other(entry: Json, width: int) -> list[Content]:
    """The Config tab of a volume or network."""
    return document(entry, width)[1:]


def document(entry: Json, width: int) -> list[Content]:
    """The whole answer of the engine as JSON, keys coloured, long values folded."""
    text = json.dumps(entry, indent=2, ensure_ascii=False)
    lines = [EMPTY, heading("The whole document", "inspect")]
    for raw in text.split("\n"):
        indent = len(raw) - len(raw.lstrip(" "))
        key, colon, value = raw.strip().partition('": ')
        if not (key.startswith('"') and colon):
            key, colon, value = "", "", raw.strip()
        used = indent + cell_width(safe_plain(key)) + 3 if key else indent
        parts = fold(safe_plain(value), max(width - used, 16)) or [""]
        head = safe(key + '"', style="$accent2") + join((": ", "$muted")) if key else EMPTY
        lines.append(join(" " * indent, head, parts[0]))
        lines += [join(" " * (indent + 2), more) for more in parts[1:]]
    return lines
