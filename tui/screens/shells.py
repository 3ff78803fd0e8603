"""Shells in containers: opened, left running, found again, come back to.

The engine keeps an exec whose client has left, with what its screen showed, and gives it back to whoever attaches:
a shell of an app that was quit, or one opened by a command elsewhere, is found too. Another engine's cannot be
attached to again; there the stream stays open and only the keyboard leaves (`tui.leaving`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.errors import EngineError, NotFound
from tui import commands
from tui.calls import SHELL
from tui.leaving import UNTYPED, KeptSource
from tui.messages import Happened
from tui.paint import join
from tui.panes.terminals import Session, TerminalPane
from tui.state import Container, Json
from tui.terminal.source import FdSource

if TYPE_CHECKING:
    from tui.screens.main import MainScreen
    from tui.screens.sessions import Sessions

RUNS: Final = "runs"
"""What is said of a shell that nobody here is attached to."""


class Shells:
    """The exec sessions of the Terminal tab."""

    def __init__(self, screen: MainScreen, sessions: Sessions) -> None:
        self._screen = screen
        self._sessions = sessions

    async def open(self, one: Container) -> None:
        """A new shell in a container."""
        screen, own = self._screen, self._screen.engine.own
        pane = await screen.detail.terminals()
        screen.line.show(commands.line(("exec", "-it"), (one.name, "sh")), join(("live", "$running")))
        columns, lines = pane.size_of_view()
        try:
            exec_id, stream = await screen.onggi.calls.execute(
                one.id, SHELL, columns, lines, "" if own else UNTYPED
            )
        except (EngineError, OSError) as error:
            screen.say_error(f"open a shell in {one.name}: {error}")
            return
        session = Session("exec", one.id, one.name, "shell", f"/exec/{exec_id}")
        if own:
            source = FdSource(stream.sock.detach())
        else:
            source = KeptSource(stream.sock.detach(), left=self._sessions.leaver(session))
        await self._sessions.show_on(session, source, stream.early)

    async def back_to(self, session: Session) -> None:
        """Attach again to a shell that runs: its screen is painted as it was."""
        screen = self._screen
        try:
            stream = await screen.onggi.calls.attach_exec(session.exec_id)
        except (EngineError, OSError) as error:
            session.over = isinstance(error, EngineError)
            session.note = "has ended" if session.over else session.note
            screen.say_error(f"attach to a shell of {session.name}: {error}")
            (await screen.detail.terminals()).refresh_strip()
            return
        screen.line.show(commands.line(("exec", "-it"), (session.name, "sh")), join(("attached again", "$running")))
        await self._sessions.open_stream(session, stream)

    async def find(self, container_id: str, name: str, pane: TerminalPane) -> None:
        """Make sessions of the shells that run in a container and are not here yet."""
        if not self._screen.engine.own:
            return
        try:
            running = await self._screen.onggi.calls.execs(container_id)
        except (NotFound, EngineError, OSError):
            return
        here = {session.exec_id for session in pane.sessions}
        for entry in running:
            exec_id = str(entry.get("ID", ""))
            if exec_id not in here and _is_shell(entry):
                pane.note(Session("exec", container_id, name, _what(entry), f"/exec/{exec_id}", note=RUNS))

    def happened(self, event: Happened, pane: TerminalPane) -> None:
        """An event of the engine: a shell that nobody here is attached to may have ended."""
        if event.kind != "container":
            return
        for session in [one for one in pane.sessions if one.kind == "exec" and not one.live and not one.over]:
            if event.action == "exec_die" and event.attributes.get("execID") == session.exec_id:
                self._ended(session, f"ended with exit code {event.attributes.get('exitCode', '0')}", pane)
            elif event.action in ("die", "destroy") and event.actor == session.container:
                self._ended(session, "ended with its container", pane)

    def _ended(self, session: Session, note: str, pane: TerminalPane) -> None:
        session.over, session.note = True, note
        if session.opened:
            pane.refresh_strip()
        else:
            pane.forget(session)  # nothing of it was ever shown here
        self._screen.detail.note_sessions()


def _is_shell(entry: Json) -> bool:
    """It has a terminal and reads keys: no probe, no command that only prints."""
    return bool((entry.get("ProcessConfig") or {}).get("tty") and entry.get("OpenStdin"))


def _what(entry: Json) -> str:
    process = entry.get("ProcessConfig") or {}
    words = (str(process.get("entrypoint") or ""), *map(str, process.get("arguments") or ()))
    return "shell" if words == SHELL else " ".join(words)
