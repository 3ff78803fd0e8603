"""Fills the tabs of the detail: asks the engine in a worker, hands the lines over when they come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from textual.content import Content

from core.errors import EngineError, NotFound
from tui.calls import Kind
from tui.glyphs import Glyphs
from tui.keymaps import pressed
from tui.paint import EMPTY, join
from tui.panes import containers, images, inspect, isolation, stats
from tui.panes.detail import Subject, trouble, waiting
from tui.safe import safe, safe_plain
from tui.state import Container, Usage, World
from tui.text import ago
from tui.widgets.linesview import Builder

if TYPE_CHECKING:
    from textual.events import Key

    from tui.layers.pane import FileTree
    from tui.logview import LogView
    from tui.screens.main import MainScreen

_TAIL: Final = 5000  # lines of a log to begin with
_SETTLE: Final = 0.05  # seconds: a cursor that only passes by asks for nothing


class Loader:
    """One tab is loaded at a time; a newer wish ends an older one."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self._samples: dict[str, stats.Samples] = {}
        self._tree: FileTree | None = None
        self._tree_of = ""
        self._log_of: list[str] = []

    def load(self, subject: Subject, tab: str) -> None:
        """Fill a tab."""
        self._screen.work(partial(self._load, subject, tab), group="detail", exclusive=True)

    def sampled(self, usage: Mapping[str, Usage]) -> None:
        """New figures came: keep them, and redraw the Stats tab if it shows one of them."""
        for found, one in usage.items():
            self._samples.setdefault(found, stats.Samples()).add(one)
        detail = self._screen.detail
        if detail.tab == "Stats" and detail.subject.id in usage:
            detail.show_page(detail.subject, "Stats", self._stats(detail.subject.id), keep=True)

    def _stats(self, container: str) -> Builder:
        glyphs = self._screen.onggi.glyphs
        samples = self._samples.get(container)
        return lambda width: stats.lines(samples.all if samples else (), glyphs, width)

    async def _load(self, subject: Subject, tab: str) -> None:
        detail = self._screen.detail
        if tab == "Terminal":
            await self._screen.sessions.explain(subject)
            return
        if tab == "Stats":
            detail.show_page(subject, tab, self._stats_or_why(subject.id))
            return
        await asyncio.sleep(_SETTLE)
        if tab == "Logs":
            await self._follow_log(subject)
            return
        try:
            if tab == "Layers":
                await self._screen.browser.load(subject)
                return
            if tab == "Changes":
                await self._changes(subject)
                return
            build, facts = await self._page(subject, tab)
        except NotFound:
            detail.show_page(subject, tab, waiting("It is gone."))
        except (EngineError, OSError) as error:
            detail.show_page(subject, tab, trouble(str(error), ""))
        else:
            detail.show_page(subject, tab, build, facts)

    async def _follow_log(self, subject: Subject) -> None:
        """Show the log and what comes, until another wish ends this one; of all marked containers as one."""
        from tui.logview.feed import Container as Logged
        from tui.logview.feed import Feed
        from tui.logview.sources import Sources

        screen = self._screen
        view = screen.detail.logs or await self._new_log()
        marks = screen.lists.list_of("containers").marks
        wanted = sorted(marks) if len(marks) > 1 else [subject.id]
        if wanted != self._log_of or view.is_sent:
            view.clear()  # else the reader stays where the same log was being read
        self._log_of = wanted
        try:
            found = [await self._whole(one) for one in wanted]
            found.sort(key=lambda one: one.name)
            one = found[0]
            view.sources = Sources([each.name for each in found])
            view.save_name = "-".join(each.name for each in found)[:80]
            view.began_ns = int(one.started * 1e9) if len(found) == 1 else 0
            view.set_state(no_output(one, screen.onggi.now()) if len(found) == 1 else "No output yet.")
            logged = [Logged(each.id, each.name, each.tty) for each in found]
            await Feed(view, screen.onggi.calls, logged, _TAIL).run()
        except* NotFound:
            view.set_state("It is gone.")
        except* (EngineError, OSError) as error:
            view.set_state(safe_plain(str(error.exceptions[0])))

    async def _whole(self, container: str) -> Container:
        one = self._screen.world.containers.get(container)
        if one is not None and one.whole:
            return one
        return await self._screen.onggi.calls.container(container)

    async def _new_log(self) -> LogView:
        from tui.logview import LogView

        onggi = self._screen.onggi

        def act_of(event: Key) -> str | None:
            return next((a.id for a in onggi.keymap.all_of(pressed(event), "logs") if a.own), None)

        view = LogView(act_of=act_of, id="log")
        view.scope, view.key_of = "logs", onggi.key_of
        view.times = True
        self._screen.detail.logs = view
        await self._screen.detail.take_view("Logs", view)
        return view

    async def _changes(self, subject: Subject) -> None:
        """What a container has changed, as a tree."""
        from tui.layers.model import changes_of, tree_of
        from tui.layers.pane import FileTree

        screen = self._screen
        if self._tree is None:
            self._tree = FileTree(screen.onggi.glyphs, id="changes", sizes=False)
            await screen.detail.take_view("Changes", self._tree)
        tree = self._tree
        again, self._tree_of = self._tree_of == subject.id, subject.id
        if not again:
            tree.show_tree(tree_of(()))
            tree.set_empty(join(("Comparing it with its image.", "$muted")))
        try:
            entries = changes_of(await screen.onggi.calls.changes(subject.id))
        except (EngineError, OSError) as error:
            tree.show_tree(tree_of(()))
            tree.set_empty(safe(str(error), style="$muted"))
            return
        tree.set_empty(join(("It has changed nothing: all files are its image's.", "$muted")))
        tree.show_tree(tree_of(entries), keep=again)

    def _stats_or_why(self, container: str) -> Builder:
        one = self._screen.world.containers.get(container)
        if one is not None and one.status != "running":
            why = join(
                ("It does not run, so it takes nothing: ", "$muted"),
                containers.reason(one, self._screen.onggi.now()),
            )
            return lambda _width: [why]
        return self._stats(container)

    async def _page(self, subject: Subject, tab: str) -> tuple[Builder, Content]:
        """The lines of one tab, and what the top right title says."""
        calls, glyphs = self._screen.onggi.calls, self._screen.onggi.glyphs
        now, world = self._screen.onggi.now(), self._screen.world
        if subject.kind == "containers":
            if tab == "Isolation":
                return await self._isolation(subject)
            entry = await calls.document("containers", subject.id)
            return (lambda width: inspect.container(entry, width)), EMPTY
        if subject.kind == "images":
            entry = await calls.document("images", subject.name)
            facts = images.facts(entry, now)
            if tab == "History":
                history = await calls.history(subject.name)
                return (lambda width: images.history(history, width, now)), facts
            if tab == "Used by":
                return (
                    lambda _width: images.users(world, subject.id, glyphs, self._screen.onggi.key_of("image_run"))
                ), facts
            return (lambda width: inspect.image(entry, width)), facts
        if tab in ("Used by", "Containers"):
            return (lambda _width: members(world, subject, glyphs)), EMPTY
        entry = await calls.document(cast("Kind", subject.kind), subject.id)
        return (lambda width: inspect.document(entry, width)[1:]), EMPTY

    async def _isolation(self, subject: Subject) -> tuple[Builder, Content]:
        one = self._screen.world.containers.get(subject.id)
        if one is not None and not one.up:
            why = [
                join(
                    ("It has no process now, so there is nothing to wall in. ", "$muted"),
                    (self._screen.onggi.key_of("start"), "bold $accent"),
                    (" starts it.", "$muted"),
                )
            ]
            return (lambda _width: why), EMPTY
        if not self._screen.engine.own:
            return trouble("This engine does not tell how it isolates", "onggi's own does"), EMPTY
        facts = await self._screen.onggi.calls.isolation(subject.id)
        glyphs = self._screen.onggi.glyphs
        return (lambda width: isolation.lines(facts, glyphs, width)), EMPTY


def no_output(one: Container, now: float) -> str:
    """Why a log is empty."""
    if one.status == "created":
        return "It has never run, so it has no output."
    if one.alive:
        return f"No output yet; it started {ago(now - one.started)}." if one.started else "No output yet."
    return "It ended without output."


def members(world: World, subject: Subject, glyphs: Glyphs) -> list[Content]:
    """The containers that use a volume or network, or make up a project."""
    if subject.kind == "volumes":
        found = world.volume_users(subject.id)
    elif subject.kind == "networks":
        found = world.network_users(subject.name)
    else:
        found = world.projects().get(subject.id, ())
    if not found:
        return [join(("No container uses it.", "$muted"))]
    return [
        join(" ", containers.mark(c, glyphs), " ", safe(c.name), ("  " + safe_plain(c.status), "$muted"))
        for c in found
    ]
