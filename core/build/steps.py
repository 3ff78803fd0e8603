"""Instructions with their words expanded, ready to be done. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.build.plan import Plan
from core.build.state import State
from core.build.work import CopyWork, Tree
from core.dockerfile.instructions import Copy, Instruction, Run
from core.errors import InvalidArgument
from core.images.instruct import arguments
from core.model.build import PlannedStep


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction of one stage, and what is told of it."""

    instruction: Instruction
    told: PlannedStep


def steps_of(plan: Plan) -> Mapping[int, tuple[Step, ...]]:
    """The steps of every stage by its number, FROM first; ids count through the whole plan, from 1."""
    found: dict[int, tuple[Step, ...]] = {}
    ident = 0
    for planned in plan.stages:
        instructions = (planned.stage.start, *planned.stage.commands)
        steps = []
        for number, instruction in enumerate(instructions, 1):
            ident += 1
            where = instruction.range
            told = PlannedStep(
                id=ident, stage=planned.name, number=number, total=len(instructions), text=instruction.text,
                line=where.first, last_line=where.last,
            )  # fmt: skip
            steps.append(Step(instruction, told))
        found[planned.stage.index] = tuple(steps)
    return found


def run_words(instruction: Run, shell: tuple[str, ...]) -> tuple[str, ...]:
    """The command line of a RUN. A heredoc that stands alone is the script, else the shell reads it itself."""
    words = arguments(instruction.command, shell)
    if not instruction.heredocs:
        return words
    line = instruction.command.words[0]
    if len(instruction.heredocs) == 1 and len(line.split()) == 1 and line.startswith("<<"):
        return (*words[:-1], instruction.heredocs[0].text)
    below = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in instruction.heredocs)
    return (*words[:-1], line + below)


def copy_work(instruction: Copy, state: State, tree: Tree | None) -> CopyWork:
    """A COPY or ADD with its words expanded. Raises InvalidArgument."""
    expander = state.expander
    sources = tuple(word for source in instruction.sources for word in expander.words(source, split=False))
    target = expander.word(instruction.target)
    if not sources or not target:
        raise InvalidArgument(f"{_name(instruction)} requires at least two arguments")
    is_folder = target.endswith(("/", "/.")) or target == "."
    if len(sources) > 1 and not is_folder:
        raise InvalidArgument(
            f"When using {_name(instruction)} with more than one source file, "
            "the destination must be a directory and end with a /"
        )
    chmod = expander.word(instruction.chmod)
    if chmod and not (re.fullmatch("[0-7]+", chmod) and int(chmod, 8) <= 0o7777):
        raise InvalidArgument(
            f"invalid chmod parameter: '{chmod}'. it should be octal string and between 0 and 07777"
        )
    absolute = posixpath.normpath(posixpath.join("/", state.config.working_dir, target))
    return CopyWork(
        instruction=instruction, sources=sources, target="/" + absolute.lstrip("/"), target_is_folder=is_folder,
        tree=tree, shown=target, chown=expander.word(instruction.chown), chmod=chmod,
        variables=state.env | {name: value for name, value in state.scope.args.items() if value is not None},
    )  # fmt: skip


def copy_parts(work: CopyWork) -> dict[str, Any]:
    """What makes a copy's key beside the digest of what it copies."""
    return {
        "text": work.instruction.text, "target": work.target, "folder": work.target_is_folder,
        "chown": work.chown, "chmod": work.chmod, "owners": work.keeps_owners,
    }  # fmt: skip


def _name(instruction: Copy) -> str:
    return "ADD" if instruction.add else "COPY"
