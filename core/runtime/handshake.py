"""What launcher and init say to each other over one SEQPACKET pair; both ends.

| message | from -> to | when | answer |
| --- | --- | --- | --- |
| console + fd | init -> launcher | the container's terminal is open: the master | none |
| warning text | init -> launcher | something was done less than asked | none |
| error ... | init -> launcher | a step failed; init ends | none |
| ready | init -> launcher | all is done but the exec; last message | none |

Init's end is CLOEXEC: end of file after `ready` means that the program runs, end of file before it that init
died. An `error` after `ready` is the execve itself. With a gate (the CLI's `create`), init waits after `ready`
until somebody connects to the gate's socket.
"""

from __future__ import annotations

import os
import signal
import socket

from core import packets
from core.errors import EngineError, InitFailed, from_wire, to_wire
from core.linux.process import set_parent_death_signal


class Launcher:
    """The launcher's end."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.console: int | None = None
        self.warnings: list[str] = []

    def wait_ready(self) -> bool:
        """Read until `ready` (True) or the end of file (False). Raises what init reports."""
        while True:
            try:
                received = packets.receive(self.sock)
            except ConnectionResetError:
                return False
            if received is None:
                return False
            message, fds = received
            if message["is"] == "console":
                self.console = fds.pop()
            elif message["is"] == "warning":
                self.warnings.append(str(message["text"]))
            for fd in fds:
                os.close(fd)
            if message["is"] == "error":
                raise from_wire(message["error"])
            if message["is"] == "ready":
                return True

    def close(self) -> None:
        """Hang up."""
        self.sock.close()


class Init:
    """Init's end."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def console(self, master: int) -> None:
        """Give the terminal away."""
        packets.send(self.sock, {"is": "console"}, [master])

    def warn(self, text: str) -> None:
        """Report something done less than asked."""
        packets.send(self.sock, {"is": "warning", "text": text})

    def fail(self, error: EngineError) -> None:
        """Report what ended the plan."""
        packets.send(self.sock, {"is": "error", "error": to_wire(error)})

    def ready(self) -> None:
        """Everything is done but the exec."""
        packets.send(self.sock, {"is": "ready"})


class FirstProcess(Init):
    """Init's end where no launcher stands between: its parent hears one answer, with the terminal, and the end.

    An error takes the place of the answer, or follows it when it is the execve itself.
    """

    def __init__(self, sock: socket.socket, answer: packets.Message) -> None:
        super().__init__(sock)
        self._answer = answer
        self._master: list[int] = []

    def console(self, master: int) -> None:
        self._master.append(os.dup(master))

    def warn(self, text: str) -> None:
        self._answer.setdefault("warnings", []).append(text)

    def fail(self, error: EngineError) -> None:
        packets.send(self.sock, {"error": to_wire(error)})

    def ready(self) -> None:
        set_parent_death_signal(0)  # from here on the container outlives whoever started it
        packets.send(self.sock, self._answer, self._master)


def died(status: int) -> InitFailed:
    """Init ended without a word; `status` is waitpid's."""
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGKILL:
        return InitFailed("start container: its first process was killed, the memory limit may be too low")
    return InitFailed(f"start container: its first process ended early with status {code}")
