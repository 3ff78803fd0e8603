"""Joining a container's stream: what `run`, `start -a`, `attach` and `exec` share."""

from __future__ import annotations

from core.cli import keys as detach_keys
from core.cli import preferences, terminal
from core.cli.context import Context
from core.cli.exitwatch import ExitWatch
from core.cli.parser import Arguments
from core.client.address import quote
from core.client.transport import AnswerLost
from core.errors import EngineError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cli.session import Resize
    from core.client.transport import Stream

NEVER = "0001-01-01T00:00:00Z"  # when a container was started that was not: Go's zero time
NOT_FOUND, NOT_EXECUTABLE, FAILED = 127, 126, 125


def start_failure_code(message: str) -> int:
    """The exit code for a program that could not be started, read off the engine's words as Docker does."""
    text = message.lower()
    if "executable file not found" in text or "no such file or directory" in text:
        return NOT_FOUND
    if "permission denied" in text or "is a directory" in text:
        return NOT_EXECUTABLE
    return FAILED


class Joined:
    """A container whose stream this terminal will take.

    `stdin`, `stdout`, `stderr` are what is attached; `removed`: the container goes away by itself at its end.
    """

    def __init__(
        self,
        context: Context,
        container: str,
        *,
        tty: bool,
        stdin: bool,
        stdout: bool = True,
        stderr: bool = True,
        keys: str = "",
        removed: bool = False,
        proxy: bool = True,
        started_at: str = NEVER,
    ) -> None:
        self._context = context
        self._container = container
        self._tty = tty
        self._stdin = stdin
        self._outputs = frozenset(fd for fd, shown in ((1, stdout or tty), (2, stderr)) if shown)
        self._keys = detach_keys.parse(keys)
        self._asked_keys = keys or None
        self._proxy = proxy and not tty
        self._started_at = started_at
        self._wait = ExitWatch(context, container, removed=removed)
        self._wanted = {"stream": True, "stdin": stdin, "stdout": stdout, "stderr": stderr}
        self._stream: Stream | None = None

    @classmethod
    def of(cls, context: Context, container: dict[str, Any], given: Arguments, *, stdin: bool) -> Joined:
        """A container that is there already, as inspect describes it, with the flags of `attach` and `start`."""
        return cls(
            context,
            container["Id"],
            tty=container["Config"]["Tty"],
            stdin=stdin,
            keys=preferences.detach_keys(given),
            removed=container["HostConfig"].get("AutoRemove", False),
            proxy=given.on("sig-proxy"),
            started_at=container["State"]["StartedAt"],
        )

    def open(self, *, running: bool) -> None:
        """Have the stream and the promise of an exit code, of a container that runs or is about to start.

        Raises EngineError.
        """
        self._context.engine.persist(lambda: self._open(running=running))  # nothing has begun yet

    def _open(self, *, running: bool) -> None:
        try:
            self._wait.ask(running=running)  # both are on their way before the first answer is waited for
            self._stream = self._context.engine.hijack(
                f"/containers/{quote(self._container)}/attach", {**self._wanted, "detachKeys": self._asked_keys}
            )
            self._wait.promised()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, and read in what its session needs while the engine works. Raises EngineError."""
        try:
            try:
                self._start()
            except AnswerLost:
                self._context.engine.persist(self._start_anew)
        except BaseException:
            self.close()
            raise

    def _start_anew(self) -> None:
        """Where it has begun, its shim has the stream; else that was lost, and the next engine starts it."""
        if self._has_begun():
            return
        self.close()
        self._open(running=False)
        self._start()

    def _start(self) -> None:
        engine = self._context.engine
        asked = engine.begin("POST", f"/containers/{quote(self._container)}/start")
        from core.cli import session  # noqa: F401

        engine.answer(asked).close()

    def _has_begun(self) -> bool:
        try:
            state = self._context.engine.get(f"/containers/{quote(self._container)}/json")["State"]
        except NotFound:
            return True  # it has removed itself already
        return bool(state["StartedAt"] != self._started_at)

    def resize(self) -> None:
        """Tell the container how large this terminal is."""
        if self._tty and terminal.size()[0]:
            try:
                self._send_size(*terminal.size())
            except EngineError:
                pass  # it may have ended already

    def run(self) -> int | None:
        """The session and then the exit code; None when the user detached."""
        from core.cli.session import Session

        assert self._stream is not None
        session = Session(
            self._stream,
            tty=self._tty,
            stdin=self._stdin,
            keys=self._keys,
            outputs=self._outputs,
            exit_watch=self._wait,
            resize=self._send_size if self._tty else None,
            forward=self._forward if self._proxy else None,
        )
        try:
            return None if session.run() else self._wait.finish()
        finally:
            self._wait.close()

    def close(self) -> None:
        """Give up without a session."""
        if self._stream is not None:
            self._stream.close()
        self._wait.close()

    def _send_size(self, height: int, width: int) -> None:
        resizer(self._context, f"/containers/{quote(self._container)}")(height, width)

    def _forward(self, name: str) -> None:
        path = f"/containers/{quote(self._container)}/kill"
        self._context.running_engine().post(path, {"signal": name})


def resizer(context: Context, path: str) -> Resize:
    """What tells the engine the terminal's size, under `path`; it never starts an engine."""

    def resize(height: int, width: int) -> Any:
        return context.running_engine().post(f"{path}/resize", {"h": height, "w": width})

    return resize
