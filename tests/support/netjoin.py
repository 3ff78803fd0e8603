"""A port of one network namespace's loopback, in another's too."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# A socket stays in the namespace that it was made in: listen here, go over, connect there.
_FORWARD = """
import ctypes, os, selectors, socket, sys, threading
port, there = int(sys.argv[1]), sys.argv[2]
listening = socket.create_server(("127.0.0.1", port))
with open(there) as netns:
    if ctypes.CDLL(None, use_errno=True).setns(netns.fileno(), 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")
print("ready", flush=True)
def pump(source, target):
    try:
        while piece := source.recv(1 << 16):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
while True:
    here, _ = listening.accept()
    far = socket.create_connection(("127.0.0.1", port))
    for pair in ((here, far), (far, here)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"""


@contextmanager
def forwarded(port: int, *, into: str, out_of: str) -> Iterator[None]:
    """While inside connections to `port` of the loopback in namespace `into` (a path) go to that in `out_of`."""
    command = ["nsenter", f"--net={into}", sys.executable, "-c", _FORWARD, str(port), out_of]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()
