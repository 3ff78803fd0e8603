"""The language as people write it: errors in Docker's words, anything at all, and golden files.

`ONGGI_UPDATE_GOLDEN=1` writes these anew, to be read.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dockerfile.errors import DockerfileError
from core.dockerfile.instructions import Copy, Dockerfile, Env, Healthcheck, Instruction, OnBuild, Run, Shell
from core.dockerfile.parser import parse, parse_trigger
from core.errors import InvalidArgument

GOLDEN = Path(__file__).parents[2] / "golden" / "dockerfile"
SAMPLES = sorted(GOLDEN.glob("*.Dockerfile"))


def printed(file: Dockerfile) -> str:
    lines = [f"escape {file.escape} syntax {file.syntax}".rstrip()]
    lines += [f"arg {arg.range} {arg.names}" for arg in file.args]
    for stage in file.stages:
        lines.append(f"stage {stage.index} {stage.start}")
        lines += [f"  {command}" for command in stage.commands]
    lines += [f"hint {hint.range} {hint.rule}: {hint.text}" for hint in file.hints]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_samples_parse_as_recorded(sample: Path) -> None:
    found = printed(parse(sample.read_bytes()))
    if os.environ.get("ONGGI_UPDATE_GOLDEN"):
        sample.with_suffix(".txt").write_text(found)
    assert found == sample.with_suffix(".txt").read_text()


def test_there_are_samples() -> None:
    assert len(SAMPLES) >= 30


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the Dockerfile (Dockerfile) cannot be empty"),
        ("# only a comment", "dockerfile parse error line 1: file with no instructions"),
        ("FROM a\nBOGUS x", "dockerfile parse error line 2: unknown instruction: BOGUS"),
        ("FROM a\nCPY a b", "dockerfile parse error line 2: unknown instruction: CPY (did you mean COPY?)"),
        ("RUN x", "dockerfile parse error line 1: no build stage in current context"),
        ("ARG a=1", "dockerfile parse error line 1: no build stage in current context"),
        ("FROM a b", "dockerfile parse error line 1: FROM requires either one or three arguments"),
        (
            "FROM a AS 1x",
            'dockerfile parse error line 1: invalid name for build stage: "1x", '
            "name can't start with a number or contain symbols",
        ),
        ("FROM a\n\nENV x", "dockerfile parse error line 3: ENV must have two arguments"),
        (
            "FROM a\nENV x=1 y",
            'dockerfile parse error line 2: Syntax error - can\'t find = in "y". Must be of the form: name=value',
        ),
        ("FROM a\nENV =1", "dockerfile parse error line 2: ENV names can not be blank"),
        ("FROM a\nCOPY x", "dockerfile parse error line 2: COPY requires at least two arguments"),
        (
            "FROM a\nSHELL sh",
            "dockerfile parse error line 2: SHELL requires the arguments to be in JSON form: SHELL sh",
        ),
        ("FROM a\nONBUILD FROM x", "dockerfile parse error line 2: FROM isn't allowed as an ONBUILD trigger"),
        (
            "FROM a\nONBUILD ONBUILD RUN x",
            "dockerfile parse error line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
        ),
        ("FROM a\nRUN --mout=x y", "dockerfile parse error line 2: unknown flag: --mout (did you mean --mount?)"),
        ("FROM a\nRUN --mount=type=x y", 'dockerfile parse error line 2: unsupported mount type "x"'),
        ("FROM a\nRUN --mount=tipe=x y", "dockerfile parse error line 2: unexpected key 'tipe' in 'tipe=x'"),
        ("FROM a\nRUN --network=x y", 'dockerfile parse error line 2: invalid network mode "x"'),
        ("FROM a\nHEALTHCHECK", "dockerfile parse error line 2: HEALTHCHECK requires at least one argument"),
        ("FROM a\nHEALTHCHECK NONE x", "dockerfile parse error line 2: HEALTHCHECK NONE takes no arguments"),
        ("FROM a\nHEALTHCHECK RUN x", 'dockerfile parse error line 2: Unknown type "RUN" in HEALTHCHECK (try CMD)'),
        (
            "FROM a\nHEALTHCHECK --interval=1us CMD x",
            'dockerfile parse error line 2: Interval "interval" cannot be less than 1ms',
        ),
        ("FROM a\nCOPY <<E /x\nabc", "dockerfile parse error line 2-3: unterminated heredoc <<E"),
        ("# escape=x\nFROM a", "dockerfile parse error line 1: invalid escape token 'x' does not match ` or \\"),
        (
            "# escape=`\n# escape=`\nFROM a",
            "dockerfile parse error line 2: only one escape parser directive can be used",
        ),
    ],
)
def test_errors_say_the_line_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        parse(text.encode())
    assert caught.value.message == message


def only(text: str, file: str = "FROM a\n") -> Instruction:
    return parse(f"{file}{text}".encode()).stages[-1].commands[-1]


def test_an_array_that_is_no_json_is_a_shell_command() -> None:
    run = only("RUN ['sh', '-c']")
    assert isinstance(run, Run)
    assert run.command.shell
    assert run.command.words == ("['sh', '-c']",)


def test_comments_and_empty_lines_vanish_inside_a_continued_line() -> None:
    file = parse(b"FROM a\nRUN one \\\n  # no\n\n  two \\\\\nRUN three")
    texts = [command.text for command in file.stages[0].commands]
    assert texts == ["RUN one   two \\\\", "RUN three"]
    assert str(file.stages[0].commands[0].range) == "2-5"


def test_the_backtick_escapes_where_the_directive_says_so() -> None:
    run = only("RUN dir C:\\ `\n x", "# escape=`\nFROM a\n")
    assert run.text == "RUN dir C:\\  x"


def test_a_directive_below_a_comment_is_a_comment() -> None:
    assert parse(b"# hello\n# escape=`\nFROM a").escape == "\\"


def test_heredocs_hold_their_text_and_know_whether_to_expand() -> None:
    copy = only("COPY <<one <<-'two' /x\n$A\none\n\t\tb\n\ttwo\n")
    assert isinstance(copy, Copy)
    assert [(doc.name, doc.text, doc.expand) for doc in copy.heredocs] == [
        ("one", "$A\n", True),
        ("two", "b\n", False),
    ]
    assert copy.sources == ("<<one", "<<-'two'")


def test_a_shift_in_shell_arithmetic_is_no_heredoc() -> None:
    run = only("RUN echo $((1<<EOF)) && cat <<<word\nRUN true")
    assert run.text == "RUN true"


def test_quotes_stay_until_the_variables_are_known() -> None:
    env = only('ENV a="$b c" d=e\\ f')
    assert isinstance(env, Env)
    assert env.pairs == (("a", '"$b c"'), ("d", "e\\ f"))


def test_times_of_a_healthcheck_are_nanoseconds() -> None:
    check = only("HEALTHCHECK --interval=1m30s --timeout=500ms --retries=4 CMD curl x")
    assert isinstance(check, Healthcheck)
    assert (check.interval, check.timeout, check.retries) == (90 * 10**9, 5 * 10**8, 4)


def test_a_trigger_is_checked_now_and_parsed_again_later() -> None:
    trigger = only('ONBUILD SHELL ["a"]')
    assert isinstance(trigger, OnBuild)
    assert isinstance(trigger.trigger, Shell)
    assert trigger.trigger_text == 'SHELL ["a"]'
    assert parse_trigger(trigger.trigger_text).text == trigger.trigger.text


def test_a_trigger_keeps_its_heredoc() -> None:
    trigger = only("ONBUILD COPY <<E /x\nhello\nE\n")
    assert isinstance(trigger, OnBuild)
    again = parse_trigger(trigger.trigger_text)
    assert isinstance(again, Copy)
    assert again.heredocs[0].text == "hello\n"


def test_stages_are_found_by_name_in_any_case_and_by_number() -> None:
    file = parse(b"FROM a AS Build\nFROM b")
    assert file.stage("BUILD") is file.stages[0]
    assert file.stage("1") is file.stages[1]
    assert file.stage("2") is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("FROM a:$T", "UndefinedArgInFrom"),
        ("ARG T\nFROM a:$T", "InvalidDefaultArgInFrom"),
        ("ARG T=1\nFROM a:$T", ""),
        ("ARG T\nFROM a:${T:-1}", ""),
        ("ARG R=x.y:5000/z\nFROM $R/a@sha256:0", ""),
        ("FROM --platform=$TARGETPLATFORM a", "RedundantTargetPlatform"),
        ("FROM --platform=$BUILDPLATFORM a", ""),
        ("FROM --platform=linux/arm64 a", "FromPlatformFlagConstDisallowed"),
        ("FROM --platform=linux/arm64 a AS for-arm64", ""),
        ("FROM a AS Big", "StageNameCasing"),
        ("FROM a\nENV A=1\nrun x", "ConsistentInstructionCasing"),
        ("from a\nenv A=1\nrun x", ""),
        ("FROM a as b", "FromAsCasing"),
        ("from a as b", ""),
        ("FROM a\nEXPOSE 80/TCP", "ExposeProtoCasing"),
        ("FROM a\nCMD top -b", "JSONArgsRecommended"),
        ('FROM a\nSHELL ["x"]\nCMD top -b', ""),
        ('FROM a\nWORKDIR "/a b"', ""),
        ("# check=skip=all\nFROM a as B", ""),
        ("# check=skip=stagenamecasing,FromAsCasing\nFROM a as B", ""),
    ],
)
def test_what_is_odd_has_the_name_of_its_rule(text: str, rule: str) -> None:
    assert [hint.rule for hint in parse(text.encode()).hints] == ([rule] if rule else [])


def test_a_check_is_read_as_buildkit_reads_it() -> None:
    assert parse(b"# check=error=true\nFROM a").strict
    assert not parse(b"# check=error=true\nFROM a", check="skip=all").strict
    with pytest.raises(DockerfileError, match="invalid check option 'nosuch'"):
        parse(b"# check=nosuch=1\nFROM a")


words = st.sampled_from(
    ["FROM a", "RUN", "COPY", "a", "b", " ", "\\", "\n", "\\\n", "#", "<<E", "E", '["x"]', "'", '"', "--from=0",
     "=", "ENV", "ONBUILD", "HEALTHCHECK", "CMD", "$", "${", "\t", "# escape=`"]
)  # fmt: skip


@given(st.one_of(st.lists(words, max_size=30).map("".join).map(str.encode), st.binary(max_size=200)))
def test_any_file_parses_or_is_refused_with_one_line(data: bytes) -> None:
    try:
        parse(data)
    except InvalidArgument as error:
        assert "\n" not in error.message
