"""`onggi exec`"""

from __future__ import annotations

import os
import time

from core.cli import keys, preferences, terminal, values
from core.cli.context import Context, warn
from core.cli.create import texts
from core.cli.failure import CommandFailed, engine_says
from core.cli.joining import FAILED, resizer, start_failure_code
from core.cli.parser import Arguments, Command, option, several, switch
from core.cli.session import Session
from core.client.address import quote
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LAG = 2.0  # seconds the exit code may lag behind the end of the stream
_PAUSE = 0.005


def exec_(context: Context, given: Arguments) -> int:
    """Run one more program in a running container. Exit code: the program's; 126 and 127 as `run`."""
    detach = given.on("detach")
    if given.on("tty") and given.on("interactive") and not detach:
        terminal.require_input_terminal()
    typed = preferences.detach_keys(given)
    request = _request(given, typed)
    made = context.engine.post(f"/containers/{quote(given.operands[0])}/exec", body=request)
    path = f"/exec/{made['Id']}"
    start: dict[str, Any] = {"Detach": detach, "Tty": given.on("tty")}
    if given.on("tty"):
        start["ConsoleSize"] = list(terminal.size())
    try:
        if detach:
            context.engine.post(f"{path}/start", body=start)
            return 0
        stream = context.engine.hijack(f"{path}/start", body=start)
    except EngineError as error:
        code = start_failure_code(error.message)
        if isinstance(error, CommandFailed) or code == FAILED:
            raise
        raise CommandFailed(engine_says(error), code) from error
    resize = resizer(context, path) if given.on("tty") else None
    if resize and terminal.size()[0]:
        try:
            resize(*terminal.size())
        except EngineError as error:
            warn(f"resize failed: {error}")
    session = Session(
        stream,
        tty=given.on("tty"),
        stdin=given.on("interactive"),
        keys=keys.parse(typed),
        resize=resize,
    )
    typed_keys = session.run()
    return _exit_code(context, path, detached=typed_keys)


def _request(given: Arguments, detach_keys: str) -> dict[str, Any]:
    files = [line for path in given.texts("env-file") for line in texts.variables_of_file(path, os.environ)]
    attached = not given.on("detach")
    request: dict[str, Any] = {
        "Cmd": given.operands[1:],
        "Tty": given.on("tty"),
        "AttachStdin": attached and given.on("interactive"),
        "AttachStdout": attached,
        "AttachStderr": attached,
        "Privileged": given.on("privileged"),
        "User": given.text("user"),
        "WorkingDir": given.text("workdir"),
        "Env": files + texts.variables(given.texts("env"), os.environ),
    }
    if detach_keys:
        request["DetachKeys"] = detach_keys
    if given.on("tty"):
        request["ConsoleSize"] = list(terminal.size())
    return request


def _exit_code(context: Context, path: str, *, detached: bool) -> int:
    deadline = time.monotonic() + _LAG
    while True:
        state = context.engine.get(f"{path}/json")
        if not state.get("Running"):
            return int(state.get("ExitCode") or 0)
        if detached or time.monotonic() > deadline:  # it goes on without us
            return 0
        time.sleep(_PAUSE)


EXEC = Command(
    exec_,
    "Execute a command in a running container",
    "CONTAINER COMMAND [ARG...]",
    (
        switch("detach", "d", "Detached mode: run command in the background"),
        option("detach-keys", "", "Override the key sequence for detaching a container"),
        several("env", "e", "Set environment variables", parse=values.environment),
        several("env-file", "", "Read in a file of environment variables"),
        switch("interactive", "i", "Keep STDIN open even if not attached"),
        switch("privileged", "", "Give extended privileges to the command"),
        switch("tty", "t", "Allocate a pseudo-TTY"),
        option("user", "u", "Username or UID (format: <name|uid>[:<group|gid>])"),
        option("workdir", "w", "Working directory inside the container"),
    ),
    least=2,
    most=None,
    stop_early=True,
)
