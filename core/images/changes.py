"""`-c` instructions of `import` and `commit`: the Dockerfile instructions that only change the config. Pure.

https://docs.docker.com/reference/cli/docker/image/import/ and /reference/dockerfile/. Values are not expanded:
there is no build, so there are no variables.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Sequence

import msgspec

from core.errors import InvalidArgument
from core.oci.image import ExecutionConfig, Healthcheck

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?")
_SHELL = ("/bin/sh", "-c")


def apply_changes(config: ExecutionConfig, changes: Sequence[str]) -> ExecutionConfig:
    """`config` with every instruction applied in order. Raises InvalidArgument with Docker's words.

    A new entrypoint takes a command away that none of the instructions has set, as in a Dockerfile.
    """
    has_command = False
    for change in changes:
        for line in _lines(change):
            word, _, rest = line.partition(" ")
            instruction = _INSTRUCTIONS.get(word.upper())
            if instruction is None:
                raise InvalidArgument(f"{word.lower()} is not a valid change command")
            if not rest.strip():
                raise InvalidArgument(f"{word.upper()} requires at least one argument")
            config = instruction(config, rest.strip())
            has_command |= instruction is _cmd
            if instruction is _entrypoint and not has_command:
                config = msgspec.structs.replace(config, cmd=())
    return config


def _lines(change: str) -> list[str]:
    joined = re.sub(r"\\[ \t]*\n", " ", change).replace("\t", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _command(text: str, shell: tuple[str, ...]) -> tuple[str, ...]:
    return _exec_form(text) or (*(shell or _SHELL), text)


def _exec_form(text: str) -> tuple[str, ...] | None:
    """A JSON list of strings, else None: what is no valid JSON is a shell command to Docker."""
    try:
        words = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return None
    return tuple(words)


def _cmd(config: ExecutionConfig, text: str) -> ExecutionConfig:
    exec_form = _exec_form(text)
    return msgspec.structs.replace(
        config, cmd=_command(text, config.shell) if exec_form is None else exec_form, args_escaped=False
    )


def _entrypoint(config: ExecutionConfig, text: str) -> ExecutionConfig:
    exec_form = _exec_form(text)
    entrypoint = _command(text, config.shell) if exec_form is None else exec_form
    return msgspec.structs.replace(config, entrypoint=entrypoint)


def _pairs(text: str, instruction: str) -> list[tuple[str, str]]:
    """`k=v k2="v 2"`, or the old `k v` form, in which the rest of the line is the value."""
    first = text.split(" ", 1)[0]
    if "=" not in first:
        key, _, value = text.partition(" ")
        if not value:
            raise InvalidArgument(f"{instruction} must have two arguments")
        return [(key, value.strip())]
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidArgument(f"{instruction} has an unfinished quote") from error
    pairs = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidArgument(
                f"Syntax error - can't find = in {json.dumps(word)}. Must be of the form: name=value"
            )
        if not key:
            raise InvalidArgument(f"{instruction} names can not be blank")
        pairs.append((key, value))
    return pairs


def _env(config: ExecutionConfig, text: str) -> ExecutionConfig:
    env = {item.partition("=")[0]: item for item in config.env}
    for key, value in _pairs(text, "ENV"):
        env[key] = f"{key}={value}"
    return msgspec.structs.replace(config, env=tuple(env.values()))


def _label(config: ExecutionConfig, text: str) -> ExecutionConfig:
    return msgspec.structs.replace(config, labels={**config.labels, **dict(_pairs(text, "LABEL"))})


def _expose(config: ExecutionConfig, text: str) -> ExecutionConfig:
    ports = dict(config.exposed_ports)
    for word in text.split():
        match = _PORT.fullmatch(word)
        if not match:
            raise InvalidArgument(f"invalid containerPort: {word}")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= 65535:
            raise InvalidArgument(f"invalid containerPort: {word}")
        ports |= {f"{port}/{match[3] or 'tcp'}": {} for port in range(first, last + 1)}
    return msgspec.structs.replace(config, exposed_ports=ports)


def _user(config: ExecutionConfig, text: str) -> ExecutionConfig:
    return msgspec.structs.replace(config, user=_one(text, "USER"))


def _workdir(config: ExecutionConfig, text: str) -> ExecutionConfig:
    folder = posixpath.normpath(posixpath.join("/", config.working_dir, text))
    return msgspec.structs.replace(config, working_dir="/" + folder.lstrip("/"))


def _volume(config: ExecutionConfig, text: str) -> ExecutionConfig:
    paths = _exec_form(text) or tuple(text.split())
    if not all(path.strip() for path in paths):
        raise InvalidArgument("VOLUME specified can not be an empty string")
    return msgspec.structs.replace(config, volumes={**config.volumes, **{path.strip(): {} for path in paths}})


def _on_build(config: ExecutionConfig, text: str) -> ExecutionConfig:
    trigger = text.split()[0].upper()
    if trigger == "ONBUILD":
        raise InvalidArgument("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("FROM", "MAINTAINER"):
        raise InvalidArgument(f"{trigger} isn't allowed as an ONBUILD trigger")
    return msgspec.structs.replace(config, on_build=(*config.on_build, text))


def _stop_signal(config: ExecutionConfig, text: str) -> ExecutionConfig:
    return msgspec.structs.replace(config, stop_signal=_one(text, "STOPSIGNAL"))


def _healthcheck(config: ExecutionConfig, text: str) -> ExecutionConfig:
    options: dict[str, int] = {}
    while text.startswith("--"):
        option, _, text = text.partition(" ")
        key, _, value = option[2:].partition("=")
        name = key.replace("-", "_")
        if name not in ("interval", "timeout", "start_period", "start_interval", "retries"):
            raise InvalidArgument(f"unknown flag: {key}")
        options[name] = _retries(value) if name == "retries" else _duration(value, key)
        text = text.strip()
    kind, _, rest = text.partition(" ")
    if kind.upper() == "NONE":
        if rest.strip():
            raise InvalidArgument("HEALTHCHECK NONE takes no arguments")
        return msgspec.structs.replace(config, healthcheck=Healthcheck(test=("NONE",)))
    if kind.upper() != "CMD":
        raise InvalidArgument(f'Unknown type "{kind}" for HEALTHCHECK (try CMD)')
    if not rest.strip():
        raise InvalidArgument("Missing command after HEALTHCHECK CMD")
    words = _exec_form(rest.strip())
    test = ("CMD", *words) if words else ("CMD-SHELL", rest.strip())
    return msgspec.structs.replace(config, healthcheck=Healthcheck(test=test, **options))


def _duration(text: str, flag: str) -> int:
    """Go's form of a duration, `1m30s`, in nanoseconds."""
    if text == "0":
        return 0
    if not _DURATION.fullmatch(text):
        raise InvalidArgument(f'invalid duration "{text}" for --{flag}')
    return int(sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(text)))


def _retries(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise InvalidArgument(f"--retries must be at least 1 (not {text})")
    return int(text)


def _one(text: str, instruction: str) -> str:
    if len(text.split()) != 1:
        raise InvalidArgument(f"{instruction} requires exactly one argument")
    return text


_INSTRUCTIONS: dict[str, Callable[[ExecutionConfig, str], ExecutionConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
