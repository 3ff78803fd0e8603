"""`image send` and `image receive`: images from engine to engine, through any two programs that move bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from core.cli import progress
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.output import shown
from core.cli.parser import Arguments, Command, option, switch
from core.client import jsontext
from core.client.address import Query
from core.client.transport import Stream

READ_SIZE = 1 << 20
LINE_LIMIT = 4 << 20  # bytes of a line of the other side
_RECEIVE = ("onggi", "image", "receive", "--duplex")


def send(context: Context, given: Arguments) -> int:
    """Everything to stdout, or with `--to` only what the other side lacks, to a command that leads there."""
    query: Query = {"names": given.operands}
    if given.text("to"):
        return _talk(context, query, ["sh", "-c", given.text("to")], quiet=given.on("quiet"))
    if sys.stdout.isatty():
        raise CommandFailed("cowardly refusing to send to a terminal: redirect, or use --to")
    for piece in context.engine.open("GET", "/onggi/v1/images/send", query):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
    return 0


def push_ssh(context: Context, url: str, images: Sequence[str], *, quiet: bool) -> int:
    """Send images to the engine of another machine, by ssh(1) as the user has set it up."""
    command = ssh_command(url)
    return _talk(context, {"names": list(images)}, command, quiet=quiet, host=command[-len(_RECEIVE) - 1])


def ssh_command(url: str) -> list[str]:
    """The command for `ssh://[user@]host[:port]`. Raises CommandFailed."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise CommandFailed(f"invalid address {url}: {error}") from error
    host, user = parts.hostname or "", parts.username or ""
    if parts.scheme != "ssh" or not host or parts.path.strip("/") or parts.query or parts.password is not None:
        raise CommandFailed(f"invalid address {url}: must be ssh://[user@]host[:port]")
    if host.startswith("-") or user.startswith("-"):
        raise CommandFailed(f"invalid address {url}: a name must not begin with a dash")
    login = ["-l", user] if user else []
    return ["ssh", *(["-p", str(port)] if port else []), *login, "--", host, *_RECEIVE]


def _talk(context: Context, query: Query, command: list[str], *, quiet: bool, host: str = "") -> int:
    """Join the engine to `command`, whose output says what is wanted and how far it is.

    `host` = where it leads, when it is ssh(1).
    """
    stream = context.engine.hijack("/onggi/v1/images/send", query)
    try:
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError as error:
        stream.close()
        raise CommandFailed(f"run {command[0]}: {os.strerror(error.errno or 0).lower()}") from error
    assert other.stdin is not None
    assert other.stdout is not None
    forth = threading.Thread(target=_carry, args=(stream, other.stdin.fileno(), other), daemon=True)
    forth.start()
    try:
        progress.follow(_answers(other, stream, host), quiet=quiet)
    except BaseException:
        other.terminate()
        raise
    finally:
        # Whatever happened: neither side is to wait for the other any more.
        _shut(stream)
        other.stdout.close()
        forth.join()
    code = other.wait()
    if code:
        raise CommandFailed(f"{command[0]} ended with exit code {code}")
    return 0


def _carry(stream: Stream, fd: int, other: subprocess.Popen[bytes]) -> None:
    """From the engine to the other side, until either ends."""
    try:
        data = stream.early or stream.sock.recv(READ_SIZE)
        while data:
            _write_all(fd, data)
            data = stream.sock.recv(READ_SIZE)
    except OSError:
        pass  # the other side has ended; its output, or its exit code, says why
    finally:
        if other.stdin is not None:
            try:
                other.stdin.close()
            except OSError:
                pass


def _answers(other: subprocess.Popen[bytes], stream: Stream, host: str) -> Iterator[dict[str, Any]]:
    """The other side's lines; what it wants goes to the engine. Raises CommandFailed where it is no receiver."""
    assert other.stdout is not None
    begun = done = False
    while line := other.stdout.readline(LINE_LIMIT):
        try:
            value = jsontext.loads(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            text = line[:200].decode("utf-8", "replace").strip()
            raise CommandFailed(f"the other side is no engine that receives: it says {shown(text)}")
        begun = True
        if "want" in value:
            stream.sock.sendall(line)
            continue
        done = done or "stream" in value
        yield value
    if not done:
        code = other.wait()
        if host and not begun:
            raise CommandFailed(_never_begun(host, code))
        reason = f" (exit code {code})" if code else ""
        raise CommandFailed(f"the other side ended before everything had arrived{reason}; sent again, it goes on")


def _never_begun(host: str, code: int) -> str:
    """Why nothing came back from `host`; ssh(1) ends with 255 where it failed itself, else as the program does."""
    if code == 255:
        return f"cannot reach {host}: ssh says why above"
    if code == 127:
        return f"{host} has no program `onggi` where ssh looks for it"
    return f"`onggi image receive` on {host} ended with exit code {code} before it took anything"


def receive(context: Context, given: Arguments) -> int:
    """Images from stdin. With `--duplex` stdout is for the sender, which hears there what to send."""
    if sys.stdin.isatty():
        raise CommandFailed("nothing to receive: stdin is a terminal")
    stream = context.engine.hijack("/onggi/v1/images/receive")
    threading.Thread(target=_feed, args=(stream,), daemon=True).start()
    try:
        if given.on("duplex"):
            return _relay(stream)
        progress.follow(_values(stream), quiet=given.on("quiet"))
    finally:
        _shut(stream)
    return 0


def _feed(stream: Stream) -> None:
    """From stdin to the engine, and the end of it too."""
    try:
        while data := os.read(0, READ_SIZE):
            stream.sock.sendall(data)
        stream.sock.shutdown(1)
    except OSError:
        pass  # the engine has had enough, and says why


def _relay(stream: Stream) -> int:
    """The engine's lines to the sender, as they are; 1 where the last is an error."""
    last = b""
    data = stream.early or stream.sock.recv(READ_SIZE)
    while data:
        _write_all(1, data)
        last = (last + data).rstrip(b"\n").rpartition(b"\n")[2]
        data = stream.sock.recv(READ_SIZE)
    return 1 if b'"errorDetail"' in last else 0


def _values(stream: Stream) -> Iterator[dict[str, Any]]:
    pending = stream.early
    done = False
    while True:
        *lines, pending = pending.split(b"\n")
        for line in lines:
            value = jsontext.loads(line)
            done = done or "stream" in value
            yield value
        data = stream.sock.recv(READ_SIZE)
        if not data:
            break
        pending += data
    if not done:
        raise CommandFailed("the engine ended before everything was taken in")


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _shut(stream: Stream) -> None:
    try:
        stream.sock.shutdown(2)
    except OSError:
        pass  # the engine has ended it


SEND = Command(
    send,
    "Send images to another engine, as a stream on STDOUT or to a command",
    "IMAGE [IMAGE...]",
    (
        switch("quiet", "q", "Suppress verbose output"),
        option(
            "to",
            "",
            "Join this command, which runs 'onggi image receive --duplex' elsewhere: only what it lacks is sent",
        ),
    ),
    least=1,
    most=None,
)
RECEIVE = Command(
    receive,
    "Take in images that 'onggi image send' sends, from STDIN",
    "",
    (
        switch("duplex", "", "Answer on STDOUT which layers are wanted"),
        switch("quiet", "q", "Suppress verbose output"),
    ),
)
