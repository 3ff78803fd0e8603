"""What the run dialog asks for: read from its fields, judged while typing, shown as the command that does it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tui import commands

_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_PORT: Final = re.compile(r"(?:(?:(?P<ip>[0-9.]+):)?(?P<host>\d*):)?(?P<inside>\d+)(?:/(?P<proto>tcp|udp|sctp))?")
_SIZE: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[bkmgBKMG]?)[bB]?")
_UNITS: Final = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SHELLS: Final = ("sh", "bash", "ash", "zsh")
_LEAST_MEMORY: Final = 6 << 20

RESTARTS: Final = ("no", "unless-stopped", "always", "on-failure")


class BadField(ValueError):
    """A field cannot be read; `field` names it."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@dataclass(frozen=True, slots=True)
class RunSpec:
    """The fields as they were typed."""

    image: str = ""
    name: str = ""
    command: str = ""
    ports: str = ""
    env: str = ""
    volumes: str = ""
    memory: str = ""
    cpus: str = ""
    restart: str = "no"
    background: bool = True
    screen: bool = False
    remove: bool = False

    def argv(self) -> list[str]:
        """The command's words after `onggi`: what the dialog shows, letter by letter. Bad fields stay as typed."""
        words = ["run"]
        words += ["-" + "d" * self.background + "it" * self.screen] if self.background or self.screen else []
        words += ["--rm"] if self.remove else []
        words += ["--name", self.name] if self.name else []
        for flag, text in (("-p", self.ports), ("-e", self.env), ("-v", self.volumes)):
            for word in _split(text):
                words += [flag, word]
        words += ["--restart", self.restart] if self.restart != "no" else []
        words += ["--cpus", self.cpus] if self.cpus else []
        words += ["-m", self.memory] if self.memory else []
        return [*words, self.image or "IMAGE", *_split(self.command)]

    def line(self) -> str:
        """The whole command, quoted for a shell."""
        return commands.line(self.argv())

    def body(self, folder: Path) -> dict[str, Any]:
        """The create request; relative host paths are below `folder`. Raises BadField."""
        if not self.image:
            raise BadField("image", "name an image")
        if self.name and not _NAME.fullmatch(self.name):
            raise BadField("name", "letters, digits, _ . - only, two at least")
        if self.remove and self.restart != "no":
            raise BadField("restart", "a container that is removed at exit cannot restart")
        exposed, bound = ports_of(self.ports)
        binds = [bind_of(word, folder) for word in _words("volumes", self.volumes)]
        host: dict[str, Any] = {
            "AutoRemove": self.remove,
            "PortBindings": bound,
            "Binds": binds,
            "RestartPolicy": {"Name": self.restart, "MaximumRetryCount": 0},
        }
        if self.memory:
            host["Memory"] = memory_of(self.memory)
        if self.cpus:
            host["NanoCpus"] = cpus_of(self.cpus)
        return {
            "Image": self.image,
            "Cmd": _words("command", self.command) or None,
            "Env": env_of(self.env),
            "Tty": self.screen,
            "OpenStdin": self.screen,
            "AttachStdin": self.screen and not self.background,
            "AttachStdout": not self.background,
            "AttachStderr": not self.background,
            "ExposedPorts": exposed,
            "HostConfig": host,
        }


def suggested(image: str, command: Sequence[str]) -> RunSpec:
    """The fields to begin with: an image that runs a shell wants a keyboard, others a place in the background."""
    shell = bool(command) and command[-1].rpartition("/")[2] in _SHELLS
    return RunSpec(image=image, background=not shell, screen=shell)


def ports_of(text: str) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]]]:
    """ExposedPorts and PortBindings of `8080:80 53:53/udp 127.0.0.1:1:2 80`. Raises BadField."""
    exposed: dict[str, Any] = {}
    bound: dict[str, list[dict[str, str]]] = {}
    for word in _words("ports", text):
        found = _PORT.fullmatch(word)
        if found is None:
            raise BadField("ports", f"{word} is not HOST:INSIDE")
        host = found["host"] or ""
        for number in (host, found["inside"]):
            if number and not 0 < int(number) < 65536:
                raise BadField("ports", f"{number} is not a port")
        key = f"{found['inside']}/{found['proto'] or 'tcp'}"
        exposed[key] = {}
        bound.setdefault(key, []).append({"HostIp": found["ip"] or "", "HostPort": host})
    return exposed, bound


def host_ports(text: str) -> tuple[int, ...]:
    """The host ports that are asked for. Raises BadField."""
    _, bound = ports_of(text)
    return tuple(int(b["HostPort"]) for bindings in bound.values() for b in bindings if b["HostPort"])


def bind_of(word: str, folder: Path) -> str:
    """One `SOURCE:TARGET[:MODE]` with an absolute source; a name without a slash is a volume. Raises BadField."""
    parts = word.split(":")
    if len(parts) not in (2, 3) or not all(parts) or not parts[1].startswith("/"):
        raise BadField("volumes", f"{word} is not SOURCE:/TARGET")
    source = parts[0]
    if source.startswith(("/", ".", "~")):
        source = str((folder / Path(source).expanduser()).resolve())
    return ":".join([source, *parts[1:]])


def env_of(text: str) -> list[str]:
    """`A=b C=d` as words. Raises BadField where a word has no name."""
    found = _words("env", text)
    for word in found:
        if word.startswith("="):
            raise BadField("env", f"{word} has no name")
    return found


def memory_of(text: str) -> int:
    """`256m` in bytes. Raises BadField."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise BadField("memory", "a number and b, k, m or g")
    size = int(float(found["number"]) * _UNITS[found["unit"].lower()])
    if size < _LEAST_MEMORY:
        raise BadField("memory", "6m is the least")
    return size


def cpus_of(text: str) -> int:
    """`0.5` cores in billionths. Raises BadField."""
    try:
        cores = float(text)
    except ValueError:
        raise BadField("cpus", "a number of cores, as 0.5") from None
    if not 0 < cores < 10_000:
        raise BadField("cpus", "more than 0")
    return round(cores * 1e9)


def _words(field: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BadField(field, str(error).lower()) from None


def _split(text: str) -> list[str]:
    """As `_words`, but what is not finished yet is shown as one word."""
    try:
        return shlex.split(text)
    except ValueError:
        return [text]
