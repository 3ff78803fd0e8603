"""What works but is probably not meant, said with the line and the cure. In the spirit of BuildKit's checks.

Rule names are those of docs.docker.com/reference/build-checks where there is one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from core.dockerfile.basehints import base_hints, casing_hints, protocol_hints
from core.dockerfile.instructions import (
    Arg,
    Cmd,
    Command,
    Copy,
    Entrypoint,
    Env,
    Expose,
    Hint,
    Instruction,
    Label,
    Maintainer,
    Run,
    Shell,
    Stage,
    Workdir,
)
from core.dockerfile.lines import Source

_SECRET = re.compile(
    r"(?i)(?:^|_)(password|passwd|pword|secret|token|apikey|api_key|credential|private_key)s?(?:$|_)"
)
_SIMPLE = re.compile(r"[\w./:=@%+, -]+")
_ALMOST_JSON = re.compile(r"\[.*\]\s*$", re.DOTALL)


def hints_of(source: Source, args: Sequence[Arg], stages: Sequence[Stage]) -> tuple[Hint, ...]:
    """Every hint, in the order of lines."""
    found = [*_casing(source), *_stage_names(stages), *casing_hints(source), *base_hints(args, stages)]
    for arg in args:
        found += _secrets(arg)
    for stage in stages:
        found += _of_stage(stage)
    return tuple(sorted(found, key=lambda hint: (hint.range.first, hint.rule)))


def _of_stage(stage: Stage) -> Iterator[Hint]:
    last: dict[type, Instruction] = {}
    workdir = shell = False
    for instruction in stage.commands:
        if isinstance(instruction, Cmd | Entrypoint):
            if type(instruction) in last:
                name = type(instruction).__name__.upper()
                yield _hint(
                    last[type(instruction)], "MultipleInstructionsDisallowed",
                    f"only the last {name} of a stage counts, this one does nothing",
                )  # fmt: skip
            last[type(instruction)] = instruction
            if not shell:
                yield from _shell_form(instruction)
        shell = shell or isinstance(instruction, Shell)
        if isinstance(instruction, Workdir):
            if not workdir and not instruction.path.lstrip("\"'").startswith(("/", "$")):
                yield _hint(
                    instruction, "WorkdirRelativePath",
                    f"{instruction.path} is relative to what the base image has: write an absolute path",
                )  # fmt: skip
            workdir = True
        yield from _of_instruction(instruction)


def _of_instruction(instruction: Instruction) -> Iterator[Hint]:
    match instruction:
        case Run() | Cmd() | Entrypoint():
            yield from _exec_form(instruction, instruction.command)
        case Env() | Label() if instruction.legacy:
            name, (key, value) = type(instruction).__name__.upper(), instruction.pairs[0]
            yield _hint(instruction, "LegacyKeyValueFormat", f"write {name} {key}={_quoted(value)}")
        case Copy():
            yield from _outside(instruction)
        case Maintainer():
            yield _hint(
                instruction, "MaintainerDeprecated",
                f"write LABEL org.opencontainers.image.authors={_quoted(instruction.name)}",
            )  # fmt: skip
        case Expose():
            yield from _host_ports(instruction)
            yield from protocol_hints(instruction)
        case _:
            pass
    yield from _secrets(instruction)


def _exec_form(instruction: Instruction, command: Command) -> Iterator[Hint]:
    """`['sh', '-c', …]` is no JSON, so it becomes a shell command that fails in a way nobody understands."""
    text = command.words[0] if command.shell and command.words else ""
    if _ALMOST_JSON.match(text) and not text.startswith("[ "):  # `[ -f x ] …` is a test of the shell's
        why = "single quotes are no JSON" if "'" in text else "this is no JSON array of strings"
        yield _hint(instruction, "JSONArgsRecommended", f"{why}, so a shell gets it as text: use double quotes")


def _shell_form(instruction: Cmd | Entrypoint) -> Iterator[Hint]:
    """A program behind a shell gets no signal: it is killed after ten seconds of waiting."""
    command, name = instruction.command, type(instruction).__name__.upper()
    text = command.words[0] if command.words else ""
    if not command.shell or not text or _ALMOST_JSON.match(text):
        return
    plain = f"write {name} {json.dumps(text.split())}" if _SIMPLE.fullmatch(text) else "use the exec form"
    yield _hint(instruction, "JSONArgsRecommended", f"a shell stands between it and signals: {plain}")


def _outside(copy: Copy) -> Iterator[Hint]:
    if copy.from_:
        return
    for source in copy.sources:
        if source == ".." or source.startswith("../"):
            yield _hint(copy, "CopyOutsideContext", f"{source} lies outside the build context and cannot be copied")


def _host_ports(expose: Expose) -> Iterator[Hint]:
    for port in expose.ports:
        if ":" in port:
            yield _hint(
                expose, "ExposeInvalidFormat",
                f"{port} names a host's port: only run -p can publish, EXPOSE takes {port.rpartition(':')[2]}",
            )  # fmt: skip


def _secrets(instruction: Instruction) -> Iterator[Hint]:
    match instruction:
        case Arg():
            names = [name for name, _ in instruction.names]
        case Env():
            names = [name for name, _ in instruction.pairs]
        case _:
            return
    for name in names:
        if _SECRET.search(name):
            yield _hint(
                instruction, "SecretsUsedInArgOrEnv",
                f"{name} would be readable in the image: use RUN --mount=type=secret,id={name.lower()}",
            )  # fmt: skip


def _stage_names(stages: Sequence[Stage]) -> Iterator[Hint]:
    seen: dict[str, Stage] = {}
    for stage in stages:
        name = stage.start.name
        if name in ("scratch", "context"):
            yield _hint(stage.start, "ReservedStageName", f"{name} means something else: give it another name")
        if name and name in seen:
            yield _hint(stage.start, "DuplicateStageName", f"line {seen[name].start.range} has a stage {name} too")
        seen.setdefault(name, stage)


def _casing(source: Source) -> Iterator[Hint]:
    """`FROM … as` in another case than FROM."""
    for line in source.lines:
        words = line.rest.split()
        odd = words[-2:-1] and words[-2].lower() == "as" and words[-2].isupper() != line.written.isupper()
        if line.name == "from" and len(words) >= 3 and odd:
            wanted = "AS in capitals" if line.written.isupper() else "as in small letters"
            yield Hint(range=line.range, rule="FromAsCasing", text=f"write {wanted} like the other keywords")


def _quoted(text: str) -> str:
    if re.fullmatch(r"[\w./:@%+,$-]+", text):
        return text
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return '"' + text.replace('"', '\\"') + '"'


def _hint(instruction: Instruction, rule: str, text: str) -> Hint:
    return Hint(range=instruction.range, rule=rule, text=text)
