"""Docker's command line grammar, and commands as data.

`--name=x`, `--name x`, `-p80:80`, `-p 80:80`, `-itd`, `--rm=false`; flags of `run`, `create` and `exec` end at
the first operand, those of all others go anywhere, and `--` ends them. (argparse has neither Docker's texts nor
its idea of where `run`'s flags end, and importing it costs more than `ps` itself.)
"""

from __future__ import annotations

from core.cli import values
from core.cli.failure import PROGRAM, CommandFailed, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeAlias

    from core.cli.context import Context

Parse: TypeAlias = "Callable[[str], Any]"
Kind: TypeAlias = "dict[str, Any]"  # what several options have in common, given to `option` by name
FLAG_ERROR = 125  # Docker's exit code for a flag that does not parse


class Flag:
    """One option. `many` collects its values; `parse` turns a text into a value or raises ValueError."""

    __slots__ = ("default", "help", "many", "metavar", "name", "parse", "short")

    def __init__(
        self,
        name: str,
        short: str = "",
        help: str = "",
        *,
        metavar: str = "string",
        parse: Parse = str,
        many: bool = False,
        default: Any = None,
    ) -> None:
        self.name = name
        self.short = short
        self.help = help
        self.metavar = metavar
        self.parse = parse
        self.many = many
        self.default = default

    @property
    def is_switch(self) -> bool:
        """Whether it stands alone, without a value."""
        return not self.metavar

    @property
    def spelling(self) -> str:
        """How error texts name it: `-m, --memory`."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


def switch(name: str, short: str = "", help: str = "", *, default: bool = False) -> Flag:
    """An option without a value."""
    return Flag(name, short, help, metavar="", parse=values.boolean, default=default)


def option(name: str, short: str = "", help: str = "", *, metavar: str = "string", parse: Parse = str) -> Flag:
    """An option with one value; a later one wins."""
    return Flag(name, short, help, metavar=metavar, parse=parse)


def number(name: str, short: str = "", help: str = "") -> Flag:
    """An option with a whole number."""
    return Flag(name, short, help, metavar="int", parse=values.integer)


def several(name: str, short: str = "", help: str = "", *, metavar: str = "list", parse: Parse = str) -> Flag:
    """An option that may be given several times."""
    return Flag(name, short, help, metavar=metavar, parse=parse, many=True)


class Arguments:
    """What was given: operands in order, and the values of flags."""

    def __init__(self, path: str, flags: Sequence[Flag]) -> None:
        self.path = path  # how the command was called: `container ls`
        self.operands: list[str] = []
        self._values: dict[str, Any] = {flag.name: [] if flag.many else flag.default for flag in flags}
        self._given: set[str] = set()

    @property
    def names(self) -> Iterable[str]:
        """The names of all flags that may be given."""
        return self._values

    def take(self, flag: Flag, text: str) -> None:
        """Note a value. Raises ValueError when it does not parse."""
        value = flag.parse(text)
        if flag.many:
            self._values[flag.name].append(value)
        else:
            self._values[flag.name] = value
        self._given.add(flag.name)

    def given(self, name: str) -> bool:
        """Whether the flag was on the command line."""
        return name in self._given

    def on(self, name: str) -> bool:
        """The value of a switch."""
        return bool(self._values[name])

    def text(self, name: str) -> str:
        """The value of an option, "" when it was not given."""
        value = self._values[name]
        return "" if value is None else str(value)

    def texts(self, name: str) -> list[str]:
        """The values of an option that may be given several times."""
        return [str(value) for value in self._values[name]]

    def number(self, name: str) -> int | None:
        """The value of a numeric option, None when it was not given."""
        value = self._values[name]
        return None if value is None else int(value)

    def value(self, name: str) -> Any:
        """The parsed value of any option."""
        return self._values[name]


def moment(given: Arguments, name: str) -> str | None:
    """A flag that is a moment, as the API takes it; None when it was not given. Raises CommandFailed."""
    try:
        return values.moment(given.text(name)) or None
    except ValueError as error:
        raise CommandFailed(f'invalid value for "{name}": {error}') from None


Run: TypeAlias = "Callable[[Context, Arguments], int]"


class Command:
    """A verb: what it takes, how it is called, what it does.

    `least` and `most` count operands (most None = any number); `stop_early` ends flags at the first operand.
    """

    __slots__ = ("flags", "least", "most", "run", "stop_early", "summary", "usage")

    def __init__(
        self,
        run: Run,
        summary: str,
        usage: str = "",
        flags: Sequence[Flag] = (),
        *,
        least: int = 0,
        most: int | None = 0,
        stop_early: bool = False,
    ) -> None:
        self.run = run
        self.summary = summary
        self.usage = usage
        self.flags = tuple(flags)
        self.least = least
        self.most = most
        self.stop_early = stop_early

    def usage_line(self, path: str) -> str:
        """`onggi run [OPTIONS] IMAGE [COMMAND] [ARG...]`."""
        options = " [OPTIONS]" if self.flags else ""
        return f"{PROGRAM} {path}{options} {self.usage}".rstrip()

    def parse(self, path: str, argv: Sequence[str]) -> Arguments | None:
        """`argv` after the verb `path`; None when help was asked for. Raises UsageError."""
        found = Arguments(path, self.flags)
        try:
            if not scan(self.flags, argv, found, self.stop_early):
                return None
        except ValueError as error:
            raise UsageError(f"{error}{self._more(path, 'Run')}", FLAG_ERROR) from None
        count = len(found.operands)
        if count < self.least or (self.most is not None and count > self.most):
            raise self.miscounted(path, self.least)
        return found

    def _more(self, path: str, verb: str) -> str:
        return f"\n\nUsage:  {self.usage_line(path)}\n\n{verb} '{PROGRAM} {path} --help' for more information"

    def miscounted(self, path: str, least: int) -> UsageError:
        """The error for a wrong number of operands, of which at least `least` are needed."""
        most = self.most
        if most == 0:
            wanted = "accepts no arguments"
        elif most is None:
            wanted = f"requires at least {least} {_plural(least)}"
        elif least == most:
            wanted = f"requires {least} {_plural(least)}"
        elif least == 0:
            wanted = f"requires at most {most} {_plural(most)}"
        else:
            wanted = f"requires at least {least} and at most {most} {_plural(most)}"
        verb = "See" if most is None else "Run"
        return UsageError(f"{PROGRAM}: '{PROGRAM} {path}' {wanted}{self._more(path, verb)}")


def _plural(count: int) -> str:
    return "argument" if count == 1 else "arguments"


def scan(flags: Sequence[Flag], argv: Sequence[str], found: Arguments, stop_early: bool) -> bool:
    """Sort `argv` into `found`; False when help was asked for. Raises ValueError with Docker's text."""
    long = {flag.name: flag for flag in flags}
    short = {flag.short: flag for flag in flags if flag.short}
    rest = list(reversed(argv))
    while rest:
        word = rest.pop()
        if word == "--":
            found.operands += reversed(rest)
            break
        if word.startswith("--"):
            if not _long(long, word[2:], rest, found):
                return False
        elif word.startswith("-") and word != "-":
            if not _cluster(short, word, rest, found):
                return False
        else:
            found.operands.append(word)
            if stop_early:
                found.operands += reversed(rest)
                break
    return True


def _long(flags: dict[str, Flag], word: str, rest: list[str], found: Arguments) -> bool:
    name, equals, text = word.partition("=")
    flag = flags.get(name)
    if flag is None:
        if name == "help":
            return False
        raise ValueError(f"unknown flag: --{name}{_hint(flags, name)}")
    if not equals:
        if flag.is_switch:
            text = "true"
        elif rest:
            text = rest.pop()
        else:
            raise ValueError(f"flag needs an argument: --{name}")
    _take(flag, text, found)
    return True


def _cluster(flags: dict[str, Flag], word: str, rest: list[str], found: Arguments) -> bool:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = flags.get(letter)
        if flag is None:
            if letter == "h":
                return False
            hint = _hint(found.names, word[1:])
            raise ValueError(f"unknown shorthand flag: '{letter}' in {word}{hint}")
        if letters.startswith("="):
            _take(flag, letters[1:], found)
            return True
        if flag.is_switch:
            _take(flag, "true", found)
        elif letters or rest:
            _take(flag, letters or rest.pop(), found)
            return True
        else:
            raise ValueError(f"flag needs an argument: '{letter}' in {word}")
    return True


def _hint(names: Iterable[str], word: str) -> str:
    from core.cli.hints import long_flag

    meant = long_flag(names, word.partition("=")[0])
    return f"\n\nDid you mean {meant}?" if meant else ""


def _take(flag: Flag, text: str, found: Arguments) -> None:
    try:
        found.take(flag, text)
    except ValueError as error:
        raise ValueError(f'invalid argument "{text}" for "{flag.spelling}" flag: {error}') from None
