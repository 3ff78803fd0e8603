"""A shell in the file system of a step: of one that failed as it fell.

The engine keeps the steps of the last builds. For one that it has no more, the Dockerfile is built up to there once
more, which takes no time as long as all of it is in the cache, and what comes out is run.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.aio import off_loop
from core.client import builds
from core.errors import EngineError, NotFound
from tui.build.model import Build
from tui.paint import join
from tui.safe import safe_plain

if TYPE_CHECKING:
    from core.client.builds import Asking, Wish
    from tui.build.builder import Builder
    from tui.build.model import Step
    from tui.build.screen import BuildScreen


LABEL, _STEP = "io.onggi.build.step", "made again"  # by which the engine knows that it may remove it


def last_line(build: Build, step: Step) -> int:
    """The line of the Dockerfile up to which a shell for `step` is built: with it where it is done, else without.

    0 = there is no file system yet.
    """
    if step.state in ("done", "cached"):
        return step.told.last_line
    before = [one for one in build.steps.values() if one.told.stage == step.told.stage and one.id < step.id]
    return before[-1].told.last_line if before and before[-1].state in ("done", "cached") else 0


def open_shell(builder: Builder, view: BuildScreen, step: Step) -> None:
    """Have the file system of a step, and open a shell in that."""
    view.work(_open(builder, view, step), group="shell", exclusive=True)


async def _open(builder: Builder, view: BuildScreen, step: Step) -> None:
    view.tell(join((f"making the file system of step {step.id}", "$muted")))
    try:
        if step.over:
            with suppress(NotFound):
                found = await builds.enter(builder.client, view.build.id, step.id)
                how = f"step {step.id} as it failed" if found.broken else _when(step)
                builder.run_shell(found.image, found.shell[0], how)
                return
        await _again(builder, view, step)
    except (EngineError, OSError) as error:
        view.say_error(f"shell in step {step.id}: {safe_plain(str(error))}")


async def _again(builder: Builder, view: BuildScreen, step: Step) -> None:
    """The engine has it no more, or not yet. Raises EngineError, OSError."""
    build, line = view.build, last_line(view.build, step)
    if not line:
        view.say(f"Step {step.id} has no file system yet.")
    elif build.wish is None or not build.source:
        view.say("What this build was made of is not here.")
    else:
        builder.run_shell(await _image(builder.client, build.wish, build.source, line), "/bin/sh", _when(step))


def _when(step: Step) -> str:
    return f"{'after' if step.state in ('done', 'cached') else 'before'} step {step.id}"


async def _image(client: Asking, wish: Wish, text: str, line: int) -> str:
    """The image of the Dockerfile's first lines. Raises EngineError, OSError."""
    folder = await off_loop(tempfile.mkdtemp, prefix="onggi-step-")
    try:
        path = await off_loop(_write, folder, wish, text, line)
        ident = await builds.begin(client, replace(
            wish, dockerfile=path, names=(), target="", no_cache=False, labels={**wish.labels, LABEL: _STEP}
        ))  # fmt: skip
    finally:
        await off_loop(shutil.rmtree, folder, True)
    build = Build("", "", 0.0)
    async for told in builds.follow(client, ident):
        build.take(told, 0.0)
    with suppress(EngineError):
        await builds.forget(client, ident)
    if not build.image:
        raise EngineError(build.error or "the engine ended before it was made")
    return build.image


def _write(folder: str, wish: Wish, text: str, line: int) -> str:
    """The cut Dockerfile, with the list of ignored files that goes with the whole one."""
    path = Path(folder) / "Dockerfile"
    path.write_text("\n".join(text.split("\n")[:line]) + "\n", "utf-8", "surrogateescape")
    beside = Path(f"{wish.path}.dockerignore")
    if beside.is_file():
        shutil.copyfile(beside, f"{path}.dockerignore")
    return str(path)
