"""Hints about FROM, its platform and its variables, and about how words are written.

Rule names are those of docs.docker.com/reference/build-checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from core.dockerfile.instructions import Arg, Expose, From, Hint, Stage
from core.dockerfile.lines import Line, Source
from core.dockerfile.words import Expander
from core.errors import InvalidArgument

AUTOMATIC = frozenset(
    prefix + suffix for prefix in ("TARGET", "BUILD") for suffix in ("PLATFORM", "OS", "ARCH", "VARIANT")
)
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)|([A-Za-z_]\w*))", re.ASCII)
_NAME = re.compile(r"[a-zA-Z0-9](?:[\w.-]|[/:@](?=[a-zA-Z0-9_]))*", re.ASCII)


def base_hints(args: Sequence[Arg], stages: Sequence[Stage]) -> Iterator[Hint]:
    """What is odd about the FROM lines, given the ARGs before the first of them."""
    declared = {name: default for arg in args for name, default in arg.names}
    for stage in stages:
        start = stage.start
        yield from _platform(start)
        used = [found[1] or found[2] for found in _VARIABLE.finditer(f"{start.base} {start.platform}")]
        missing = [name for name in dict.fromkeys(used) if name not in declared and name not in AUTOMATIC]
        for name in missing:
            yield _hint(
                start, "UndefinedArgInFrom", f"{name} is not declared: write ARG {name} before the first FROM"
            )
        if used and not missing and not _fits(start, declared):
            yield _hint(
                start, "InvalidDefaultArgInFrom",
                f"with the defaults of its variables {start.base} is no image's name: give {used[-1]} a default",
            )  # fmt: skip


def casing_hints(source: Source) -> Iterator[Hint]:
    """Keywords in another case than most, and names of stages with capitals."""
    upper = sum(line.written.isupper() for line in source.lines)
    lower = sum(line.written.islower() for line in source.lines)
    for line in source.lines:
        yield from _stage_name(line)
        wanted = line.written.upper() if upper >= lower else line.written.lower()
        if line.written not in ("", wanted):
            most = "uppercase" if upper >= lower else "lowercase"
            yield Hint(
                range=line.range, rule="ConsistentInstructionCasing",
                text=f"{line.written} is written otherwise than most here, which are {most}: write {wanted}",
            )  # fmt: skip


def protocol_hints(expose: Expose) -> Iterator[Hint]:
    """EXPOSE with a protocol in capitals."""
    for port in expose.ports:
        number, slash, protocol = port.partition("/")
        if slash and protocol != protocol.lower() and "$" not in protocol:
            text = f"the protocol of {port} has capitals: write EXPOSE {number}/{protocol.lower()}"
            yield Hint(range=expose.range, rule="ExposeProtoCasing", text=text)


def _platform(start: From) -> Iterator[Hint]:
    if start.platform.strip("${}") == "TARGETPLATFORM":
        yield _hint(
            start, "RedundantTargetPlatform", "--platform=$TARGETPLATFORM is what is meant without it: leave it out"
        )
    elif start.platform and "$" not in start.platform:
        architecture = start.platform.split("/")[1] if "/" in start.platform else start.platform
        if architecture not in start.name:
            yield _hint(
                start, "FromPlatformFlagConstDisallowed",
                f"{start.platform} is the platform whatever one builds for: give it by build --platform",
            )  # fmt: skip


def _fits(start: From, declared: dict[str, str | None]) -> bool:
    """Whether the base is a name with every variable at its default."""
    values = dict.fromkeys(AUTOMATIC, "x")
    try:
        for name, default in declared.items():
            values[name] = Expander(values).word(default or "")
        return _NAME.fullmatch(Expander(values).word(start.base)) is not None
    except InvalidArgument:
        return True  # the plan says what is wrong with it


def _stage_name(line: Line) -> Iterator[Hint]:
    words = line.rest.split()
    if line.name == "from" and len(words) >= 3 and words[-2].lower() == "as" and words[-1] != words[-1].lower():
        text = f"the name of stage {words[-1]} has capitals: write {words[-1].lower()}, for case does not count"
        yield Hint(range=line.range, rule="StageNameCasing", text=text)


def _hint(start: From, rule: str, text: str) -> Hint:
    return Hint(range=start.range, rule=rule, text=text)
