"""The zoom: the program has the reader's own terminal, byte for byte in both directions, and the app waits behind.

What the program writes goes to the terminal as it is, and to the emulator too, so that the app knows what to undo
and what to show afterwards. The terminal answers questions, rings and copies itself.
"""

from __future__ import annotations

from typing import Any, Protocol

from textual import events
from textual.app import App
from textual.screen import Screen

from tui.terminal import handover
from tui.terminal.driver import TerminalDriver, driver_of
from tui.terminal.session import Session


class Owner(Protocol):
    """The widget that shows the program otherwise."""

    @property
    def app(self) -> App[Any]:
        """The app."""
        ...

    def zooming(self, on: bool) -> None:
        """The terminal goes to the program, or has come back."""
        ...

    def tell_size(self, columns: int, lines: int) -> None:
        """The program's terminal has this size now."""
        ...


class Zoom:
    """One program's zoom: begun again and again."""

    def __init__(self, session: Session, owner: Owner) -> None:
        self._session = session
        self._owner = owner
        self._cover: _Cover | None = None

    @property
    def active(self) -> bool:
        """Whether the program has the terminal, or just had."""
        return self._cover is not None

    def begin(self, hint: str = "") -> bool:
        """Give the program the terminal until it ends, or is left; `hint` is the title meanwhile.

        False where there is no program, or no terminal to give.
        """
        driver = driver_of(self._owner.app)
        if self._session.source is None or self.active or driver is None or not driver.may_be_given:
            return False
        self._owner.zooming(True)
        self._cover = _Cover(self, driver, hint)
        self._owner.app.push_screen(self._cover)
        return True

    def end(self) -> None:
        """Take the terminal back, if it was given."""
        if self._cover is not None:
            self._cover.end()

    def give(self, driver: TerminalDriver, hint: str) -> None:
        """The size first, so that the text is wrapped for it."""
        self.fit()
        screen = self._session.screen
        driver.give_away(self._session.send, handover.showing(screen, hint), lambda: handover.undoing(screen))
        self._session.pass_on(driver)

    def take(self, driver: TerminalDriver) -> None:
        """Undo what the program did, and let the app write again."""
        self._session.pass_on(None)
        driver.take_back()

    def fit(self) -> None:
        """The program's terminal is as large as the reader's."""
        columns, lines = self._owner.app.size
        self._session.resize(columns, lines)
        self._owner.tell_size(columns, lines)

    def over(self) -> None:
        """The app is on the screen again."""
        self._cover = None
        self._owner.zooming(False)


class _Cover(Screen[None]):
    """Lies over the app meanwhile, so that nothing of it is painted and every new size comes here."""

    def __init__(self, zoom: Zoom, driver: TerminalDriver, hint: str) -> None:
        super().__init__()
        self._zoom = zoom
        self._driver = driver
        self._hint = hint
        self._given = self._over = False

    def on_mount(self) -> None:
        if not self._over:
            self._given = True
            self._zoom.give(self._driver, self._hint)

    def on_resize(self, _event: events.Resize) -> None:
        if self._given:
            self._zoom.fit()

    def on_unmount(self) -> None:
        """However it ends, the app gets its terminal back."""
        self._take()

    def end(self) -> None:
        """Back to the app."""
        self._take()
        if not self._over:
            self._over = True
            self.app.call_later(self._leave)

    def _leave(self) -> None:
        app = self.app
        if app.screen is self:
            app.pop_screen()
            app.refresh(layout=True)
        self._zoom.over()

    def _take(self) -> None:
        if self._given:
            self._given = False
            self._zoom.take(self._driver)
