"""`-c` instructions of `import` and `commit`: those of the Dockerfile that only change the config. Pure.

docs.docker.com/reference/cli/docker/image/import. The variables are those of the config, as it is at that line.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from core.dockerfile.errors import DockerfileError
from core.dockerfile.instructions import Cmd, Entrypoint
from core.dockerfile.lines import Line, read
from core.dockerfile.parser import parse_line
from core.dockerfile.words import Expander
from core.errors import InvalidArgument
from core.images.instruct import changes_config_only, instruct, variables
from core.oci.image import ExecutionConfig

_TAKEN = frozenset(
    {"cmd", "entrypoint", "env", "expose", "healthcheck", "label", "onbuild", "stopsignal", "user", "volume",
     "workdir"}
)  # fmt: skip


def apply_changes(config: ExecutionConfig, changes: Sequence[str]) -> ExecutionConfig:
    """`config` with every instruction applied in order. Raises InvalidArgument with Docker's words.

    A new entrypoint takes a command away that none of the instructions has set, as in a Dockerfile.
    """
    has_command = False
    for line in (line for change in changes for line in _lines(change)):
        if line.name not in _TAKEN:
            raise InvalidArgument(f"{line.name} is not a valid change command")
        try:
            instruction = parse_line(line, "\\")
        except DockerfileError as error:
            raise InvalidArgument(error.reason) from error
        assert changes_config_only(instruction)
        config = instruct(config, instruction, Expander(variables(config.env)))
        has_command |= isinstance(instruction, Cmd)
        if isinstance(instruction, Entrypoint) and not has_command:
            config = replace(config, cmd=())
    return config


def _lines(change: str) -> tuple[Line, ...]:
    try:
        return read(change.encode(errors="surrogateescape")).lines if change.strip() else ()
    except DockerfileError as error:
        raise InvalidArgument(error.reason) from error
