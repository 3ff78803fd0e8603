"""A Dockerfile again from an image's history and config. What a COPY took is in no image, so that stays a question.

moby builder/dockerfile/dispatchers.go and buildkit frontend/dockerfile/dockerfile2llb write the history. Pure.
"""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

SHELL = "/bin/sh -c"
_NOP = re.compile(r"#\(nop\)\s+")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_COPY = re.compile(r"(--\S+ )*(?:(file|dir|multi):([0-9a-f]+)|(.+?)) in (\S+)\s*")
_PLAIN = re.compile(r"[\w./:@%+,=-]+", re.ASCII)
_WORDS = (
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD",
    "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
)  # fmt: skip


def as_dockerfile(
    history: Sequence[Mapping[str, Any]], config: Mapping[str, Any], *, base: str = "", skip: int = 0
) -> str:
    """`history` as the API gives it, newest first; `skip` = its oldest steps that `base` has made."""
    steps = list(history)[::-1][skip:]
    lines = [f"FROM {base or 'scratch'}"]
    made = _Maker(config)
    for step in steps:
        lines += made.lines(str(step.get("CreatedBy") or ""), int(step.get("Size") or 0))
    return "\n".join(lines) + "\n"


class _Maker:
    """Turns steps into lines, in order: what SHELL and ARG have said counts for those that follow."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._names = {text.partition("=")[0] for text in config.get("Env") or ()}
        self._labels = set(config.get("Labels") or ())
        self._shell = SHELL
        self._args: set[str] = set()
        self._handlers: dict[str, Callable[[str], list[str]]] = {
            "ADD": lambda text: _copied("ADD", text),
            "ARG": self._arg,
            "CMD": lambda text: [f"CMD {_list(text)}"],
            "COPY": lambda text: _copied("COPY", text),
            "ENTRYPOINT": lambda text: [f"ENTRYPOINT {_list(text)}"],
            "ENV": lambda text: [f"ENV {_pairs(text, self._names)}"],
            "EXPOSE": _exposed,
            "HEALTHCHECK": _health,
            "LABEL": lambda text: [f"LABEL {_pairs(text, self._labels)}"],
            "RUN": lambda text: self._run(text),
            "SHELL": self._set_shell,
            "VOLUME": lambda text: [f"VOLUME {json.dumps(text.strip('[]').split())}"],
        }

    def lines(self, created_by: str, size: int) -> list[str]:
        """The lines of one step."""
        text = created_by.removesuffix(" # buildkit").strip()
        if found := _NOP.search(text):
            text = text[found.end() :].strip()
        elif text.startswith((f"{self._shell} ", "|")):
            return self._run(text)
        word, _, rest = text.partition(" ")
        if word in self._handlers:
            return self._handlers[word](rest.strip())
        if word in _WORDS:
            return [text]
        if not text:
            return [f"# a layer of {size} bytes of which nothing is known"] if size else []
        return ["# a commit, or a program in exec form:", *(f"#   {line}" for line in text.split("\n"))]

    def _run(self, text: str) -> list[str]:
        lines: list[str] = []
        if text.startswith("|"):
            count, _, text = text[1:].partition(" ")
            for _ in range(int(count) if count.isdigit() else 0):
                pair, text = _first_pair(text, self._shell)
                if pair.partition("=")[0] not in self._args:
                    lines += self._arg(pair)
        command = text.removeprefix(self._shell).strip() if text.startswith(self._shell) else text
        if "\n" in command:
            return [*lines, "RUN <<EOF", *command.strip("\n").split("\n"), "EOF"]
        flags = ""
        return [*lines, f"RUN {flags}" + command.replace(" && ", " \\\n && ")]

    def _arg(self, text: str) -> list[str]:
        name, equals, value = text.partition("=")
        self._args.add(name)
        return [f"ARG {name}{equals}{_quoted(value) if equals else ''}"]

    def _set_shell(self, text: str) -> list[str]:
        words = _go_words(text) if '"' in text else text.strip("[]").split()
        self._shell = " ".join(words)
        return [f"SHELL {json.dumps(words)}"]


def _first_pair(text: str, shell: str) -> tuple[str, str]:
    """`NAME=VALUE` at the beginning; its value may hold spaces, so it ends before the next name or the shell."""
    ends = [at for at in (text.find(f" {shell}"),) if at >= 0]
    if found := re.search(r" (?=[A-Za-z_]\w*=)", text, re.ASCII):
        ends.append(found.start())
    end = min(ends, default=text.find(" ") if " " in text else len(text))
    return text[:end], text[end:].strip()


def _copied(name: str, text: str) -> list[str]:
    found = _COPY.fullmatch(text)
    if not found:  # BuildKit's: the sources as they were written
        return [f"{name} {text}"]
    flags = " ".join(re.findall(r"--\S+", text.partition(found[2] or found[4] or " ")[0]))
    source = f"{found[2]}-{found[3][:12]}" if found[2] else found[4].strip()
    target = found[5] if found[2] != "multi" or found[5].endswith("/") else f"{found[5]}/"
    return [
        f"# {name}: the image does not say what {source} was",
        f"{name} {flags + ' ' if flags else ''}{source} {target}",
    ]


def _exposed(text: str) -> list[str]:
    if text.startswith("map["):
        text = " ".join(sorted(re.findall(r"(\S+?):\{\}", text[4:].rstrip("]"))))
    return [f"EXPOSE {text}"]


def _health(text: str) -> list[str]:
    words = _go_words(text.partition("]")[0])
    if not text.startswith("&{["):
        return [f"HEALTHCHECK {text}"]
    if not words or words == ["NONE"]:
        return ["HEALTHCHECK NONE"]
    names = ("interval", "timeout", "start-period", "start-interval")
    times = re.findall(r'"([^"]*)"', text.rpartition("]")[2])
    flags = [f"--{name}={time}" for name, time in zip(names, times, strict=False) if time != "0s"]
    if found := re.search(r"'(\\x([0-9a-f]{2})|\\[abfnrtv]|.)'\}?$", text):
        retries = int(found[2], 16) if found[2] else _CHARS.get(found[1], ord(found[1][-1]))
        flags += [f"--retries={retries}"] if retries else []
    command = words[1] if words[0] == "CMD-SHELL" and len(words) == 2 else json.dumps(words[1:])
    return [" ".join(["HEALTHCHECK", *flags, "CMD", command])]


_CHARS = {"\\a": 7, "\\b": 8, "\\t": 9, "\\n": 10, "\\v": 11, "\\f": 12, "\\r": 13}


def _list(text: str) -> str:
    """Go's `["a" "b"]` as JSON; what is JSON already, or shell form, stays."""
    if not text.startswith("["):
        return text
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(_go_words(text), ensure_ascii=False)
    return text


def _go_words(text: str) -> list[str]:
    words = []
    for found in _QUOTED.findall(text):
        try:
            words.append(str(json.loads(found)))
        except ValueError:
            words.append(found[1:-1])
    return words


def _pairs(text: str, names: Iterable[str]) -> str:
    """`A=b c D=e` with the values quoted; a value ends where a name begins that the config knows."""
    known = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    starts = [0, *(found.start() + 1 for found in re.finditer(rf" (?:{known})=", text))] if known else [0]
    pieces = [text[start:end].strip() for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    pairs = (piece.partition("=") for piece in pieces if piece)
    return " ".join(
        f"{name if _PLAIN.fullmatch(name) else _quoted(name)}={_quoted(value)}" for name, _, value in pairs
    )


def _quoted(value: str) -> str:
    """A value as a Dockerfile takes it, with nothing expanded."""
    if _PLAIN.fullmatch(value):
        return value
    if value.startswith('"') and value.endswith('"') and len(value) > 1 and '"' not in value[1:-1]:
        value = value[1:-1]  # BuildKit's history keeps the quotes
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$").replace("\n", "\\n")
    return f'"{escaped}"'


def config_lines(config: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """The instructions that turn an image's config `before` into `config`."""
    lines = []
    old = dict(text.partition("=")[::2] for text in before.get("Env") or ())
    for text in config.get("Env") or ():
        name, _, value = text.partition("=")
        if old.get(name) != value and name not in ("HOSTNAME", "HOME", "TERM"):
            lines.append(f"ENV {name}={_quoted(value)}")
    labels = before.get("Labels") or {}
    lines += [f"LABEL {_quoted(name)}={_quoted(value)}" for name, value in (config.get("Labels") or {}).items()
              if labels.get(name) != value]  # fmt: skip
    for member, word in (("ExposedPorts", "EXPOSE"), ("Volumes", "VOLUME")):
        new = sorted(set(config.get(member) or ()) - set(before.get(member) or ()))
        if new:
            lines.append(f"{word} {' '.join(new) if word == 'EXPOSE' else json.dumps(new)}")
    for member, word in (("User", "USER"), ("WorkingDir", "WORKDIR"), ("StopSignal", "STOPSIGNAL")):
        value = config.get(member)
        if value and value != before.get(member):
            lines.append(f"{word} {value}")
    for member, word in (("Entrypoint", "ENTRYPOINT"), ("Cmd", "CMD")):
        if config.get(member) and config.get(member) != before.get(member):
            lines.append(f"{word} {json.dumps(config[member], ensure_ascii=False)}")
    return lines
