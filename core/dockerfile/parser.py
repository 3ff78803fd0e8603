"""Lines -> typed instructions -> stages. Every error carries the line, in Docker's words.

moby/buildkit frontend/dockerfile/{parser,instructions} say the same in Go; this is written from the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from core.dockerfile import forms
from core.dockerfile.checking import parse_check
from core.dockerfile.errors import DockerfileError
from core.dockerfile.hints import hints_of
from core.dockerfile.instructions import (
    Arg,
    Cmd,
    Copy,
    Dockerfile,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Hint,
    Instruction,
    Label,
    Maintainer,
    Mount,
    OnBuild,
    Run,
    Shell,
    Stage,
    StopSignal,
    User,
    Volume,
    Workdir,
)
from core.dockerfile.lines import Line, Source, read
from core.dockerfile.quoting import split_words
from core.errors import InvalidArgument

Parse = Callable[[Line, str], Instruction]


def parse(data: bytes, name: str = "Dockerfile", *, check: str = "") -> Dockerfile:
    """A whole Dockerfile; `check` in place of its own `# check=`. Raises DockerfileError."""
    source = read(data, name)
    checked = parse_check(check or source.check)
    instructions = [parse_line(line, source.escape) for line in source.lines]
    hints = [Hint(range=where, rule="NoEmptyContinuation", text=text) for where, text in source.warnings]
    args, stages = _stages(instructions)
    return Dockerfile(
        stages=stages, args=args, hints=checked.kept((*hints, *hints_of(source, args, stages))),
        escape=source.escape, syntax=source.syntax, strict=checked.error,
    )  # fmt: skip


def parse_trigger(text: str, escape: str = "\\") -> Instruction:
    """One instruction kept in an image by ONBUILD. Raises DockerfileError."""
    source: Source = read(text.encode())
    if len(source.lines) != 1:
        raise DockerfileError(f"an ONBUILD trigger is one instruction, not {len(source.lines)}")
    return parse_line(source.lines[0], escape)


def parse_line(line: Line, escape: str) -> Instruction:
    """One instruction. Raises DockerfileError."""
    parser = _PARSERS.get(line.name)
    if parser is None:
        raise DockerfileError(f"unknown instruction: {line.name.upper()}{_meant(line.name)}", line.range)
    try:
        return parser(line, escape)
    except DockerfileError:
        raise
    except InvalidArgument as error:
        raise DockerfileError(error.message, line.range) from error


def _meant(name: str) -> str:
    near = forms.nearest(name, _PARSERS)
    return f" (did you mean {near.upper()}?)" if near else ""


def _stages(instructions: Sequence[Instruction]) -> tuple[tuple[Arg, ...], tuple[Stage, ...]]:
    args: list[Arg] = []
    heads: list[From] = []
    bodies: list[list[Instruction]] = []
    for instruction in instructions:
        if isinstance(instruction, From):
            heads.append(instruction)
            bodies.append([])
        elif bodies:
            bodies[-1].append(instruction)
        elif isinstance(instruction, Arg):
            args.append(instruction)
        else:
            raise DockerfileError("no build stage in current context", instruction.range)
    if not heads:
        raise DockerfileError("no build stage in current context", instructions[-1].range)
    stages = (
        Stage(index=number, start=head, commands=tuple(body))
        for number, (head, body) in enumerate(zip(heads, bodies, strict=True))
    )
    return tuple(args), tuple(stages)


def _text(line: Line) -> str:
    return f"{line.name.upper()} {line.rest}".rstrip()


def _from(line: Line, escape: str) -> From:
    flags = forms.take_flags(line, escape, platform=forms.ONE)
    words = flags.rest.split()
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].lower() != "as"):
        raise InvalidArgument("FROM requires either one or three arguments")
    name = words[2].lower() if len(words) == 3 else ""
    if name and not forms.STAGE_NAME.fullmatch(name):
        raise InvalidArgument(
            f'invalid name for build stage: "{words[2]}", name can\'t start with a number or contain symbols'
        )
    return From(range=line.range, text=_text(line), base=words[0], name=name, platform=flags.one("platform"))


def _arg(line: Line, escape: str) -> Arg:
    flags = forms.take_flags(line, escape)
    words = split_words(flags.rest, escape)
    if not words:
        raise InvalidArgument("ARG requires at least one argument")
    names: list[tuple[str, str | None]] = []
    for word in words:
        name, equals, default = word.partition("=")
        if not name:
            raise InvalidArgument("ARG names can not be blank")
        names.append((name, default if equals else None))
    return Arg(range=line.range, text=_text(line), names=tuple(names))


def _run(line: Line, escape: str) -> Run:
    flags = forms.take_flags(
        line, escape, mount=forms.MANY, network=forms.ONE, security=forms.ONE, device=forms.MANY
    )
    if not flags.rest:
        raise InvalidArgument("RUN requires at least one argument")
    mounts = tuple(_mount(text) for text in flags.many("mount"))
    network, security = flags.one("network") or "default", flags.one("security") or "sandbox"
    if network not in ("default", "none", "host"):
        raise InvalidArgument(f'invalid network mode "{network}"')
    if security not in ("sandbox", "insecure"):
        raise InvalidArgument(f'invalid security mode "{security}"')
    command = forms.command(flags.rest)
    if line.heredocs and not command.shell:
        raise InvalidArgument("a heredoc needs the shell form of RUN")
    return Run(
        range=line.range, text=_text(line), command=command, mounts=mounts, network=network, security=security,
        heredocs=line.heredocs,
    )  # fmt: skip


def _mount(text: str) -> Mount:
    options = []
    for field in text.split(","):
        name, _, value = field.partition("=")
        name = _MOUNT_NAMES.get(name.strip().lower(), name.strip().lower())
        if name not in _MOUNT_OPTIONS:
            raise InvalidArgument(f"unexpected key '{name}' in '{field}'")
        options.append((name, value))
    kind = dict(options).get("type", "bind")
    if kind not in ("bind", "cache", "secret", "ssh", "tmpfs"):
        raise InvalidArgument(f'unsupported mount type "{kind}"')
    return Mount(type=kind, options=tuple((name, value) for name, value in options if name != "type"))


_MOUNT_NAMES = {"dst": "target", "destination": "target", "src": "source", "ro": "readonly", "rw": "readwrite"}
_MOUNT_OPTIONS = frozenset(
    {
        "type", "target", "source", "from", "readonly", "readwrite", "id", "sharing", "mode", "uid", "gid",
        "required", "env", "size",
    }
)  # fmt: skip


def _copy(line: Line, escape: str) -> Copy:
    add = line.name == "add"
    common = {"chown": forms.ONE, "chmod": forms.ONE, "link": forms.BOOL, "exclude": forms.MANY}
    special = (
        {"checksum": forms.ONE, "keep-git-dir": forms.BOOL, "unpack": forms.BOOL}
        if add
        else {"from": forms.ONE, "parents": forms.BOOL}
    )
    flags = forms.take_flags(line, escape, **common, **special)
    listed = forms.json_words(flags.rest)
    words = list(listed) if listed is not None else split_words(flags.rest, escape)
    if len(words) < 2:
        raise InvalidArgument(f"{line.name.upper()} requires at least two arguments")
    return Copy(
        range=line.range, text=_text(line), add=add, sources=tuple(words[:-1]), target=words[-1],
        from_=flags.one("from"), chown=flags.one("chown"), chmod=flags.one("chmod"), link=flags.switch("link"),
        parents=flags.switch("parents"), exclude=flags.many("exclude"), checksum=flags.one("checksum"),
        keep_git_dir=flags.switch("keep-git-dir"),
        unpack=flags.switch("unpack") if flags.given("unpack") else None, heredocs=line.heredocs,
    )  # fmt: skip


def _cmd(line: Line, escape: str) -> Cmd:
    rest = forms.take_flags(line, escape).rest
    return Cmd(range=line.range, text=_text(line), command=forms.command(rest))


def _entrypoint(line: Line, escape: str) -> Entrypoint:
    rest = forms.take_flags(line, escape).rest
    if not rest:
        raise InvalidArgument("ENTRYPOINT requires at least one argument")
    return Entrypoint(range=line.range, text=_text(line), command=forms.command(rest))


def _env(line: Line, escape: str) -> Env:
    pairs, legacy = forms.pairs(line, escape)
    return Env(range=line.range, text=_text(line), pairs=pairs, legacy=legacy)


def _label(line: Line, escape: str) -> Label:
    pairs, legacy = forms.pairs(line, escape)
    return Label(range=line.range, text=_text(line), pairs=pairs, legacy=legacy)


def _expose(line: Line, escape: str) -> Expose:
    words = forms.take_flags(line, escape).rest.split()
    if not words:
        raise InvalidArgument("EXPOSE requires at least one argument")
    return Expose(range=line.range, text=_text(line), ports=tuple(words))


def _volume(line: Line, escape: str) -> Volume:
    rest = forms.take_flags(line, escape).rest
    listed = forms.json_words(rest)
    words = listed if listed is not None else tuple(rest.split())
    if not words:
        raise InvalidArgument("VOLUME requires at least one argument")
    if not all(word.strip() for word in words):
        raise InvalidArgument("VOLUME specified can not be an empty string")
    return Volume(range=line.range, text=_text(line), paths=words)


def _one(line: Line, escape: str) -> str:
    rest = forms.take_flags(line, escape).rest
    if not rest:
        raise InvalidArgument(f"{line.name.upper()} requires exactly one argument")
    return rest


def _shell(line: Line, escape: str) -> Shell:
    words = forms.json_words(forms.take_flags(line, escape).rest)
    if words is None:
        raise InvalidArgument(f"SHELL requires the arguments to be in JSON form: {_text(line)}")
    if not words:
        raise InvalidArgument("SHELL requires at least one argument")
    return Shell(range=line.range, text=_text(line), words=words)


def _healthcheck(line: Line, escape: str) -> Healthcheck:
    names = ("interval", "timeout", "start-period", "start-interval", "retries")
    flags = forms.take_flags(line, escape, **dict.fromkeys(names, forms.ONE))
    kind, _, rest = flags.rest.partition(" ")
    if not kind:
        raise InvalidArgument("HEALTHCHECK requires at least one argument")
    if kind.upper() == "NONE":
        if rest.strip():
            raise InvalidArgument("HEALTHCHECK NONE takes no arguments")
        return Healthcheck(range=line.range, text=_text(line), command=None)
    if kind.upper() != "CMD":
        raise InvalidArgument(f'Unknown type "{kind}" in HEALTHCHECK (try CMD)')
    if not rest.strip():
        raise InvalidArgument("Missing command after HEALTHCHECK CMD")
    times = {name.replace("-", "_"): _health_time(name, flags.one(name)) for name in names[:-1]}
    command = forms.command(rest.strip())
    retries = _retries(flags.one("retries"))
    return Healthcheck(range=line.range, text=_text(line), command=command, retries=retries, **times)


def _health_time(name: str, text: str) -> int:
    value = forms.nanoseconds(text, name) if text else 0
    if 0 < value < 1_000_000:
        raise InvalidArgument(f'Interval "{name}" cannot be less than 1ms')
    return value


def _retries(text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or len(text) > 9:
        raise InvalidArgument(f"--retries must be a number, not {text}")
    return int(text)


def _onbuild(line: Line, escape: str) -> OnBuild:
    rest = _one(line, escape)
    name, _, arguments = rest.partition(" ")
    if name.lower() == "onbuild":
        raise InvalidArgument("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if name.lower() in ("maintainer", "from"):
        raise InvalidArgument(f"{name.upper()} isn't allowed as an ONBUILD trigger")
    trigger = parse_line(Line(name.lower(), arguments.strip(), line.range, line.heredocs), escape)
    below = "".join(f"\n{heredoc.content}{heredoc.name}" for heredoc in line.heredocs)
    return OnBuild(range=line.range, text=_text(line), trigger=trigger, trigger_text=rest + below)


_PARSERS: dict[str, Parse] = {
    "add": _copy,
    "arg": _arg,
    "cmd": _cmd,
    "copy": _copy,
    "entrypoint": _entrypoint,
    "env": _env,
    "expose": _expose,
    "from": _from,
    "healthcheck": _healthcheck,
    "label": _label,
    "maintainer": lambda line, escape: Maintainer(range=line.range, text=_text(line), name=_one(line, escape)),
    "onbuild": _onbuild,
    "run": _run,
    "shell": _shell,
    "stopsignal": lambda line, escape: StopSignal(range=line.range, text=_text(line), signal=_one(line, escape)),
    "user": lambda line, escape: User(range=line.range, text=_text(line), user=_one(line, escape)),
    "volume": _volume,
    "workdir": lambda line, escape: Workdir(range=line.range, text=_text(line), path=_one(line, escape)),
}
