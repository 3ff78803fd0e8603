"""The second half of a plan, the same for a container's first process and for an exec. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import InvalidSpec
from core.linux.capnames import mask
from core.oci.runtime import Capabilities, Process, Rlimit
from core.runtime import steps as do
from core.runtime.steps import Plan, Step

_UINT32 = 1 << 32
_UNLIMITED = (1 << 64) - 1
# setrlimit(2); the same on every architecture that we run on
_LIMITS = {
    f"RLIMIT_{name}": number
    for number, name in enumerate(
        ("CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
         "MSGQUEUE", "NICE", "RTPRIO", "RTTIME")
    )
}  # fmt: skip
_FILTER_FLAGS = {"SECCOMP_FILTER_FLAG_TSYNC": 0, "SECCOMP_FILTER_FLAG_LOG": 2, "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4}


def exec_plan(process: Process, *, seccomp: bytes | None) -> Plan:
    """One more process inside: it is in the namespaces already. Raises InvalidSpec."""
    steps: list[Step] = []
    if process.terminal:
        steps.append(open_console(process, show=False))
    return (*steps, *program_steps(process, seccomp=seccomp))


def open_console(process: Process, *, show: bool) -> Step:
    """A process's terminal."""
    size = process.console_size
    height, width = (size.height, size.width) if size else (0, 0)
    return do.OpenConsole(process.user.uid, height, width, show=show, utf8=_types_utf8(process.env))


def _types_utf8(env: tuple[str, ...]) -> bool:
    """Whether the user's terminal is one for UTF-8, as nearly all are: unless the locale names another charset.

    The kernel must count as the terminal does, or a backspace leaves half of a character in the line. ssh asks
    the client's locale; a container has no other word of it than what the process is given. locale(7)
    """
    names = dict(item.partition("=")[::2] for item in env)
    locale = next((names[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if names.get(name)), "")
    charset = locale.partition("@")[0].partition(".")[2]
    return not charset or charset.lower().replace("-", "") == "utf8"


def program_steps(
    process: Process,
    *,
    seccomp: bytes | None,
    flags: tuple[str, ...] = (),
    gate: bool = False,
    init: str | None = None,
) -> Iterator[Step]:
    """From inside the container to the program, or to `init`, which starts it. Raises InvalidSpec."""
    if not process.args or not process.args[0]:
        raise InvalidSpec("process.args must not be empty")
    if not process.cwd.startswith("/"):
        raise InvalidSpec(f"process.cwd {process.cwd!r} must be an absolute path")
    if process.oom_score_adj is not None and not -1000 <= process.oom_score_adj <= 1000:
        raise InvalidSpec(f"process.oomScoreAdj {process.oom_score_adj} is out of range")
    env = dict(item.partition("=")[::2] for item in process.env if "=" in item[1:])
    filter_ = [do.LoadFilter(seccomp, _filter_flags(flags))] if seccomp else []
    yield do.NewSession()
    yield from (_limit(limit) for limit in process.rlimits)
    yield do.EnterFolder(process.cwd)
    if not process.no_new_privileges:
        yield from filter_  # loading one takes CAP_SYS_ADMIN, which the next step gives up
    yield _user(process)
    yield do.FindProgram(process.args[0], tuple(env.get("PATH", "").split(":")) if env.get("PATH") else ())
    if process.no_new_privileges:
        yield do.NoNewPrivs()
        yield from filter_
    if gate:
        yield do.WaitAtGate()
    args = tuple(_bytes(argument) for argument in process.args)
    variables = tuple((_bytes(name), _bytes(value)) for name, value in env.items())
    yield do.ExecuteUnder(init, args, variables) if init else do.Execute(args, variables)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _limit(limit: Rlimit) -> Step:
    number = _LIMITS.get(limit.type)
    if number is None:
        raise InvalidSpec(f"unknown resource limit {limit.type!r}")
    soft, hard = (-1 if value in (-1, _UNLIMITED) else value for value in (limit.soft, limit.hard))
    if not (-1 <= soft < _UNLIMITED >> 1 and -1 <= hard < _UNLIMITED >> 1):
        raise InvalidSpec(f"{limit.type}: limit {limit.soft}:{limit.hard} is out of range")
    if hard != -1 and (soft == -1 or soft > hard):
        raise InvalidSpec(f"{limit.type}: soft limit {limit.soft} is above hard limit {limit.hard}")
    return do.SetLimit(limit.type, number, soft, hard)


def _user(process: Process) -> Step:
    user, caps = process.user, process.capabilities or Capabilities()
    for number in (user.uid, user.gid, *user.additional_gids):
        if not 0 <= number < _UINT32 - 1:
            raise InvalidSpec(f"user or group id {number} is out of range")
    try:
        return do.BecomeUser(
            user.uid,
            user.gid,
            user.additional_gids,
            bounding=mask(caps.bounding),
            effective=mask(caps.effective),
            permitted=mask(caps.permitted),
            inheritable=mask(caps.inheritable),
            ambient=mask(caps.ambient),
            umask=0o022 if user.umask is None else user.umask & 0o777,
        )
    except KeyError as error:
        raise InvalidSpec(f"unknown capability {error.args[0]!r}") from None


def _filter_flags(names: tuple[str, ...]) -> int:
    bits = 0
    for name in names:
        if name not in _FILTER_FLAGS:
            raise InvalidSpec(f"unknown seccomp flag {name!r}")
        bits |= _FILTER_FLAGS[name]
    return bits
