"""What every verb is given: the engine, started if need be."""

from __future__ import annotations

import os
import sys

from core.cli.failure import CommandFailed
from core.client.address import Query, chosen_host, default_host
from core.client.transport import Client
from core.errors import EngineUnreachable, InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import Any


class Engine(Client):
    """A client that starts this machine's own engine when it is asked for and none answers."""

    def __init__(self, host: str, *, start: bool) -> None:
        super().__init__(host)
        self._start = start

    def connect(self) -> socket:
        """A new connection. Raises EngineUnreachable with what to do."""
        try:
            return super().connect()
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if not self._start:
                raise self._unreachable(error) from error
        except OSError as error:
            raise self._unreachable(error) from error
        self._spawn()
        try:
            return super().connect()
        except OSError as error:
            raise self._unreachable(error) from error

    def get(self, path: str, query: Query | None = None) -> Any:
        """`Client.get`, once more when the engine died over it: a question may be repeated, an act not."""
        try:
            return super().get(path, query)
        except EngineUnreachable:
            if not self._start:
                raise
        return super().get(path, query)

    def _spawn(self) -> None:
        from core.client.spawn import ensure_engine
        from core.paths import Paths

        ensure_engine(Paths.from_environment())

    def _unreachable(self, error: OSError) -> EngineUnreachable:
        reason = (error.strerror or str(error)).lower()
        help = "try sudo" if isinstance(error, PermissionError) else "is it running?"
        return EngineUnreachable(f"cannot connect to the engine at {self.host}: {reason}; {help}")


class Context:
    """One run of the program. `argv` is the whole command line without the program's name."""

    def __init__(self, host: str | None, argv: list[str]) -> None:
        self.host = chosen_host(host)
        self.argv = argv
        self._engine: Engine | None = None

    @property
    def own(self) -> bool:
        """Whether the host is where this machine's own engine listens."""
        return self.host == default_host()

    @property
    def engine(self) -> Engine:
        """The engine; it is started when nobody answers on its own default socket."""
        if self._engine is None:
            try:
                self._engine = Engine(self.host, start=self.own)
            except InvalidArgument as error:
                raise CommandFailed(error.message) from error
        return self._engine

    def running_engine(self) -> Engine:
        """The engine, never started."""
        return Engine(self.host, start=False)


def is_terminal(fd: int) -> bool:
    """Whether a descriptor is a terminal."""
    try:
        return os.isatty(fd)
    except OSError:
        return False


def warn(text: str) -> None:
    """One line for the user beside the output."""
    from core.cli.output import shown

    sys.stdout.flush()
    print(shown(text, sys.stderr), file=sys.stderr, flush=True)
