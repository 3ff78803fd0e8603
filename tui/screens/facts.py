"""The half of the main screen that hears how things are: the world, the figures, the engine, the host."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tui.header import Engine, Host
from tui.messages import EngineDown, EngineStarting, EngineUp, UsageChanged, WorldChanged
from tui.paint import join
from tui.panes.detail import Detail
from tui.panes.listing import ListColumn
from tui.safe import safe
from tui.screens import bars
from tui.screens.working import WorkingScreen
from tui.state import Container, World
from tui.themes import BadTheme

if TYPE_CHECKING:
    from tui.app import OnggiApp
    from tui.screens.follow import Follow
    from tui.screens.loader import Loader

_YOUNG: Final = 90.0  # seconds: the age of such a container changes before one's eyes
_NEWS: Final = 60.0  # seconds for which the header says that the engine was started


class FactScreen(WorkingScreen):
    """Keeps what is known and hands it to lists, detail and bars."""

    follow: Follow

    def __init__(self, app: OnggiApp) -> None:
        super().__init__(app)
        self.world = World()
        self.engine = Engine(name=app.host_name)
        self.host: Host | None = None
        self._ticks = 0

    @property
    def lists(self) -> ListColumn:
        return self.query_one(ListColumn)

    @property
    def detail(self) -> Detail:
        return self.query_one(Detail)

    @property
    def loader(self) -> Loader:
        """What fills the tabs."""
        raise NotImplementedError

    def update_bars(self) -> None:
        """Write header and footer anew."""
        raise NotImplementedError

    def update_header(self) -> None:
        """Write the header anew."""
        raise NotImplementedError

    def update_footer(self) -> None:
        """Write the footer anew."""
        raise NotImplementedError

    def on_world_changed(self, event: WorldChanged) -> None:
        self.world = event.world
        self.lists.show(event.world)
        self.follow.listed()
        self.update_bars()
        self.watch_rows()

    def on_usage_changed(self, event: UsageChanged) -> None:
        self.world = self.onggi.backend.world
        self.lists.refresh_figures(self.world)
        self.loader.sampled(event.usage)

    def on_engine_starting(self, event: EngineStarting) -> None:
        if self.engine.state != "down":
            self.set_engine(Engine("starting", self.engine.name))

    def on_engine_up(self, event: EngineUp) -> None:
        note = "started just now" if event.started else ""
        was_down = self.engine.state == "down"
        self.set_engine(
            Engine("up", self.engine.name, heard=self.onggi.now(), own=event.own, note=note, undo=event.undo)
        )
        if was_down:
            self.line.say(join(("The engine answers again.", "$running")))
            self.detail.reload()

    def on_engine_down(self, event: EngineDown) -> None:
        reason, since = event.reason, event.since
        self.set_engine(replace(self.engine, state="down", reason=reason, since=since, next_try=event.next_try))

    def set_engine(self, engine: Engine) -> None:
        """How the engine is now."""
        self.engine = engine
        self.set_class(engine.state == "down", "-down")
        self.detail.stale = bars.moment(engine.heard) if engine.state == "down" else ""
        self.detail.retitle()
        self.update_bars()

    def set_host(self, host: Host) -> None:
        """How this machine is now."""
        self.host = host
        self.update_header()

    def tick(self) -> None:
        """Once a second, and only where a second changes what is written."""
        self._ticks += 1
        self._reload_theme()
        now = self.onggi.now()
        young = any(_moves(c, now) for c in self.world.containers.values())
        if young or self._ticks % 30 == 0:
            self.lists.refresh_figures(self.world)
            self.follow.cursor()
        if self.engine.state == "down":
            self.update_bars()
        elif self.engine.note and now - self.engine.heard > _NEWS:
            self.set_engine(replace(self.engine, note=""))

    def _reload_theme(self) -> None:
        """Whoever writes a theme sees it when the file is saved."""
        try:
            if self.onggi.reload_theme():
                self.line.say(join(("theme ", "$muted"), safe(self.onggi.theme), (" as it is now", "$muted")))
        except BadTheme as error:
            self.say_error(str(error))

    def watch_rows(self) -> None:
        """Tell whose figures matter."""
        self.onggi.backend.watch_rows(self.lists.visible_containers())


def _moves(one: Container, now: float) -> bool:
    """Whether what is written of a container is another second by second."""
    return now - max(one.started, one.finished, one.paused) < _YOUNG or one.status == "restarting"
