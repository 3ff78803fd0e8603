"""Two machines made of network namespaces: `host`, where the networks live, and `lan`, its neighbour."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
HOST, NEIGHBOUR = "192.0.2.1", "192.0.2.2"


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


class Networks:
    """The process of network_host.py."""

    def __init__(self, netns: str, root: Path) -> None:
        self.root = root
        command = ["ip", "netns", "exec", netns, sys.executable, str(Path(__file__).with_name("network_host.py"))]
        self._process = subprocess.Popen(
            [*command, str(root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )

    def ask(self, method: str, *arguments: Any) -> dict[str, Any]:
        """Have it done; what was refused comes back as `error`."""
        assert self._process.stdin and self._process.stdout
        print(json.dumps([method, *arguments]), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        assert isinstance(answer, dict)
        return answer

    def end(self) -> None:
        """As SIGKILL would: nothing is tidied."""
        self._process.kill()
        self._process.communicate()


class Machines:
    """The two machines; what was started in them ends with the test."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.host, self.lan = f"{name}-host", f"{name}-lan"
        self._servers: list[subprocess.Popen[str]] = []
        self._networks: list[Networks] = []

    def build(self) -> None:
        for netns in (self.host, self.lan):
            ip("netns", "add", netns)
            ip("-n", netns, "link", "set", "lo", "up")
        peer = ["peer", "name", "wire0", "netns", self.lan]
        ip("link", "add", "wire0", "netns", self.host, "type", "veth", *peer)
        for netns, address in ((self.host, HOST), (self.lan, NEIGHBOUR)):
            ip("-n", netns, "addr", "add", f"{address}/24", "dev", "wire0")
            ip("-n", netns, "link", "set", "wire0", "up")
        ip("-n", self.host, "route", "add", "default", "via", NEIGHBOUR)

    def networks(self, root: str = "one") -> Networks:
        found = Networks(self.host, self.folder / root)
        self._networks.append(found)
        return found

    def serve(self, netns: str, port: int) -> None:
        """In that namespace, tell every TCP client its own address as the server sees it."""
        self._begin(netns, _SERVER, str(port))

    def serve_udp(self, netns: str, port: int, word: str) -> None:
        """In that namespace, answer every datagram with `word`."""
        self._begin(netns, _UDP_SERVER, str(port), word)

    def talk_udp(self, address: str, port: int) -> Callable[[], str]:
        """A peer in the LAN that always sends from the same port: call it for one question and its answer."""
        talker = self._begin(self.lan, _UDP_CLIENT, address, str(port))

        def ask() -> str:
            assert talker.stdin and talker.stdout
            print(file=talker.stdin, flush=True)
            return str(talker.stdout.readline().strip())

        return ask

    def _begin(self, netns: str, program: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*enter(netns), sys.executable, "-c", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._servers.append(process)
        assert process.stdout and process.stdout.readline() == "ready\n"
        return process

    def destroy(self) -> None:
        for process in self._servers:
            process.kill()
            process.communicate()
        for networks in self._networks:
            networks.end()
        for netns in (self.host, self.lan):
            subprocess.run(["ip", "netns", "del", netns], check=True, capture_output=True)


def enter(netns: str) -> Sequence[str]:
    """The command in front of one that is to run there; a name, or a path of a namespace."""
    return ["nsenter", f"--net={netns}"] if netns.startswith("/") else ["ip", "netns", "exec", netns]


def run(netns: str, *command: str) -> str:
    return subprocess.run([*enter(netns), *command], check=True, capture_output=True, text=True).stdout


def call(netns: str, address: str, port: int, *, patience: float = 5.0) -> str:
    """What the server at this address says to one there; "" when it does not answer in `patience` seconds."""
    arguments = [sys.executable, "-c", _CLIENT, address, str(port), str(patience)]
    return subprocess.run([*enter(netns), *arguments], capture_output=True, text=True, check=False).stdout


_SERVER = """
import socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while True:
    client, peer = server.accept()
    client.sendall(peer[0].encode())
    client.close()
"""

_UDP_SERVER = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while True:
    server.sendto(sys.argv[2].encode(), server.recvfrom(100)[1])
"""

_UDP_CLIENT = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("0.0.0.0", 6000))
sock.settimeout(1)
print("ready", flush=True)
for _ in sys.stdin:
    sock.sendto(b"?", (sys.argv[1], int(sys.argv[2])))
    try:
        print(sock.recv(100).decode(), flush=True)
    except OSError:
        print(flush=True)
"""

_CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])) as sock:
    sock.settimeout(float(sys.argv[3]))
    print(sock.recv(100).decode(), end="")
"""


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    if shutil.which("ip") is None or shutil.which("nsenter") is None:
        pytest.skip("needs ip and nsenter")
    made = Machines(tmp_path, f"onggi-test-{os.getpid()}-{socket.gethostname()}"[:40])
    try:
        made.build()
        yield made
    finally:
        made.destroy()
