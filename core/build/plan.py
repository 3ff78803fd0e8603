"""Dockerfile + what was asked for -> the stages to build and what each of them needs. Pure.

docs.docker.com/reference/dockerfile, "Understand how ARG and FROM interact"; /build/building/multi-stage.
Stages that nothing needs are left out, as BuildKit does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.dockerfile.errors import DockerfileError
from core.dockerfile.instructions import Arg, Copy, Dockerfile, Hint, Instruction, OnBuild, Run, Stage
from core.dockerfile.words import Expander
from core.errors import InvalidArgument
from core.oci.image import Platform

SCRATCH = "scratch"
CHECK = "BUILDKIT_DOCKERFILE_CHECK"  # a build arg in place of `# check=`
# Given to RUN without an ARG, and never part of history or cache.
PROXIES = frozenset(
    name for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of a build's request decides what is built."""

    target: str = ""
    args: Mapping[str, str] = field(default_factory=dict)
    platform: Platform = field(default_factory=Platform)  # of the image
    machine: Platform = field(default_factory=Platform)  # that builds
    images: Mapping[str, str] = field(default_factory=dict)  # named contexts: images by name
    folders: Mapping[str, Path] = field(default_factory=dict)  # and folders


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """One stage with its base resolved: a stage by number, an image by name, or "" and None for scratch."""

    stage: Stage
    base_stage: int | None
    base_image: str
    platform: str
    needs: frozenset[int]
    images: tuple[str, ...]  # that steps copy or mount from
    base_folder: str = ""  # a named context whose files are the base

    @property
    def name(self) -> str:
        """What people call it: its name, or its number."""
        return self.stage.start.name or f"stage-{self.stage.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Needed stages in the order of the file; the last one is the target. `args` = those before the first FROM."""

    stages: tuple[PlannedStage, ...]
    args: Mapping[str, str]
    hints: tuple[Hint, ...]
    unused: tuple[str, ...]  # build args that no ARG takes

    @property
    def target(self) -> PlannedStage:
        return self.stages[-1]

    @property
    def steps(self) -> int:
        """How many instructions will be carried out, FROM among them."""
        return sum(1 + len(planned.stage.commands) for planned in self.stages)


def make_plan(file: Dockerfile, asked: Asked) -> Plan:
    """Raises DockerfileError where a stage is not there or needs itself, and for hints that the file forbids."""
    if file.strict and file.hints:
        rules = ", ".join(dict.fromkeys(hint.rule for hint in file.hints))
        first = file.hints[0]
        raise DockerfileError(f"lint violation found for rules: {rules}: {first.text}", first.range)
    args = _global_args(file, asked)
    target = _target(file, asked.target)
    planned = {stage.index: _planned(file, stage, args, asked) for stage in file.stages[: target.index + 1]}
    needed = sorted(_reached(target.index, planned))
    stages = tuple(planned[index] for index in needed)
    return Plan(stages=stages, args=args, hints=file.hints, unused=_unused(file, stages, asked))


def platform_args(asked: Asked) -> dict[str, str]:
    """The variables that need no value: docs.docker.com/reference/dockerfile, "Automatic platform ARGs"."""
    found = {}
    for prefix, platform in (("TARGET", asked.platform), ("BUILD", asked.machine)):
        found[f"{prefix}PLATFORM"] = str(platform)
        found[f"{prefix}OS"] = platform.os
        found[f"{prefix}ARCH"] = platform.architecture
        found[f"{prefix}VARIANT"] = platform.variant
    return found


def source_stage(file: Dockerfile, name: str, before: int) -> int | None:
    """The stage that `--from=name` in stage number `before` means; None where it means an image."""
    for stage in reversed(file.stages[:before]):
        if stage.start.name and stage.start.name == name.lower():
            return stage.index
    if name.isdecimal():
        if int(name) >= before:
            raise InvalidArgument(f"invalid from flag value {name}: stage {name} does not come before this one")
        return int(name)
    return None


def _global_args(file: Dockerfile, asked: Asked) -> dict[str, str]:
    automatic = platform_args(asked)
    values: dict[str, str] = {}
    for arg in file.args:
        for name, default in arg.names:
            if name in asked.args:
                values[name] = asked.args[name]
            elif default is not None:
                values[name] = _expand(arg, default, automatic | values)
            elif name in automatic:
                values[name] = automatic[name]
    return values


def _target(file: Dockerfile, name: str) -> Stage:
    if not name:
        return file.stages[-1]
    stage = file.stage(name)
    if stage is None:
        raise InvalidArgument(f'target stage "{name}" could not be found')
    return stage


def _planned(file: Dockerfile, stage: Stage, args: Mapping[str, str], asked: Asked) -> PlannedStage:
    variables = platform_args(asked) | dict(args)
    base = _expand(stage.start, stage.start.base, variables)
    if not base:
        raise DockerfileError(f"base name ({stage.start.base}) should not be blank", stage.start.range)
    folder = base if base in asked.folders else ""
    named = base in asked.images or bool(folder)
    base = asked.images.get(base, base)
    base_stage = None if named else _named_stage(file, base, stage.index)
    needs, images = set() if base_stage is None else {base_stage}, []
    for instruction, name in _sources(stage.commands):
        if name in asked.images or name in asked.folders:
            continue
        try:
            source = source_stage(file, name, stage.index)
        except InvalidArgument as error:
            raise DockerfileError(error.message, instruction.range) from error
        if source is None:
            images.append(name)
        else:
            needs.add(source)
    is_image = base_stage is None and not folder and base.lower() != SCRATCH
    return PlannedStage(
        stage=stage, base_stage=base_stage, base_image=base if is_image else "",
        platform=_expand(stage.start, stage.start.platform, variables), needs=frozenset(needs),
        images=tuple(dict.fromkeys(images)), base_folder=folder,
    )  # fmt: skip


def _named_stage(file: Dockerfile, base: str, before: int) -> int | None:
    """A base is a stage only by name: a number is an image's."""
    return next((s.index for s in reversed(file.stages[:before]) if s.start.name == base.lower() != ""), None)


def _sources(commands: Sequence[Instruction]) -> Iterator[tuple[Instruction, str]]:
    for command in commands:
        inner = command.trigger if isinstance(command, OnBuild) else command
        if command is not inner:
            continue  # it fires in another build, which has other stages
        if isinstance(inner, Copy) and inner.from_:
            yield inner, inner.from_
        elif isinstance(inner, Run):
            yield from ((inner, source) for mount in inner.mounts if (source := mount.get("from")))


def _reached(target: int, planned: Mapping[int, PlannedStage]) -> set[int]:
    found, waiting = set(), [target]
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += planned[index].needs
    return found


def _unused(file: Dockerfile, stages: Sequence[PlannedStage], asked: Asked) -> tuple[str, ...]:
    declared = {name for arg in file.args for name, _ in arg.names}
    for planned in stages:
        declared |= {name for c in planned.stage.commands if isinstance(c, Arg) for name, _ in c.names}
    return tuple(
        sorted(set(asked.args) - declared - PROXIES - set(platform_args(asked)) - {"SOURCE_DATE_EPOCH", CHECK})
    )


def _expand(instruction: Instruction, text: str, variables: Mapping[str, str]) -> str:
    try:
        return Expander(variables).word(text)
    except InvalidArgument as error:
        raise DockerfileError(error.message, instruction.range) from error
