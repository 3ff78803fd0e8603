"""What every verb is given: the engine, started if need be."""

from __future__ import annotations

import os
import sys
import time

from core.cli.failure import PROGRAM, CommandFailed
from core.client.address import chosen_host, default_host
from core.client.transport import AnswerLost, Client
from core.errors import EngineUnreachable, InvalidArgument, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Mapping
    from typing import Any, TypeVar

    from core.client.address import Query
    from core.client.transport import Body

    Result = TypeVar("Result")

_PAUSES = (0.02, 0.2, 1.0)  # seconds
OWN_ID = "Onggi-Id"  # the header of a creation with the id that the container is to have


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

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """`Client.call`; what may be asked twice is asked of the next engine too, when this one died over it."""

        def ask() -> Any:
            return super(Engine, self).call(method, path, query, body, headers=headers)

        try:
            return ask()
        except AnswerLost as error:
            if not self._start:
                raise
            if not _may_be_asked_twice(method, path, headers or {}):
                raise AnswerLost(f'{error.message}; see "{PROGRAM} ps -a" for what it has done') from error
        try:
            return self.persist(ask)
        except NotFound:
            if method != "DELETE":
                raise
            return None  # it was removed before the engine died

    @staticmethod
    def persist(ask: Callable[[], Result]) -> Result:
        """`ask`, again after a pause when its answer is lost: an engine that dies takes connections to the last."""
        for pause in _PAUSES:
            try:
                return ask()
            except AnswerLost:
                time.sleep(pause)
        return ask()

    def _spawn(self) -> None:
        from core.client.spawn import ensure_engine
        from core.paths import Paths

        ensure_engine(Paths.from_environment())

    def _unreachable(self, error: OSError) -> EngineUnreachable:
        reason = (error.strerror or str(error)).lower()
        help = "try sudo" if isinstance(error, PermissionError) else "is it running?"
        return EngineUnreachable(f"cannot connect to the engine at {self.host}: {reason}; {help}")


def _may_be_asked_twice(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether the second time changes nothing: questions, removals, what a state answers (304), and a creation
    whose id we have chosen."""
    removal = method == "DELETE" and not path.startswith("/onggi/")
    return method == "GET" or removal or path.endswith(("/start", "/stop")) or OWN_ID in headers


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
