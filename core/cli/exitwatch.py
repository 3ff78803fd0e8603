"""An open `wait` on a container: it outlives the engine that was asked first."""

from __future__ import annotations

import time

from core.cli.context import Context, warn
from core.client.address import quote
from core.client.transport import Response
from core.errors import EngineError, EngineUnreachable, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

PATIENCE = 30.0  # seconds to look for the next engine
_PAUSE = 0.05
UNKNOWN = 125


class ExitWatch:
    """Waits for a container's exit code; when the engine goes away it asks the next one.

    `open` (or `ask` and then `promised`) returns once the engine has promised to answer, so that a start after it
    cannot be missed.
    """

    def __init__(self, context: Context, container: str, *, removed: bool) -> None:
        self._context = context
        self._container = quote(container)
        self._removed = removed
        self._first = True
        self._sock: socket | None = None
        self._response: Response | None = None
        self.result: dict[str, object] | None = None

    def open(self, *, running: bool = False) -> None:
        """`ask` and have the promise. Raises EngineError."""
        self.ask(running=running)
        self.promised()

    def ask(self, *, running: bool) -> None:
        """Send the request. `running`: it runs already, or has ended already; else the next exit counts."""
        self._first = not running
        self._begin(start=True)

    def promised(self) -> None:
        """Have the engine's word that it will answer. Raises EngineError."""
        assert self._sock is not None
        self._response = self._context.engine.answer(self._sock)
        if self._response.has_more:
            self._read()

    def _begin(self, *, start: bool) -> None:
        engine = self._context.engine if start else self._context.running_engine()
        condition = "removed" if self._removed else "next-exit" if self._first else "not-running"
        self._first = False
        self._response = None
        self._sock = engine.begin("POST", f"/containers/{self._container}/wait", {"condition": condition})

    def fileno(self) -> int:
        """What to poll; -1 when there is nothing to wait for here."""
        return self._sock.fileno() if self._sock is not None and self.result is None else -1

    def step(self) -> None:
        """Take what has arrived; ask the respawned engine when the old one went away."""
        try:
            self._take()
        except EngineUnreachable:
            self._lose()
            try:
                self._begin(start=False)
            except EngineError:
                self._lose()  # nobody there at the moment: `finish` looks for one

    def _take(self) -> None:
        if self._sock is None:
            raise EngineUnreachable("nobody was asked")
        if self._response is None:
            self._response = self._context.engine.answer(self._sock)
            if not self._response.has_more:
                return
        self._read()

    def _read(self) -> None:
        assert self._response is not None
        found = self._response.json()
        if not isinstance(found, dict):
            raise EngineUnreachable("the engine went away")
        self.result = found

    def _lose(self) -> None:
        if self._sock is not None:
            self._sock.close()
        self._sock = self._response = None

    def finish(self) -> int:
        """The exit code, however long it takes; a failure is told and gives 125."""
        deadline = time.monotonic() + PATIENCE
        while self.result is None:
            try:
                self._take()
            except EngineUnreachable as error:
                self._lose()
                if time.monotonic() > deadline:
                    raise
                self._again(error)
            except NotFound:
                warn("the container was removed while no engine ran: its exit code is not known")
                return UNKNOWN
            else:
                deadline = time.monotonic() + PATIENCE
        problem = self.result.get("Error")
        if isinstance(problem, dict) and problem.get("Message"):
            warn(f"Error waiting for container: {problem['Message']}")
            return UNKNOWN
        code = self.result.get("StatusCode")
        return code if isinstance(code, int) else UNKNOWN

    def _again(self, _: EngineUnreachable) -> None:
        try:
            self._begin(start=True)
        except EngineUnreachable:
            time.sleep(_PAUSE)

    def close(self) -> None:
        """Stop waiting."""
        self._lose()
