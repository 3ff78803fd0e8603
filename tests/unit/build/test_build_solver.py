"""The solver's decisions, with hands that only write down what they are asked for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.build.cache import Cache
from core.build.hands import Hands, Options, StepFailed
from core.build.plan import Asked, make_plan
from core.build.scope import Scope
from core.build.solver import Solver
from core.build.state import State
from core.build.work import CopyWork, Fingerprint, RunWork
from core.dockerfile.errors import DockerfileError
from core.dockerfile.parser import parse
from core.errors import InvalidArgument
from core.model.build import Failed, Finished, Output, Planned, Started
from core.oci.digest import Digest
from core.oci.image import ExecutionConfig, History, ImageConfig, Platform, RootFS
from core.storage.db import Database

BASE = Digest("sha256:" + "b" * 64)


async def caught_up() -> None:
    pass


class Bench:
    """Every hand in one: a world in which a program leaves its command line behind."""

    def __init__(self, root: Path) -> None:
        self.cache = Cache(Database(root / "db"))
        self.told: list[Any] = []
        self.ran: list[tuple[str, ...]] = []
        self.envs: list[tuple[str, ...]] = []
        self.copied: list[CopyWork] = []
        self.context = {"a": "1"}
        self.code = 0
        self.layers: set[Digest] = {BASE}
        self.on_build: tuple[str, ...] = ()
        self.changed: dict[str, str] = {}
        self.discarded: set[str] = set()
        self.wait: Callable[[tuple[str, ...]], Awaitable[None]] | None = None

    async def fingerprint(self, work: CopyWork) -> Fingerprint:
        if missing := [source for source in work.sources if not work.tree and source not in self.context]:
            raise InvalidArgument(f"COPY failed: {missing[0]} is not there")
        files = {source: self.context.get(source, "") for source in work.sources}
        digest = hashlib.sha256(repr((files, work.tree)).encode()).hexdigest()
        return Fingerprint(digest, "file", files)

    async def names(self, work: CopyWork) -> frozenset[str]:
        return frozenset()

    async def copy(self, work: CopyWork, key: str) -> None:
        self.copied.append(work)
        self.changed[key] = repr(work)

    async def make_folder(self, key: str, path: str) -> None:
        self.changed[key] = path

    async def run(self, work: RunWork, output: Callable[[int, bytes], Awaitable[None]]) -> int:
        self.ran.append(work.words)
        self.envs.append(work.env)
        if self.wait:
            await self.wait(work.words)
        await output(1, b"hello\n")
        self.changed[work.key] = repr(work.words)
        return self.code

    async def image(self, name: str, platform: Platform, progress: Any) -> Any:
        config = ImageConfig(
            rootfs=RootFS((BASE,)), config=ExecutionConfig(env=("PATH=/bin",), cmd=("sh",), on_build=self.on_build),
            history=(History(created_by="base"),),
        )  # fmt: skip
        return SimpleNamespace(id=Digest.of(name.encode()), config=config)

    async def prepare(self, key: str, parent: str | None) -> None:
        assert key.startswith("build-")

    async def seal(self, key: str, diff_ids: Sequence[Digest]) -> tuple[Digest, int] | None:
        if key not in self.changed:
            return None
        layer = Digest.of(self.changed[key].encode())
        self.layers.add(layer)
        return layer, len(self.changed[key])

    async def discard(self, key: str) -> None:
        self.discarded.add(key)

    def has(self, diff_ids: Sequence[Digest]) -> bool:
        return set(diff_ids) <= self.layers

    def has_layer(self, diff_id: Digest) -> bool:
        return diff_id in self.layers

    async def build(self, text: str, *, no_cache: bool = False, epoch: int | None = None, **asked: Any) -> State:
        file = parse(text.encode())
        wanted = Asked(**asked)
        plan = make_plan(file, wanted)
        self.told.clear()
        hands = Hands(
            files=self,
            programs=self,
            bases=self,
            layering=self,
            cache=self.cache,
            report=self.told.append,
            caught_up=caught_up,
        )
        options = Options(no_cache=no_cache, place="test", epoch=epoch)
        return await Solver(file, plan, Scope(wanted, plan.args, file.escape), hands, options).solve()

    def finished(self) -> list[bool]:
        """Of every step but FROM: whether it came from the cache."""
        firsts = {
            step.id for told in self.told if isinstance(told, Planned) for step in told.steps if step.number == 1
        }
        return [told.cached for told in self.told if isinstance(told, Finished) and told.id not in firsts]

    def causes(self) -> list[str]:
        return [told.cause for told in self.told if isinstance(told, Started) and told.cause]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_steps_make_layers_history_and_config(bench: Bench) -> None:
    state = await bench.build('FROM b\nENV A=1\nRUN make $A\nWORKDIR /w\nCOPY a /x/\nCMD ["x"]\n')
    assert [step.created_by for step in state.history] == [
        "base",
        "/bin/sh -c #(nop)  ENV A=1",
        "/bin/sh -c make $A",
        "/bin/sh -c #(nop) WORKDIR /w",
        state.history[4].created_by,
        '/bin/sh -c #(nop)  CMD ["x"]',
    ]
    assert state.history[4].created_by.startswith("/bin/sh -c #(nop) COPY file:")
    assert state.history[4].created_by.endswith(" in /x/ ")
    assert [step.empty_layer for step in state.history] == [False, True, False, False, False, True]
    assert len(state.diff_ids) == 4
    assert state.config.env == ("PATH=/bin", "A=1")
    assert state.config.cmd == ("x",)
    assert bench.ran == [("/bin/sh", "-c", "make $A")]


async def test_the_second_time_nothing_is_done_and_the_result_is_the_same(bench: Bench) -> None:
    text = "FROM b\nRUN one\nENV A=1\nCOPY a /x\n"
    first = await bench.build(text)
    again = await bench.build(text)
    assert again == first
    assert bench.finished() == [True, True, True]
    assert len(bench.ran) == 1


@pytest.mark.parametrize(
    ("text", "changed", "cause", "cached"),
    [
        ("RUN one\nRUN two", "RUN one\nRUN three", 'the command changed: "two" is now "three"', [True, False]),
        ("RUN one\nRUN two", "RUN uno\nRUN two", 'the command changed: "one" is now "uno"', [False, False]),
        ("ENV A=1\nRUN x", "ENV A=2\nRUN x", 'the line changed: "A=1" is now "A=2"', [False, False]),
        ("RUN x\nRUN y", "RUN new\nRUN x\nRUN y", "the line is new", [False, False, False]),
        ("RUN a b c\nRUN y", "RUN a c\nRUN y", 'the command changed: "b" is gone', [False, False]),
        ("RUN a\nRUN b\nRUN y", "RUN b\nRUN y", "a step before it changed", [False, False]),
    ],
)
async def test_a_changed_line_is_done_again_and_says_why(
    bench: Bench, text: str, changed: str, cause: str, cached: list[bool]
) -> None:
    await bench.build(f"FROM b\n{text}\n")
    await bench.build(f"FROM b\n{changed}\n")
    assert bench.finished() == cached
    assert bench.causes()[0] == cause


async def test_another_base_is_named(bench: Bench) -> None:
    await bench.build("FROM b\nRUN x\nRUN y\n")
    await bench.build("FROM c\nRUN x\nRUN y\n")
    assert bench.causes() == ["the base image c instead of the base image b", "a step before it changed"]


async def test_a_changed_file_is_named(bench: Bench) -> None:
    await bench.build("FROM b\nCOPY a /x\nRUN y\n")
    bench.context["a"] = "2"
    await bench.build("FROM b\nCOPY a /x\nRUN y\n")
    assert bench.finished() == [False, False]
    assert bench.causes() == ["COPY a changed: a", "a step before it changed"]


async def test_a_build_arg_spoils_the_cache_from_the_first_run_below_its_line(bench: Bench) -> None:
    text = "FROM b\nCOPY a /x\nRUN before\nARG V=1\nCOPY a /y\nRUN after\n"
    await bench.build(text, args={"V": "1"})
    await bench.build(text, args={"V": "2"})
    assert bench.finished() == [True, True, True, True, False]
    assert bench.envs[-1] == ("PATH=/bin", "V=2")


async def test_arguments_stand_in_history_before_the_command_but_proxies_do_not(bench: Bench) -> None:
    state = await bench.build("FROM b\nARG V\nRUN x\n", args={"V": "1", "http_proxy": "p"})
    assert state.history[-1].created_by == "|1 V=1 /bin/sh -c x"
    assert set(bench.envs[-1]) == {"PATH=/bin", "V=1", "http_proxy=p"}
    assert state.config.env == ("PATH=/bin",)


async def test_a_lost_layer_is_made_again(bench: Bench) -> None:
    state = await bench.build("FROM b\nRUN one\n")
    bench.layers.discard(state.diff_ids[-1])
    await bench.build("FROM b\nRUN one\n")
    assert bench.finished() == [False]
    assert bench.causes() == ["not in the cache any more"]


async def test_no_cache_does_everything_again(bench: Bench) -> None:
    await bench.build("FROM b\nRUN one\n")
    await bench.build("FROM b\nRUN one\n", no_cache=True)
    assert bench.finished() == [False]


async def test_independent_stages_run_at_the_same_time(bench: Bench) -> None:
    together = asyncio.Barrier(2)

    async def meet(words: tuple[str, ...]) -> None:
        async with asyncio.timeout(60):
            await together.wait()

    bench.wait = meet
    text = "FROM b AS one\nRUN one\nFROM c AS two\nRUN two\n"
    text += "FROM scratch\nCOPY --from=one /x /x\nCOPY --from=two /x /y\n"
    state = await bench.build(text)
    assert len(state.diff_ids) == 2
    assert [work.tree.snapshot != "" for work in bench.copied if work.tree] == [True, True]


async def test_a_failing_program_ends_the_build_with_its_code(bench: Bench) -> None:
    bench.code = 3
    with pytest.raises(StepFailed) as caught:
        await bench.build("FROM b\nRUN exit 3\nRUN never\n")
    assert caught.value.message == "The command '/bin/sh -c exit 3' returned a non-zero code: 3"
    failed = [told for told in bench.told if isinstance(told, Failed)]
    assert [(told.id, told.exit_code) for told in failed] == [(2, 3)]
    assert [told.data for told in bench.told if isinstance(told, Output)] == [b"hello\n"]
    assert len(bench.ran) == 1
    assert bench.discarded
    bench.code = 0
    await bench.build("FROM b\nRUN exit 3\nRUN never\n")
    assert bench.finished() == [False, False]  # what failed is not in the cache


async def test_what_is_wrong_with_a_step_says_its_line(bench: Bench) -> None:
    with pytest.raises(DockerfileError) as caught:
        await bench.build("FROM b\n\nCOPY nosuch /x\n")
    assert caught.value.message == "dockerfile parse error line 3: COPY failed: nosuch is not there"


async def test_triggers_of_the_base_run_first_and_are_gone_afterwards(bench: Bench) -> None:
    bench.on_build = ("RUN trigger", "ENV T=1")
    state = await bench.build("FROM b\nRUN own\nONBUILD RUN later\n")
    assert [words[-1] for words in bench.ran] == ["trigger", "own"]
    assert "T=1" in state.config.env
    assert state.config.on_build == ("RUN later",)


async def test_a_stage_inherits_another_with_its_config(bench: Bench) -> None:
    state = await bench.build('FROM b AS x\nENV A=1\nCMD ["c"]\nRUN one\nFROM x\nENTRYPOINT ["e"]\nRUN $A\n')
    assert state.config.env == ("PATH=/bin", "A=1")
    assert state.config.cmd == ()  # an ENTRYPOINT takes away the CMD that came from below
    assert len(state.diff_ids) == 3


async def test_an_epoch_fixes_every_time(bench: Bench) -> None:
    state = await bench.build("FROM scratch\nENV A=1\nCOPY a /x\n", epoch=1_700_000_000)
    assert {step.created for step in state.history} == {"2023-11-14T22:13:20.000000Z"}


async def test_scratch_has_a_path_and_nothing_else(bench: Bench) -> None:
    state = await bench.build("FROM scratch\nLABEL a=b\n")
    assert state.diff_ids == ()
    assert state.config.env == ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)


async def test_the_plan_is_told_first_with_what_is_odd_about_it(bench: Bench) -> None:
    await bench.build("FROM b\nENV a b\n", args={"NOPE": "1"})
    planned = bench.told[0]
    assert isinstance(planned, Planned)
    assert [(step.number, step.total, step.line) for step in planned.steps] == [(1, 2, 1), (2, 2, 2)]
    assert planned.warnings == (
        "line 2: write ENV a=b",
        "[Warning] One or more build-args [NOPE] were not consumed",
    )
