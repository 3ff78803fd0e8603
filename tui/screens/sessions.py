"""Opens terminals: attach to a container, a shell in it, a typed command; and notices when they end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from core.errors import EngineError
from tui import commands
from tui.leaving import KeptPty
from tui.paint import join
from tui.panes.detail import Subject
from tui.panes.terminals import Session
from tui.safe import safe, safe_plain
from tui.screens.shells import Shells
from tui.state import Container
from tui.terminal import keys
from tui.terminal.source import FdSource, PtySource

if TYPE_CHECKING:
    from core.client.aclient import HijackedSocket
    from tui.screens.main import MainScreen


class Sessions:
    """Every terminal of the Terminal tab is opened here."""

    def __init__(self, screen: MainScreen) -> None:
        self._screen = screen
        self.shells = Shells(screen, self)

    async def explain(self, subject: Subject) -> None:
        """What the tab says while there is no session; show the subject's own one where there is."""
        pane = await self._screen.detail.terminals()
        one = self._screen.world.containers.get(subject.id)
        if one is not None and one.up:
            await self.shells.find(one.id, one.name, pane)
            self._screen.detail.note_sessions()
        own = [session for session in pane.sessions if session.container == subject.id]
        if own and pane.current not in own and not pane.typing:
            pane.pick(pane.sessions.index(own[-1]) + 1)
        elif not own and pane.current is not None and not pane.current.opened:
            pane.pick_none()
        keymap, name = self._screen.onggi.keymap, safe(subject.name)
        if one is None or one.status != "running":
            pane.show_nothing([join(name, (" does not run; a terminal needs it to.", "$muted"))])
            return
        lines = [
            join((keymap.shown("attach"), "bold $accent"), (" attaches to ", "$muted"), name),
            join((keymap.shown("shell"), "bold $accent"), (" opens a shell inside it", "$muted")),
        ]
        waiting = [session for session in own if session.waits and not session.opened]
        if waiting:
            shells = "a shell that runs" if len(waiting) == 1 else f"one of {len(waiting)} shells that run"
            lines.insert(
                0,
                join(
                    (keymap.shown("enter_terminal"), "bold $accent"), (f" attaches to {shells} inside it", "$muted")
                ),
            )
        pane.show_nothing(lines)

    def attach(self, one: Container) -> None:
        """Show a container's own terminal."""
        self._open_soon(self._attach(one))

    def zoom(self, one: Container) -> None:
        """Attach to a container, or to the shell in it that is shown, and give it the reader's whole terminal."""
        self._open_soon(self._zoom(one))

    def shell_left(self, one: Container) -> Session | None:
        """The shell of a container that is shown and can be come back to."""
        pane = self._screen.detail.pane
        shown = None if pane is None else pane.current
        if shown is None or shown.container != one.id or shown.kind != "exec" or not shown.waits:
            return None
        return shown

    async def _zoom(self, one: Container) -> None:
        session = self.shell_left(one)
        if session is not None:
            await self.shells.back_to(session)
        else:
            await self._attach(one)
        pane = await self._screen.detail.terminals()
        session = session or pane.find("attach", one.id)
        if session is not None and session is pane.current and session.live and session.resize_path:
            pane.zoom()

    def back_to(self, session: Session) -> None:
        """Attach again to a shell that was left."""
        self._open_soon(self.shells.back_to(session))

    def shell(self, one: Container) -> None:
        """Open a shell in a container."""
        self._open_soon(self.shells.open(one))

    def command(self, argv: Sequence[str]) -> None:
        """Run one of our own commands on a terminal."""
        self._open_soon(self._command(argv))

    def _open_soon(self, opening: Coroutine[Any, Any, None]) -> None:
        """Open a terminal in a worker; what is typed meanwhile is kept for it."""

        async def opened() -> None:
            try:
                await opening
            finally:
                self._screen.held_keys = None

        self._screen.held_keys = []
        self._screen.work(opened(), group="session")

    def _give_held(self, session: Session) -> None:
        for event in self._screen.held_keys or ():
            session.view.send(keys.encode(event.key, event.character, application_cursor=False))
        self._screen.held_keys = None

    async def _attach(self, one: Container) -> None:
        screen = self._screen
        pane = await screen.detail.terminals()
        screen.line.show(commands.of("attach", [one.name]), join(("attached", "$running")))
        session = pane.find("attach", one.id) or Session("attach", one.id, one.name, "attach")
        if session.live:
            await self._show(session)
            return
        try:
            known = one if one.whole else await screen.onggi.calls.container(one.id)
            stream = await screen.onggi.calls.attach(one.id) if known.tty else None
        except (EngineError, OSError) as error:
            screen.say_error(f"attach to {one.name}: {error}")
            return
        if stream is None:
            # Without a terminal of its own the container needs our command to echo and to make lines of keys.
            await self._command(["attach", one.name], session)
            return
        session.resize_path = f"/containers/{one.id}"
        await self.open_stream(session, stream)

    async def run(self, container_id: str, name: str) -> None:
        """Attach to a container that is about to start, so that nothing it shows is missed."""
        session = Session("attach", container_id, name, "run", f"/containers/{container_id}")
        await self.open_stream(session, await self._screen.onggi.calls.attach(container_id))

    def leaver(self, session: Session) -> Callable[[], None]:
        """What a source calls, from any thread, when its keys to leave were typed."""
        loop = asyncio.get_running_loop()

        def left() -> None:
            loop.call_soon_threadsafe(self._left, session)

        return left

    def _left(self, session: Session) -> None:
        """The detach keys were typed: the session stays as it is, the keyboard goes back to the list."""
        screen = self._screen
        session.view.zoom.end()
        screen.line.say(join(safe(session.name), (": it goes on, enter returns to it", "$muted")))
        screen.remove_class("-zoom", "-full")
        screen.go_to(screen.lists.current)

    async def _command(self, argv: Sequence[str], session: Session | None = None) -> None:
        screen = self._screen
        pane = await screen.detail.terminals()
        columns, lines = pane.size_of_view()
        made = session or Session("command", "", commands.PROGRAM, " ".join(argv[:2]))
        env, left = screen.onggi.environment(), self.leaver(made)
        if argv[0] in ("attach", "start"):
            source: PtySource = KeptPty(cli(argv), columns=columns, lines=lines, env=env, left=left)
        else:
            source = PtySource(cli(argv), columns=columns, lines=lines, env=env)
        await self._reveal(made)
        await pane.open(made, source)
        self._give_held(made)

    async def open_stream(self, session: Session, stream: HijackedSocket) -> None:
        """Show a session on a stream of the engine, which may begin with its history."""
        before = await _before(stream)
        await self.show_on(session, FdSource(stream.sock.detach()), before)

    async def show_on(self, session: Session, source: FdSource, before: bytes) -> None:
        """Show a session on its new stream; `before` is what its screen showed."""
        await self._reveal(session)
        pane = await self._screen.detail.terminals()
        await pane.open(session, source, before)
        self._give_held(session)
        columns, lines = session.view.size
        self.resized(session, columns, lines)

    async def _show(self, session: Session) -> None:
        await self._reveal(session)
        pane = await self._screen.detail.terminals()
        pane.pick(pane.sessions.index(session) + 1)
        pane.enter()
        self._give_held(session)

    async def _reveal(self, session: Session) -> None:
        screen = self._screen
        if session.container:
            screen.follow.turn_to(session.container, session.name)
        elif screen.lists.current != "containers":
            screen.go_to("containers")  # only there the detail has terminals
        if screen.narrow:
            screen.add_class("-deep")
        screen.detail.pick("Terminal")

    def resized(self, session: Session, columns: int, lines: int) -> None:
        """Tell the engine; a source that is a pty of ours knows already."""
        if session.resize_path and session.live and columns and lines:
            work = self._screen.onggi.calls.resize(session.resize_path, columns, lines)
            self._screen.work(work, group="resize")

    def ended(self, session: Session) -> None:
        """A stream is over: say whether it was left or has ended, and give the keyboard back to the list."""
        screen = self._screen
        screen.work(self._ended(session), group="session")

    async def _ended(self, session: Session) -> None:
        screen = self._screen
        how = await self._how(session)
        if session.live:  # attached again meanwhile: the keyboard is where it was put
            return
        session.note = how
        whose = session.title if session.kind == "command" else session.name
        screen.line.say(join(safe(whose), (f": {session.note}", "$muted")))
        pane = await screen.detail.terminals()
        if pane.current is session and screen.place == "terminal":
            screen.remove_class("-zoom", "-full")
            screen.go_to(screen.lists.current)
        pane.refresh_strip()
        screen.detail.note_sessions()
        screen.update_bars()

    async def _how(self, session: Session) -> str:
        calls = self._screen.onggi.calls
        try:
            if session.kind == "attach":
                state = (await calls.document("containers", session.container)).get("State") or {}
                if state.get("Running"):
                    return "detached, it keeps running"
                if state.get("Error"):
                    return f"did not start: {safe_plain(str(state['Error']))}"
                return f"ended with exit code {state.get('ExitCode', 0)}"
            if session.kind == "exec":
                found = await calls.client.get(f"{session.resize_path}/json")
                if found.get("Running"):
                    return "detached, it keeps running"
                session.over = True
                return f"ended with exit code {found.get('ExitCode') or 0}"
        except (EngineError, OSError):
            return "ended"
        return "ended"


def cli(argv: Sequence[str]) -> list[str]:
    """Our own command line as a program to run; -I keeps the current folder out of its imports."""
    return [sys.executable, "-I", "-m", "core.cli", *argv]


async def _before(stream: HijackedSocket) -> bytes:
    """What the screen showed before: the history at the front of a stream, and what came with the head."""
    wanted, data = stream.history, stream.early
    loop = asyncio.get_running_loop()
    while len(data) < wanted:
        more = await loop.sock_recv(stream.sock, min(wanted - len(data), 65536))
        if not more:
            break
        data += more
    return data
