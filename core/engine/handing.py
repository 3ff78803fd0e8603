"""A client's socket goes to the shim; from there on the stream goes on without the engine."""

from __future__ import annotations

from core.engine.parking import AttachOptions, Client
from core.engine.tasks import Task


async def give_streams(task: Task, client: Client, *, exec_id: str | None = None) -> None:
    """Have the shim serve `client` the container's streams, or an exec's; our copy of the socket stays open.

    Raises ShimGone, WrongState.
    """
    options: AttachOptions = client.options
    await task.shim.attach(
        client.sock.fileno(),
        stdin=options.stdin,
        stdout=options.stdout,
        stderr=options.stderr,
        detach_keys=options.detach_keys,
        history=options.history,
        viewer=options.viewer,
        head=options.head,
        early=client.early,
        exec_id=exec_id,
    )


async def attach_client(task: Task, client: Client) -> None:
    """`give_streams` for a container; the socket is closed here, whatever came of it."""
    try:
        await give_streams(task, client)
    finally:
        client.sock.close()
