"""What the backend tells the app. Panes hold no client; they hear of the engine only through these."""

from __future__ import annotations

from textual.message import Message

from tui.state import Json, Usage, World


class WorldChanged(Message):
    """The lists are different now."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world


class UsageChanged(Message):
    """New figures of the containers that are shown."""

    def __init__(self, usage: dict[str, Usage]) -> None:
        super().__init__()
        self.usage = usage


class EngineStarting(Message):
    """Nobody answers yet: an engine is being looked for or started."""


class EngineUp(Message):
    """The engine answers. `own` = it is onggi's, `started` = it had to be started for us, `undo` = the seconds that
    it lets a removal be taken back."""

    def __init__(self, host: str, own: bool, started: bool, undo: float = 0.0) -> None:
        super().__init__()
        self.host = host
        self.own = own
        self.started = started
        self.undo = undo


class EngineDown(Message):
    """The engine does not answer. `since` and `next_try` are seconds since the epoch."""

    def __init__(self, reason: str, since: float, next_try: float) -> None:
        super().__init__()
        self.reason = reason
        self.since = since
        self.next_try = next_try


class Happened(Message):
    """One event of the engine, for whoever must do more than repaint a row."""

    def __init__(self, kind: str, action: str, actor: str, attributes: Json) -> None:
        super().__init__()
        self.kind = kind
        self.action = action
        self.actor = actor
        self.attributes = attributes
