"""Carries a plan out: stages side by side where they can be, each step from the cache where it can be.

Nothing here touches a disk or a process: `core.build.work` says who does. A step's key says how it came about, so a
build that was cut off goes on where it was.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import msgspec

from core.build import describe
from core.build.cache import Entry
from core.build.cachedoc import Trodden
from core.build.causes import Causes
from core.build.hands import Hands, Made, Options, Prepared, StepFailed, first_error
from core.build.hits import Hits, ImportFailed, Tell
from core.build.plan import Plan, PlannedStage, source_stage
from core.build.preparing import copy_of, is_told_whole, prepare_words, tells, without_triggers
from core.build.scope import Scope
from core.build.state import State, created_text, step_key, with_path
from core.build.steps import Step, copy_parts, copy_work, run_words, steps_of
from core.build.work import Fingerprint, RunWork, Tree
from core.dockerfile.errors import DockerfileError
from core.dockerfile.instructions import (
    Copy,
    Dockerfile,
    From,
    Instruction,
    Mount,
    Run,
    Workdir,
)
from core.dockerfile.parser import parse_trigger
from core.errors import EngineError, InvalidArgument
from core.images.instruct import instruct, set_variables
from core.model.build import Failed, Finished, Output, Planned, Progressed, Started
from core.oci.image import History, Platform
from core.oci.platform import parse_platform

KEY = "build-"  # active snapshots of builds: what a crash leaves is swept by this name


class Solver:
    """One build of one file."""

    def __init__(self, file: Dockerfile, plan: Plan, scope: Scope, hands: Hands, options: Options) -> None:
        self._file = file
        self._plan = plan
        self._scope = scope
        self._hands = hands
        self._options = options
        self._steps = steps_of(plan)
        self._stages: dict[int, asyncio.Task[State]] = {}
        self._images: dict[tuple[str, str], asyncio.Task[State]] = {}
        lines = {steps[0].told.stage: [step.told.text for step in steps] for steps in self._steps.values()}
        self._causes = Causes(hands.cache, options.place, lines)
        self._hits = Hits(hands.cache, hands.layering, hands.imports)

    @property
    def trail(self) -> tuple[Trodden, ...]:
        """Every step so far, for those who want to give the cache away."""
        return tuple(self._hits.trail)

    async def bring(self, steps: Sequence[Trodden]) -> None:
        """Have the layers of all these steps here. Raises ImportFailed."""
        for step in steps:
            await self._hits.ensure(step.entry.diff_ids, _hear_nothing)

    async def solve(self) -> State:
        """Build the target stage. Raises DockerfileError, StepFailed and what the hands raise."""
        told = tuple(step.told for steps in self._steps.values() for step in steps)
        self._hands.report(Planned(steps=told, warnings=self._warnings()))
        try:
            async with asyncio.TaskGroup() as group:
                for planned in self._plan.stages:
                    self._stages[planned.stage.index] = group.create_task(self._stage(planned))
        except BaseExceptionGroup as failed:
            raise first_error(failed) from None
        finally:
            for task in self._images.values():
                task.cancel()
        target = self._plan.target.stage.index
        state = self._stages[target].result()
        await self._hits.ensure(state.diff_ids, self._tell(self._steps[target][-1]))
        return state

    def _warnings(self) -> tuple[str, ...]:
        found = [f"line {hint.range}: {hint.text}" for hint in self._plan.hints]
        if self._plan.unused:
            names = " ".join(self._plan.unused)
            found.append(f"[Warning] One or more build-args [{names}] were not consumed")
        return tuple(found)

    async def _stage(self, planned: PlannedStage) -> State:
        first, *rest = self._steps[planned.stage.index]
        state = await self._told(first, None, self._begin(planned, first))
        if planned.base_folder:
            state = await self._told(first, state, self._step(planned, state, first, copy_of(planned)))
        triggers, state = state.config.on_build, without_triggers(state)
        for trigger in triggers:
            instruction = parse_trigger(trigger)
            state = await self._told(first, state, self._step(planned, state, first, instruction))
        for step in rest:
            state = await self._told(step, state, self._step(planned, state, step, step.instruction))
        return state

    async def _told(self, step: Step, before: State | None, work: Awaitable[State]) -> State:
        """Do one step; if it fails, say so with its line."""
        inside = self._hands.inside
        try:
            state = await work
            if inside:
                inside.stands(step.told.id, state)
            return state
        except ImportFailed:
            raise  # the step is not to blame: the build begins again without that cache
        except EngineError as error:
            if inside and before is not None:
                inside.stands(step.told.id, before)
            code = error.code if isinstance(error, StepFailed) else 0
            if type(error) is InvalidArgument:
                error = DockerfileError(error.message, step.instruction.range)
            self._hands.report(Failed(id=step.told.id, error=error.message, exit_code=code))
            raise error from None

    async def _begin(self, planned: PlannedStage, step: Step) -> State:
        # A stage that stands on another one begins when that is there.
        base = None if planned.base_stage is None else await self._stages[planned.base_stage]
        began = time.monotonic()
        self._hands.report(Started(id=step.told.id))
        if base is None and planned.base_image:
            base = await self._base(planned.base_image, planned.platform, step)
        if base is None:
            base = State(scope=self._scope, key=step_key("", "scratch"), platform=self._scope.asked.platform)
        self._hands.report(Finished(id=step.told.id, cached=False, seconds=time.monotonic() - began, key=base.key))
        return replace(
            base,
            scope=self._scope,
            config=with_path(base.config),
            has_command=False,
            under=len(base.diff_ids),
            steps_under=len(base.history),
        )

    async def _base(self, name: str, platform: str, step: Step) -> State:
        """An image as the state it stands for; looked for once, however many stages want it."""
        if (name, platform) not in self._images:
            self._images[name, platform] = asyncio.create_task(self._find_base(name, platform, step))
        return await asyncio.shield(self._images[name, platform])

    async def _find_base(self, name: str, platform: str, step: Step) -> State:
        wanted = parse_platform(platform) if platform else self._scope.asked.platform
        config = (image := await self._hands.bases.image(name, wanted, self._tell(step))).config
        return State(
            scope=self._scope, key=step_key("", ["image", str(image.id)]), config=config.config,
            diff_ids=config.rootfs.diff_ids, history=config.history, author=config.author,
            platform=Platform(config.os, config.architecture, config.variant),
        )  # fmt: skip

    def _tell(self, step: Step) -> Tell:
        """What tells how far something is that comes from elsewhere."""

        def progress(ident: str, status: str, current: int, total: int) -> None:
            self._hands.report(Progressed(id=step.told.id, name=ident, status=status, current=current, total=total))

        return progress

    async def _step(self, planned: PlannedStage, state: State, step: Step, instruction: Instruction) -> State:
        """One instruction: from the cache, or done now."""
        epoch = {} if self._options.epoch is None else {"epoch": self._options.epoch}
        short, no_cache = "", self._does_without_cache(planned)
        if isinstance(instruction, Copy) and (tree := await self._tree(planned, step, instruction.from_)):
            work = copy_work(instruction, state, tree)
            short = "" if tree.folder else step_key(state.key, {**copy_parts(work), "from": tree.snapshot, **epoch})
            if short and not no_cache and (found := self._hits.by_short(short, state.diff_ids)):
                return self._taken(step, state, found[0], found[1], short)
            await self._hits.ensure_snapshot(tree.snapshot, self._tell(step))
        prepared = await self._prepare(planned, state, step, instruction)
        key = step_key(state.key, {**prepared.parts, **epoch})
        cause = self._cause(planned, step, state, prepared)
        if not no_cache and (known := await self._known(key, state, step, prepared)):
            return self._taken(step, prepared.state, known[0], prepared.created_by, short, known[1])
        began = time.monotonic()
        self._hands.report(Started(id=step.told.id, cause="--no-cache" if no_cache else cause, key=key))
        layer, size = (await prepared.do() if prepared.do else None) or (None, 0)
        moment = time.time() if self._options.epoch is None else float(self._options.epoch)
        after = prepared.state.next(key, layer=layer, created_by=prepared.created_by, created=created_text(moment))
        made = Entry(key, after.diff_ids, layer is not None, instruction.text, size, moment, moment, 0)
        self._hits.done(made, short, prepared.created_by, cached=False)
        self._hands.report(
            Finished(
                id=step.told.id, cached=False, seconds=time.monotonic() - began, key=key, layer=str(layer or ""),
                size=size,
            )
        )  # fmt: skip
        return after

    async def _known(
        self, key: str, state: State, step: Step, prepared: Prepared
    ) -> tuple[Entry, History | None] | None:
        """The step if it was done before; with what its history says where that is an image's own."""
        told = prepared.told if self._options.epoch is None else None
        past = await self._hits.find_past(state, told, leading=True) if told else None
        entry = None if past else self._hits.find(key, state.diff_ids)
        if told and not past and not entry:
            past = await self._hits.find_past(state, told, leading=False)
        if past:
            return past.entry(key, step.instruction.text), past.line
        return (entry, None) if entry else None

    def _taken(
        self, step: Step, state: State, entry: Entry, created_by: str, short: str, line: History | None = None
    ) -> State:
        """A step that was done before; `state` is what follows it but for key, layer and history, `line` that."""
        self._hits.done(entry, short, created_by, cached=True)
        self._hands.report(
            Finished(
                id=step.told.id, cached=True, seconds=0.0, key=entry.key, layer=str(entry.layer or ""),
                size=entry.size,
            )
        )  # fmt: skip
        if line is not None:
            return state.followed(entry.key, line, entry.layer)
        return state.next(
            entry.key, layer=entry.layer, created_by=created_by, created=created_text(entry.created_at)
        )

    def _does_without_cache(self, planned: PlannedStage) -> bool:
        named = {planned.stage.start.name, str(planned.stage.index)} & self._options.no_cache_stages
        return self._options.no_cache or bool(named)

    def _cause(self, planned: PlannedStage, step: Step, state: State, prepared: Prepared) -> str:
        parts = {**prepared.parts, "files": dict(prepared.files), "parent": state.key}
        base = f"the base image {planned.base_image}" if planned.base_image else "the stage below"
        return self._causes.of(step.told, step.instruction, parts, base)

    async def _prepare(self, planned: PlannedStage, state: State, step: Step, instruction: Instruction) -> Prepared:
        match instruction:
            case Run():
                return await self._prepare_run(planned, state, step, instruction)
            case Copy():
                return await self._prepare_copy(planned, state, step, instruction)
            case Workdir():
                return self._prepare_workdir(state, step, instruction)
            case From():
                raise InvalidArgument("FROM isn't allowed as an ONBUILD trigger")
            case _:
                return prepare_words(state, instruction)

    async def _prepare_run(self, planned: PlannedStage, state: State, step: Step, run: Run) -> Prepared:
        if run.security != "sandbox":  # CVE-2024-23653: no file and no client makes a step privileged
            raise InvalidArgument(f"granting entitlement security.{run.security} is not allowed")
        args = state.scope.run_args(state.env)
        words = run_words(run, state.config.shell)
        mounts = [(mount, await self._tree(planned, step, mount.get("from"))) for mount in run.mounts]
        mounted = [await self._mounted(run, state, mount, tree) for mount, tree in mounts]
        created_by = describe.created_by_run(words, args)
        env = set_variables(state.config.env, {**state.scope.proxies(state.env), **args}.items())

        async def do() -> Made:
            for _, tree in mounts:
                await self._hits.ensure_snapshot(tree.snapshot if tree else "", self._tell(step))
            given = msgspec.structs.replace(state.config, env=set_variables(state.config.env, args.items()))
            return await self._in_snapshot(
                replace(state, config=given),  # without the proxies, whose addresses may hold passwords
                step,
                lambda key: self._run(state, step, run, words, env, mounts, key),
            )

        parts = {
            "text": created_by, "env": list(state.config.env), "user": state.config.user,
            "workdir": state.config.working_dir, "network": run.network,
            "mounts": [[mount.type, list(mount.options)] for mount in run.mounts],
            "trees": [tree.snapshot if tree else "" for _, tree in mounts],
        }  # fmt: skip
        files: dict[str, str] = {}
        if digests := [found.digest for found in mounted if found]:
            parts["mounted"] = digests
            files = {name: digest for found in mounted if found for name, digest in found.files.items()}
        plain = not run.mounts and run.network == "default"  # of others history does not tell all
        told = tells(created_by) if plain else None
        return Prepared(state=state, parts=parts, created_by=created_by, do=do, files=files, told=told)

    async def _mounted(self, run: Run, state: State, mount: Mount, tree: Tree | None) -> Fingerprint | None:
        """What a step sees of a folder that it mounts: with other files there it is another step."""
        if mount.type != "bind" or (tree is not None and tree.folder is None):
            return None
        copy = Copy(range=run.range, text=run.text, sources=(mount.get("source") or ".",), target="/")
        try:
            return await self._hands.files.fingerprint(copy_work(copy, state, tree))
        except InvalidArgument:
            return None  # the mount itself says better what is wrong

    async def _run(
        self, state: State, step: Step, run: Run, words: tuple[str, ...], env: tuple[str, ...],
        mounts: Sequence[tuple[Mount, Tree | None]], key: str,
    ) -> None:  # fmt: skip
        async def output(stream: int, data: bytes) -> None:
            self._hands.report(Output(id=step.told.id, stream=stream, data=data))
            await self._hands.caught_up()

        work = RunWork(
            key=key, words=words, env=env, config=state.config, mounts=tuple(mounts), network=run.network,
            platform=state.platform,
        )  # fmt: skip
        code = await self._hands.programs.run(work, output)
        if code:
            raise StepFailed(words, code)

    async def _prepare_copy(self, planned: PlannedStage, state: State, step: Step, copy: Copy) -> Prepared:
        work = copy_work(copy, state, await self._tree(planned, step, copy.from_))
        found = await self._hands.files.fingerprint(work)
        name = "ADD" if copy.add else "COPY"
        source = f"{found.kind}:{found.digest}"
        created_by = describe.created_by_copy(name, source, work.shown, chown=work.chown, shell=state.config.shell)

        async def do() -> Made:
            return await self._in_snapshot(state, step, lambda key: self._hands.files.copy(work, key))

        async def told(text: str) -> bool:
            source = describe.source_of(text, name, work.shown, chown=work.chown, shell=state.config.shell)
            return text == created_by or (source != "" and source in await self._hands.files.names(work))

        parts = {**copy_parts(work), "digest": found.digest}
        return Prepared(
            state=state, parts=parts, created_by=created_by, do=do, files=found.files,
            told=told if is_told_whole(copy) else None,
        )  # fmt: skip

    def _prepare_workdir(self, state: State, step: Step, instruction: Workdir) -> Prepared:
        config = instruct(state.config, instruction, state.expander)
        path = config.working_dir

        async def do() -> Made:
            return await self._in_snapshot(state, step, lambda key: self._hands.files.make_folder(key, path))

        created_by = describe.created_by_workdir(path, state.config.shell)
        return Prepared(
            state=replace(state, config=config), parts={"text": created_by}, created_by=created_by, do=do,
            told=tells(created_by),
        )  # fmt: skip

    async def _tree(self, planned: PlannedStage, step: Step, name: str) -> Tree | None:
        """The file system that `--from=name` means; None for the build context."""
        if not name:
            return None
        asked = self._scope.asked
        if name in asked.folders:
            return Tree(folder=asked.folders[name])
        if name in asked.images:
            state = await self._base(asked.images[name], "", step)
            return Tree(snapshot=self._hits.snapshot(state.diff_ids))
        index = source_stage(self._file, name, planned.stage.index)
        if index is None:
            state = await self._base(name, "", step)
        elif index in self._stages:
            state = await self._stages[index]
        else:  # a trigger of the base image names a stage that the plan did not know to be needed
            raise InvalidArgument(f"stage {name} is needed by a trigger of the base image only")
        return Tree(snapshot=self._hits.snapshot(state.diff_ids))

    async def _in_snapshot(self, state: State, step: Step, work: Callable[[str], Awaitable[None]]) -> Made:
        """Do `work` in a snapshot on top of `state`; what it has changed becomes a layer.

        What a step has done that fails is handed on with `state`.
        """
        key = KEY + secrets.token_hex(8)
        layering = self._hands.layering
        await self._hits.ensure(state.diff_ids, self._tell(step))
        await layering.prepare(key, state.parent)
        inside = self._hands.inside
        try:
            await work(key)
        except BaseException as error:
            if inside and isinstance(error, EngineError):
                inside.fell(step.told.id, state, key)
            else:
                await layering.discard(key)
            raise
        try:
            return await layering.seal(key, state.diff_ids)
        finally:
            await layering.discard(key)


def _hear_nothing(name: str, status: str, current: int, total: int) -> None:
    pass
