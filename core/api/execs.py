"""Routes of exec instances."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from core.api.containers import terminal_size
from core.api.refusing import refuse
from core.api.routing import Answer, Reply, Request, Route, TakenOver, json_reply
from core.engine.engine import Engine
from core.engine.instances import Exec
from core.engine.keys import parse_detach_keys
from core.engine.parking import AttachOptions, Client
from core.errors import EngineError
from core.wire.codec import parse_exec, parse_object
from core.wire.streams import STDERR, frame


async def create(engine: Engine, request: Request) -> Answer:
    """POST /containers/{id}/exec"""
    made = engine.execs.create(request.id, parse_exec(request.body))
    return json_reply({"Id": made.id}, 201)


async def start(engine: Engine, request: Request) -> Answer:
    """POST /exec/{id}/start"""
    made = engine.execs.instances.get(request.id)
    engine.execs.check_startable(made)
    asked = parse_object(request.body, what="exec start request", optional=True)
    if asked.get("Detach"):
        await engine.execs.start(made, None)
        return Reply()
    config = made.config
    options = AttachOptions(
        stdin=config.attach_stdin,
        stdout=config.attach_stdout,
        stderr=config.attach_stderr,
        detach_keys=parse_detach_keys(config.detach_keys),
        viewer=request.flag("viewer"),
    )
    head = request.stream_head(tty=made.tty)
    sock, early = request.take_over()
    try:
        await asyncio.get_running_loop().sock_sendall(sock, head)
        await engine.execs.start(made, Client(sock, options, early))
    except EngineError as error:
        # The head has gone out: as Docker does, the reason goes where the program's output would.
        await _say(sock, made, error)
    except OSError:
        sock.close()
    return TakenOver()


async def _say(sock: socket.socket, made: Exec, error: EngineError) -> None:
    text = f"{error.message}\r\n".encode()
    try:
        await asyncio.get_running_loop().sock_sendall(sock, text if made.tty else frame(STDERR, text))
    except OSError:
        pass
    finally:
        sock.close()


async def attach(engine: Engine, request: Request) -> Answer:
    """POST /onggi/v1/exec/{id}/attach: a further client of a running instance, as that of a container is one.

    A terminal may be asked for its `history`, whose size the answer's head tells (`Onggi-History`).
    """
    made = engine.execs.instances.get(request.id)
    engine.execs.check_running(made)
    history = request.flag("history") and made.tty
    head = request.stream_head(tty=made.tty)
    options = AttachOptions(
        stdin=request.flag("stdin") and made.config.attach_stdin,
        stdout=request.flag("stdout", True),
        stderr=request.flag("stderr", True),
        detach_keys=parse_detach_keys(request.text("detachKeys")),
        history=history,
        viewer=request.flag("viewer"),
        # The shim writes it: whoever reads it is attached, and misses nothing from there on.
        head=head.decode("latin-1").removesuffix("\r\n"),
    )
    sock, early = request.take_over()
    try:
        await engine.execs.attach(made, Client(sock, options, early))
    except EngineError as error:
        await refuse(sock, error)
    return TakenOver()


async def running(engine: Engine, request: Request) -> Answer:
    """GET /onggi/v1/containers/{id}/execs: the running instances, those of clients that have left too"""
    return json_reply([_view(made) for made in engine.execs.instances.running(request.id)])


async def resize(engine: Engine, request: Request) -> Answer:
    """POST /exec/{id}/resize"""
    height, width = terminal_size(request)
    await engine.execs.resize(request.id, height=height, width=width)
    return json_reply({})


async def inspect(engine: Engine, request: Request) -> Answer:
    """GET /exec/{id}/json"""
    return json_reply(_view(await engine.execs.settled(request.id)))


def _view(made: Exec) -> dict[str, Any]:
    config = made.config
    return {
        "ID": made.id,
        "Running": made.running,
        "ExitCode": made.exit_code,
        "ProcessConfig": {
            "tty": made.tty,
            "entrypoint": config.cmd[0] if config.cmd else "",
            "arguments": list(config.cmd[1:]),
            "privileged": config.privileged,
            "user": config.user,
        },
        "OpenStdin": config.attach_stdin,
        "OpenStderr": config.attach_stderr,
        "OpenStdout": config.attach_stdout,
        "CanRemove": made.exit_code is not None,
        "ContainerID": made.container_id,
        "DetachKeys": config.detach_keys or None,
        "Pid": made.pid,
    }


ROUTES = (
    Route("POST", "/containers/{id}/exec", create),
    Route("POST", "/exec/{id}/start", start),
    Route("POST", "/exec/{id}/resize", resize),
    Route("GET", "/exec/{id}/json", inspect),
    Route("POST", "/onggi/v1/exec/{id}/attach", attach),
    Route("GET", "/onggi/v1/containers/{id}/execs", running),
)
