"""What an instruction does to an image's config, where it runs and copies nothing. Pure.

docs.docker.com/reference/dockerfile; moby builder/dockerfile/dispatchers.go. Texts are expanded here, with the
variables of the place where the instruction stands.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from msgspec.structs import replace

from core.dockerfile.instructions import (
    Cmd,
    Command,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    OnBuild,
    Shell,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from core.dockerfile.words import Expander
from core.errors import InvalidArgument
from core.model.signals import parse_signal
from core.oci import image

Config: TypeAlias = image.ExecutionConfig
DEFAULT_SHELL = ("/bin/sh", "-c")
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?")


def changes_config_only(instruction: Instruction) -> bool:
    """Whether `instruct` does all that the instruction asks for."""
    return type(instruction) in _CHANGES


def instruct(config: Config, instruction: Instruction, expander: Expander) -> Config:
    """`config` as it is after `instruction`, one of those that change nothing else. Raises InvalidArgument."""
    return _CHANGES[type(instruction)](config, instruction, expander)


def arguments(command: Command, shell: tuple[str, ...]) -> tuple[str, ...]:
    """The words to run: in shell form handed to the shell of the image."""
    return (*(shell or DEFAULT_SHELL), *command.words) if command.shell else command.words


def variables(env: Iterable[str]) -> dict[str, str]:
    """`NAME=value` items as a mapping."""
    pairs = (item.partition("=") for item in env)
    return {name: value for name, _, value in pairs}


def set_variables(env: Iterable[str], pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """`env` with `pairs` set, each in the place it had before."""
    values = {item.partition("=")[0]: item for item in env}
    values |= {key: f"{key}={value}" for key, value in pairs}
    return tuple(values.values())


def _cmd(config: Config, instruction: Cmd, expander: Expander) -> Config:
    return replace(config, cmd=arguments(instruction.command, config.shell), args_escaped=False)


def _entrypoint(config: Config, instruction: Entrypoint, expander: Expander) -> Config:
    return replace(config, entrypoint=arguments(instruction.command, config.shell))


def _env(config: Config, instruction: Env, expander: Expander) -> Config:
    return replace(config, env=set_variables(config.env, _expanded(instruction, expander)))


def _label(config: Config, instruction: Label, expander: Expander) -> Config:
    return replace(config, labels={**config.labels, **dict(_expanded(instruction, expander))})


def _expanded(instruction: Env | Label, expander: Expander) -> list[tuple[str, str]]:
    """Every pair of one line sees the variables as they were before it."""
    pairs = [(expander.word(key), expander.word(value)) for key, value in instruction.pairs]
    if not all(key for key, _ in pairs):
        raise InvalidArgument(f"{type(instruction).__name__.upper()} names can not be blank")
    return pairs


def _expose(config: Config, instruction: Expose, expander: Expander) -> Config:
    ports: dict[str, Any] = dict(config.exposed_ports)
    for word in (word for text in instruction.ports for word in expander.words(text)):
        found = _PORT.fullmatch(word)
        if not found:
            raise InvalidArgument(f"invalid containerPort: {word}")
        first, last = int(found[1]), int(found[2] or found[1])
        if not 1 <= first <= last <= 65535:
            raise InvalidArgument(f"invalid containerPort: {word}")
        ports |= {f"{port}/{found[3] or 'tcp'}": {} for port in range(first, last + 1)}
    return replace(config, exposed_ports=ports)


def _user(config: Config, instruction: User, expander: Expander) -> Config:
    return replace(config, user=_one(expander.words(instruction.user), "USER"))


def _workdir(config: Config, instruction: Workdir, expander: Expander) -> Config:
    path = expander.word(instruction.path)
    folder = posixpath.normpath(posixpath.join("/", config.working_dir, path))
    return replace(config, working_dir="/" + folder.lstrip("/"))


def _volume(config: Config, instruction: Volume, expander: Expander) -> Config:
    paths = [expander.word(path).strip() for path in instruction.paths]
    if not all(paths):
        raise InvalidArgument("VOLUME specified can not be an empty string")
    return replace(config, volumes={**config.volumes, **{path: {} for path in paths}})


def _on_build(config: Config, instruction: OnBuild, expander: Expander) -> Config:
    return replace(config, on_build=(*config.on_build, instruction.trigger_text))


def _stop_signal(config: Config, instruction: StopSignal, expander: Expander) -> Config:
    name = _one(expander.words(instruction.signal), "STOPSIGNAL")
    parse_signal(name)
    return replace(config, stop_signal=name)


def _shell(config: Config, instruction: Shell, expander: Expander) -> Config:
    return replace(config, shell=instruction.words)


def _healthcheck(config: Config, instruction: Healthcheck, expander: Expander) -> Config:
    command = instruction.command
    if command is None:
        return replace(config, healthcheck=image.Healthcheck(test=("NONE",)))
    test = ("CMD-SHELL" if command.shell else "CMD", *command.words)
    check = image.Healthcheck(
        test, instruction.interval, instruction.timeout, instruction.start_period, instruction.start_interval,
        instruction.retries,
    )  # fmt: skip
    return replace(config, healthcheck=check)


def _one(words: list[str], name: str) -> str:
    if len(words) != 1:
        raise InvalidArgument(f"{name} requires exactly one argument")
    return words[0]


_CHANGES: dict[type[Instruction], Callable[[Config, Any, Expander], Config]] = {
    Cmd: _cmd,
    Entrypoint: _entrypoint,
    Env: _env,
    Expose: _expose,
    Healthcheck: _healthcheck,
    Label: _label,
    OnBuild: _on_build,
    Shell: _shell,
    StopSignal: _stop_signal,
    User: _user,
    Volume: _volume,
    Workdir: _workdir,
}
