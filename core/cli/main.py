"""`onggi`: finds the verb, runs it, and is the only place that turns an error into a line and an exit code."""

from __future__ import annotations

import os
import sys

from core import __version__
from core.cli import verbs
from core.cli.context import Context, is_terminal, warn
from core.cli.failure import PROGRAM, CommandFailed, UsageError, engine_says
from core.cli.parser import FLAG_ERROR, Arguments, scan
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

INTERRUPTED = 130
BROKEN_PIPE = 141


def program() -> NoReturn:
    """The process: `main`, and then its end at once.

    Nothing of a command is left to be tidied up by an interpreter that takes itself apart, which costs 3 ms.
    """
    code = main()
    if "threading" in sys.modules:  # whoever works in threads may have something to finish
        sys.exit(code)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass  # nobody reads any more
    os._exit(code)


def main(argv: list[str] | None = None) -> int:
    """Run a command line (without the program's name; default `sys.argv`) and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    return failure_code(lambda: _dispatch(argv))


def _open_standard_streams() -> None:
    """Put /dev/null where a caller closed one (`>&-`): the next socket would take its number, and its bytes."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def failure_code(act: Callable[[], int]) -> int:
    """The exit code of `act`; what it raises becomes one line on stderr and the code for it."""
    try:
        code = act()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads: let nothing fail at the interpreter's end
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except CommandFailed as error:
        if error.message:
            warn(error.message)
        return error.exit_code
    except EngineError as error:
        warn(engine_says(error))
        return 1
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        warn(f"{error.filename}: {reason}" if error.filename else reason)
        return 1
    return code


def _dispatch(argv: list[str]) -> int:
    from_flags = Arguments("", ())
    words = argv
    host = None
    if argv and argv[0].startswith("-"):
        from core.cli.help import GLOBAL_FLAGS

        from_flags = Arguments("", GLOBAL_FLAGS)
        try:
            asked = scan(GLOBAL_FLAGS, argv, from_flags, stop_early=True)
        except ValueError as error:
            more = f"Run '{PROGRAM} --help' for more information"
            raise UsageError(f"{error}\n\nUsage:  {PROGRAM} [OPTIONS] [COMMAND]\n\n{more}", FLAG_ERROR) from None
        if not asked or from_flags.on("help"):
            return _program_help()
        if from_flags.on("version"):
            print(f"{PROGRAM} version {__version__}")
            return 0
        words = from_flags.operands
        host = from_flags.text("host") or None
    context = Context(host, argv)
    if not words:
        return _app(context)
    return _verb(context, words)


def _app(context: Context) -> int:
    if not (is_terminal(0) and is_terminal(1)):
        return _program_help()
    from importlib import import_module

    # By name: the app is a sibling of this room, and nothing here may depend on it.
    return int(import_module("tui.app").main(context.host) or 0)


def _verb(context: Context, words: list[str]) -> int:
    name, *rest = words
    if name == "help":
        return _verb(context, [*rest, "--help"]) if rest else _program_help()
    if name in verbs.GROUPS:
        return _group(context, name, rest)
    if name not in verbs.VERBS:
        raise _unknown("", name, [*verbs.VERBS, *verbs.GROUPS])
    return _run(context, name, name, rest)


def _group(context: Context, group: str, words: list[str]) -> int:
    summary, table = verbs.GROUPS[group]
    if group == "engine" and (not words or words[0].startswith("-")) and words[:1] not in (["--help"], ["-h"]):
        return _run(context, "engine", table["run"], words)
    if not words or words[0] in ("--help", "-h", "help"):
        from core.cli import help

        listed = [(name, verbs.load(where).summary) for name, where in sorted(table.items())]
        print(help.of_group(group, summary, listed), end="")
        return 0
    name, *rest = words
    if name.startswith("-"):
        more = f"Run '{PROGRAM} {group} --help' for more information"
        raise UsageError(f"unknown flag: {name}\n\nUsage:  {PROGRAM} {group} COMMAND\n\n{more}", FLAG_ERROR)
    name = verbs.ALIASES.get((group, name), name)
    if name not in table:
        raise _unknown(f"{group} ", name, list(table))
    return _run(context, f"{group} {name}", table[name], rest)


def _run(context: Context, path: str, where: str, words: list[str]) -> int:
    command = verbs.load(where)
    arguments = command.parse(path, words)
    if arguments is None:
        from core.cli import help

        print(help.of_command(path, command, verbs.spellings(where)), end="")
        return 0
    return command.run(context, arguments)


def _unknown(group: str, name: str, names: list[str]) -> UsageError:
    from core.cli import hints

    meant = hints.verb(names, name)
    hint = f"\n\nDid you mean '{PROGRAM} {group}{meant}'?" if meant else ""
    usage = f"Usage:  {PROGRAM} {group.rstrip()}\n\n" if group else ""
    more = f"{usage}Run '{PROGRAM} {group}--help' for more information"
    return UsageError(f"{PROGRAM}: unknown command: {PROGRAM} {group}{name}{hint}\n\n{more}")


def _program_help() -> int:
    from core.cli import help

    def listed(names: list[str] | tuple[str, ...]) -> list[tuple[str, str]]:
        return [(name, verbs.load(name).summary) for name in names]

    sections = [
        ("Common Commands", listed(verbs.COMMON)),
        ("Management Commands", [(name, summary) for name, (summary, _) in sorted(verbs.GROUPS.items())]),
        ("Commands", listed(sorted(set(verbs.VERBS) - set(verbs.COMMON)))),
    ]
    print(help.of_program(sections), end="")
    return 0
