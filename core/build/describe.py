"""What `history` says of a step, in the words of Docker's own builder, so that images compare. Pure.

moby builder/dockerfile/dispatchers.go. Steps that run nothing stand behind the shell as a comment: `#(nop)`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from core.dockerfile.instructions import (
    Arg,
    Cmd,
    Entrypoint,
    Env,
    Expose,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    OnBuild,
    Shell,
    StopSignal,
    User,
    Volume,
)
from core.dockerfile.words import Expander
from core.images.instruct import DEFAULT_SHELL
from core.oci.image import ExecutionConfig

_SOURCE = re.compile(r"(file|dir|multi):[0-9a-f]{64}")


def created_by(instruction: Instruction, config: ExecutionConfig, expander: Expander) -> str:
    """For an instruction that only changes the config; `config` as it is after it."""
    return f"{_shell(config.shell)} #(nop)  {_comment(instruction, config, expander)}"


def created_by_copy(name: str, source: str, target: str, *, chown: str, shell: tuple[str, ...]) -> str:
    """For COPY and ADD; `source` is `file:HASH`, `dir:HASH` or `multi:HASH`."""
    owner = f"--chown={chown} " if chown else ""
    return f"{_shell(shell)} #(nop) {name} {owner}{source} in {target} "


def source_of(text: str, name: str, target: str, *, chown: str, shell: tuple[str, ...]) -> str:
    """What a line of an image's history calls the source of this copy; "" where it is of something else."""
    head, tail = f"{_shell(shell)} #(nop) {name} ", f" in {target} "
    owner = f"--chown={chown}" if chown else ""
    if not text.startswith(head + owner) or not text.endswith(tail):
        return ""
    source = text[len(head + owner) : -len(tail)].lstrip(" ")  # older versions write no blank behind an owner
    return source if _SOURCE.fullmatch(source) else ""


def created_by_workdir(path: str, shell: tuple[str, ...]) -> str:
    return f"{_shell(shell)} #(nop) WORKDIR {path}"


def created_by_run(words: tuple[str, ...], args: Mapping[str, str]) -> str:
    """For RUN: its command line behind the build args that it saw."""
    seen = f"|{len(args)} " + "".join(f"{name}={value} " for name, value in args.items()) if args else ""
    return seen + " ".join(words)


def _shell(shell: tuple[str, ...]) -> str:
    return " ".join(shell or DEFAULT_SHELL)


def _comment(instruction: Instruction, config: ExecutionConfig, expander: Expander) -> str:
    match instruction:
        case Env() | Label():
            pairs = " ".join(f"{expander.word(key)}={expander.word(value)}" for key, value in instruction.pairs)
            return f"{type(instruction).__name__.upper()} {pairs}"
        case Cmd():
            return f"CMD {_quoted(config.cmd)}"
        case Entrypoint():
            return f"ENTRYPOINT {_quoted(config.entrypoint)}"
        case Expose():
            return f"EXPOSE {' '.join(sorted(expander.word(port) for port in instruction.ports))}"
        case Volume():
            return f"VOLUME [{' '.join(expander.word(path) for path in instruction.paths)}]"
        case User():
            return f"USER {config.user}"
        case StopSignal():
            return f"STOPSIGNAL {config.stop_signal}"
        case Shell():
            return f"SHELL [{' '.join(instruction.words)}]"
        case OnBuild():
            return f"ONBUILD {instruction.trigger_text}"
        case Maintainer():
            return f"MAINTAINER {expander.word(instruction.name)}"
        case Arg():
            return "ARG " + " ".join(
                name if default is None else f"{name}={expander.word(default)}"
                for name, default in instruction.names
            )
        case Healthcheck():
            return f"HEALTHCHECK {_health(config)}"
        case _:
            return instruction.text


def _quoted(words: Iterable[str]) -> str:
    """Go's %q of a list of strings."""
    return "[" + " ".join(json.dumps(word, ensure_ascii=False) for word in words) + "]"


def _health(config: ExecutionConfig) -> str:
    """Go's %q of a HealthConfig."""
    check = config.healthcheck
    if check is None:
        return '&{[] "0s" "0s" "0s" \'\\x00\'}'
    times = " ".join(f'"{_go_duration(value)}"' for value in (check.interval, check.timeout, check.start_period))
    return f"&{{{_quoted(check.test)} {times} {_go_char(check.retries)}}}"


def _go_char(number: int) -> str:
    """Go's %q of an integer: the character with that number."""
    escapes = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r"}
    if number in escapes:
        return f"'{escapes[number]}'"
    return f"'\\x{number:02x}'" if number < 32 else repr(chr(number))


def _go_duration(nanoseconds: int) -> str:
    """`1h30m0s`, `1m0s`, `500ms`: Go's Duration.String."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 10**9:
        for unit, size in (("ms", 10**6), ("µs", 10**3), ("ns", 1)):
            if nanoseconds >= size:
                return f"{nanoseconds / size:g}{unit}"
    minutes, rest = divmod(nanoseconds, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / 10**9:.9f}".rstrip("0").rstrip(".")
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
