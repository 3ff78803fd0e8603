"""Which stages are built, on what, and which variables hold where."""

from __future__ import annotations

import pytest

from core.build.plan import Asked, Plan, make_plan
from core.build.scope import Scope
from core.dockerfile.errors import DockerfileError
from core.dockerfile.instructions import Arg
from core.dockerfile.parser import parse
from core.errors import InvalidArgument
from core.oci.image import Platform

STAGES = b"""
ARG BASE=busybox
ARG TAG
FROM ${BASE}:${TAG:-1} AS one
RUN make
FROM alpine AS unused
RUN never
FROM one AS two
RUN --mount=type=bind,from=tool:9,target=/t true
FROM scratch
COPY --from=two /a /a
COPY --from=0 /b /b
COPY --from=debian:12 /c /c
"""


def planned(text: bytes, **asked: object) -> Plan:
    return make_plan(parse(text), Asked(**asked))  # type: ignore[arg-type]


def test_only_what_the_target_needs_is_built() -> None:
    plan = planned(STAGES)
    assert [stage.stage.index for stage in plan.stages] == [0, 2, 3]
    assert plan.target.needs == {0, 2}
    assert plan.target.images == ("debian:12",)
    assert plan.target.base_image == "" and plan.target.base_stage is None
    assert plan.stages[1].base_stage == 0
    assert plan.stages[1].images == ("tool:9",)
    assert plan.steps == 2 + 2 + 4


def test_arguments_before_the_first_from_name_the_base() -> None:
    assert planned(STAGES).stages[0].base_image == "busybox:1"
    plan = planned(STAGES, args={"BASE": "alpine", "TAG": "3"})
    assert plan.stages[0].base_image == "alpine:3"


def test_the_target_ends_the_plan() -> None:
    plan = planned(STAGES, target="ONE")
    assert [stage.stage.index for stage in plan.stages] == [0]
    with pytest.raises(InvalidArgument, match='target stage "nope" could not be found'):
        planned(STAGES, target="nope")


def test_a_later_stage_is_an_image_to_an_earlier_one() -> None:
    plan = planned(b"FROM b AS a\nFROM a AS b\n")
    assert [stage.base_image for stage in plan.stages] == ["b", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"FROM $NOPE\n", "base name ($NOPE) should not be blank"),
        (b"FROM a\nCOPY --from=0 /a /b\n", "stage 0 does not come before this one"),
        (b"FROM ${A^}\n", "unsupported modifier"),
    ],
)
def test_what_cannot_be_planned_says_its_line(text: bytes, message: str) -> None:
    with pytest.raises(DockerfileError) as caught:
        planned(text)
    assert message in caught.value.message
    assert "line " in caught.value.message


def test_build_args_that_nobody_takes_are_named() -> None:
    plan = planned(STAGES, args={"NOPE": "1", "TAG": "2", "HTTP_PROXY": "x", "TARGETARCH": "y"})
    assert plan.unused == ("NOPE",)


def test_a_platform_can_come_from_the_machine() -> None:
    plan = planned(b"FROM --platform=$BUILDPLATFORM a\n", platform=Platform("linux", "arm64", "v8"))
    assert plan.target.platform == "linux/amd64"


def scope(*declared: str, env: dict[str, str] | None = None, **asked: object) -> Scope:
    found = Scope(Asked(**asked), {"OUTER": "out"})  # type: ignore[arg-type]
    for text in declared:
        arg = parse(f"FROM a\nARG {text}".encode()).stages[0].commands[0]
        assert isinstance(arg, Arg)
        found = found.declare(arg, env or {})
    return found


def test_an_argument_is_what_was_given_else_its_default_else_the_outer_one() -> None:
    args = scope("A=1", "B=2", "OUTER", "NONE", "TARGETARCH", args={"A": "given", "OTHER": "x"})
    assert args.run_args({}) == {"A": "given", "B": "2", "OUTER": "out", "TARGETARCH": "amd64"}


def test_defaults_see_what_stands_above_them() -> None:
    assert scope("A=1", "B=${A}2", 'C="$B $E"', env={"E": "env"}).run_args({})["C"] == "12 env"


def test_env_wins_over_arg() -> None:
    found = scope("A=arg")
    assert found.expander({"A": "env"}).word("$A") == "env"
    assert found.run_args({"A": "env"}) == {}


def test_proxies_reach_a_run_but_not_its_key() -> None:
    found = scope("A=1", args={"http_proxy": "p", "A": "2"})
    assert found.proxies({}) == {"http_proxy": "p"}
    assert found.run_args({}) == {"A": "2"}
    assert scope("http_proxy", args={"http_proxy": "p"}).proxies({}) == {}
