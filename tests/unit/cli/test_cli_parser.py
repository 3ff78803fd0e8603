"""Docker's command line grammar."""

from __future__ import annotations

import pytest

from core.cli import verbs
from core.cli.create.flags import CREATE_FLAGS
from core.cli.failure import UsageError
from core.cli.parser import Arguments, Command, Flag, number, option, several, switch


def _nothing(*_: object) -> int:
    return 0


FLAGS: tuple[Flag, ...] = (
    switch("interactive", "i"),
    switch("tty", "t"),
    switch("detach", "d"),
    switch("sig-proxy", default=True),
    several("publish", "p"),
    option("name"),
    option("memory", "m"),
    number("last", "n"),
)
RUN = Command(_nothing, "Run", "IMAGE [COMMAND] [ARG...]", FLAGS, least=1, most=None, stop_early=True)
PS = Command(_nothing, "List", "", FLAGS)
STOP = Command(_nothing, "Stop", "CONTAINER [CONTAINER...]", FLAGS, least=1, most=None)


def parse(command: Command, *argv: str) -> Arguments:
    found = command.parse("run", argv)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("argv", "flags", "operands"),
    [
        (["-itd", "img"], {"interactive", "tty", "detach"}, ["img"]),
        (["-i", "-t", "img", "-d"], {"interactive", "tty"}, ["img", "-d"]),
        (["-it=false", "img"], {"interactive"}, ["img"]),
        (["--tty=1", "img", "--", "x"], {"tty"}, ["img", "--", "x"]),
        (["--", "-i"], set(), ["-i"]),
        (["-i", "-", "-t"], {"interactive"}, ["-", "-t"]),
    ],
)
def test_switches_stand_together_and_end_at_the_image(
    argv: list[str], flags: set[str], operands: list[str]
) -> None:
    found = parse(RUN, *argv)
    assert {name for name in ("interactive", "tty", "detach") if found.on(name)} == flags
    assert found.operands == operands


@pytest.mark.parametrize(
    "argv", [["-p80:80"], ["-p", "80:80"], ["-p=80:80"], ["--publish", "80:80"], ["--publish=80:80"], ["-dp80:80"]]
)
def test_every_way_to_give_a_value(argv: list[str]) -> None:
    assert parse(RUN, *argv, "img").texts("publish") == ["80:80"]


def test_a_value_may_look_like_a_flag() -> None:
    assert parse(RUN, "--name", "-x", "img").text("name") == "-x"


def test_the_last_of_several_wins_and_lists_collect() -> None:
    found = parse(RUN, "--name", "a", "--name=b", "-p1:1", "-p2:2", "img")
    assert found.text("name") == "b"
    assert found.texts("publish") == ["1:1", "2:2"]
    assert found.given("name") and not found.given("memory")
    assert found.on("sig-proxy") and found.number("last") is None


def test_flags_of_other_verbs_go_anywhere() -> None:
    found = parse(STOP, "a", "-n", "3", "b")
    assert found.operands == ["a", "b"]
    assert found.number("last") == 3


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-ixt", "img"], "unknown shorthand flag: 'x' in -ixt"),
        (["-x", "img"], "unknown shorthand flag: 'x' in -x"),
        (["--nope"], "unknown flag: --nope"),
        (["--name"], "flag needs an argument: --name"),
        (["-im"], "flag needs an argument: 'm' in -im"),
        (["--tty=foo", "img"], 'invalid argument "foo" for "-t, --tty" flag: strconv.ParseBool: parsing "foo": '),
        (
            ["-nx", "img"],
            'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax',
        ),
    ],
)
def test_a_bad_flag_is_told_in_dockers_words_and_ends_with_125(argv: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        RUN.parse("run", argv)
    assert caught.value.message.startswith(message)
    assert caught.value.exit_code == 125
    assert caught.value.message.endswith("\n\nRun 'onggi run --help' for more information")


def test_a_single_dash_before_a_long_name_is_a_slip_that_is_explained() -> None:
    create = verbs.load("create")
    with pytest.raises(UsageError) as caught:
        create.parse("create", ["-name", "x", "busybox"])
    lines = caught.value.message.splitlines()
    assert lines[0] == "unknown shorthand flag: 'n' in -name"
    assert "Did you mean --name?" in lines


@pytest.mark.parametrize(
    ("least", "most", "argv", "message"),
    [
        (1, None, [], "'onggi x' requires at least 1 argument"),
        (2, None, ["a"], "'onggi x' requires at least 2 arguments"),
        (0, 0, ["a"], "'onggi x' accepts no arguments"),
        (2, 2, ["a"], "'onggi x' requires 2 arguments"),
        (1, 2, [], "'onggi x' requires at least 1 and at most 2 arguments"),
        (0, 1, ["a", "b"], "'onggi x' requires at most 1 argument"),
    ],
)
def test_a_wrong_number_of_operands(least: int, most: int | None, argv: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Command(_nothing, "", "", (), least=least, most=most).parse("x", argv)
    assert caught.value.message.splitlines()[0] == f"onggi: {message}"
    assert caught.value.exit_code == 1


def test_help_is_asked_for_by_both_spellings_unless_h_is_a_flag() -> None:
    assert PS.parse("ps", ["--help"]) is None
    assert PS.parse("ps", ["-h"]) is None
    assert RUN.parse("run", ["--help", "img"]) is None
    found = verbs.load("run").parse("run", ["-h", "host", "img"])
    assert found is not None and found.text("hostname") == "host"


def test_every_verb_loads_and_no_two_flags_of_one_share_a_letter() -> None:
    entries = [*verbs.VERBS, *(where for _, table in verbs.GROUPS.values() for where in table.values())]
    for where in entries:
        command = verbs.load(where)
        letters = [flag.short for flag in command.flags if flag.short]
        names = [flag.name for flag in command.flags]
        assert len(set(letters)) == len(letters), where
        assert len(set(names)) == len(names), where
        assert command.summary, where


def test_the_flags_of_create_are_sorted_for_those_who_read_them() -> None:
    names = [flag.name for flag in CREATE_FLAGS]
    assert names == sorted(names)
