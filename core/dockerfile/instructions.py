"""Every instruction of a Dockerfile as plain data; texts are unexpanded, because the stage knows the variables.

docs.docker.com/reference/dockerfile. `range` is where it stands in the file, `text` the instruction as written.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.dockerfile.errors import Range
from core.dockerfile.lines import Heredoc

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """What all have in common."""

    range: Range
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line: exec form (`words`) or one text for the shell (`shell` true, one word)."""

    words: tuple[str, ...]
    shell: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """`RUN --mount=…`. docs.docker.com/reference/dockerfile, "RUN --mount"."""

    type: str
    options: Pairs = ()

    def get(self, name: str, default: str = "") -> str:
        """The last value given for an option."""
        return dict(self.options).get(name, default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Instruction):
    """`ARG NAME[=DEFAULT] …`; None where there is no default."""

    names: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Instruction):
    """`FROM [--platform=P] BASE [AS NAME]`."""

    base: str
    name: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Instruction):
    """`RUN`, with the heredocs that belong to it."""

    command: Command
    mounts: tuple[Mount, ...] = ()
    network: str = "default"
    security: str = "sandbox"
    heredocs: tuple[Heredoc, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Instruction):
    """`COPY` and `ADD` (`add` true). `heredocs` are sources of their own, by the word that named them."""

    sources: tuple[str, ...]
    target: str
    add: bool = False
    from_: str = ""
    chown: str = ""
    chmod: str = ""
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()
    checksum: str = ""
    keep_git_dir: bool = False
    unpack: bool | None = None
    heredocs: tuple[Heredoc, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Instruction):
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Instruction):
    command: Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Instruction):
    """`legacy` is the form without `=`."""

    pairs: Pairs
    legacy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Instruction):
    pairs: Pairs
    legacy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Instruction):
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Instruction):
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Instruction):
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Instruction):
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Instruction):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Instruction):
    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Instruction):
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck(Instruction):
    """`command` None = `NONE`. Times in nanoseconds as the image's config has them; 0 = not given."""

    command: Command | None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBuild(Instruction):
    """`trigger` is checked here, kept as text in the image, and parsed again in the build it fires in."""

    trigger: Instruction
    trigger_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One `FROM` and what follows it."""

    index: int
    start: From
    commands: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Something that works but is probably not meant."""

    range: Range
    rule: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A whole file, parsed."""

    stages: tuple[Stage, ...]
    args: tuple[Arg, ...] = ()  # before the first FROM
    hints: tuple[Hint, ...] = ()
    escape: str = "\\"
    syntax: str = ""
    strict: bool = False  # hints make the build fail

    def stage(self, name: str) -> Stage | None:
        """By name (any case) or by number."""
        for stage in self.stages:
            if stage.start.name and stage.start.name == name.lower():
                return stage
        return self.stages[int(name)] if name.isdecimal() and int(name) < len(self.stages) else None
