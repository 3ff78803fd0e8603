"""Steps that only change words, and whether an image's history tells what a step is. Pure."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from core.build import describe
from core.build.hands import Prepared
from core.build.hits import Told
from core.build.plan import PlannedStage
from core.build.state import State
from core.dockerfile.instructions import Arg, Cmd, Copy, Entrypoint, Instruction, Maintainer
from core.images.instruct import instruct


def prepare_words(state: State, instruction: Instruction) -> Prepared:
    """What changes nothing but words: the config, the variables, the author."""
    expander = state.expander
    match instruction:
        case Arg():
            after = replace(state, scope=state.scope.declare(instruction, state.env))
        case Maintainer():
            after = replace(state, author=expander.word(instruction.name))
        case _:
            after = replace(state, config=instruct(state.config, instruction, expander))
    if isinstance(instruction, Cmd):
        after = replace(after, has_command=True)
    elif isinstance(instruction, Entrypoint) and not state.has_command:
        after = replace(after, config=msgspec.structs.replace(after.config, cmd=()))
    created_by = describe.created_by(instruction, after.config, expander)
    return Prepared(state=after, parts={"text": created_by}, created_by=created_by, told=tells(created_by))


def copy_of(planned: PlannedStage) -> Copy:
    """FROM a named context that is a folder: all its files, as the first layer."""
    start = planned.stage.start
    return Copy(range=start.range, text=start.text, sources=(".",), target="/", from_=planned.base_folder)


def without_triggers(state: State) -> State:
    """ONBUILD fires once."""
    return replace(state, config=msgspec.structs.replace(state.config, on_build=()))


def tells(created_by: str) -> Told:
    """Of a step that is all that its line of history says."""

    async def told(text: str) -> bool:
        return text == created_by

    return told


def is_told_whole(copy: Copy) -> bool:
    """Whether its line of history says all of a copy: Docker's classic builder knows none of these flags."""
    own = copy.chmod or copy.link or copy.parents or copy.exclude or copy.checksum or copy.keep_git_dir
    return not own and copy.unpack is None and not copy.heredocs
