"""Debian's `sshd` on a port of the loopback, with keys of its own: nothing of the machine's own set-up is read."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.registry import free_port

PATIENCE = 60.0  # seconds until it must answer
_PROGRAM = "/usr/sbin/sshd"
_PRIVILEGE_SEPARATION = Path("/run/sshd")  # compiled in; the package's service makes it, and we start none


@dataclass(frozen=True)
class Sshd:
    """One server that runs. `bin` holds a program `ssh` that uses the test's own settings, and is to lead PATH."""

    port: int
    bin: Path
    known_hosts: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"ssh://root@127.0.0.1:{self.port}"

    def sessions(self) -> list[int]:
        """The processes that serve one connection each."""
        listing = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listing.split()]

    def cut(self) -> None:
        """End every connection as a lost line does: at once, and without a word."""
        for pid in self.sessions():
            os.kill(pid, signal.SIGKILL)


def available() -> bool:
    """Whether this machine has both ends."""
    return Path(_PROGRAM).exists() and shutil.which("ssh") is not None


@contextmanager
def running_sshd(folder: Path, environment: Mapping[str, str], *, inside: Sequence[str] = ()) -> Iterator[Sshd]:
    """A server for the time of a `with`, whose users find `environment` set.

    `inside` = words before its command, which lead into a network of its own; its port is 22 there.
    """
    _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        subprocess.run(command, check=True, timeout=PATIENCE)
    port = 22 if inside else free_port()
    (folder / "sshd_config").write_text(_server(folder, port, environment))
    host_key = (folder / "host_key.pub").read_text().split()
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"{'127.0.0.1' if inside else f'[127.0.0.1]:{port}'} {' '.join(host_key[:2])}\n")
    program = _client(folder, known_hosts)
    with (folder / "sshd.log").open("wb") as log:
        command = [*inside, _PROGRAM, "-D", "-e", "-f", str(folder / "sshd_config")]
        process = subprocess.Popen(command, stderr=log)
    try:
        if inside:
            _wait_for_word(process, folder / "sshd.log")
        else:
            _wait(port, folder / "sshd.log")
        yield Sshd(port, program, known_hosts, process)
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _server(folder: Path, port: int, environment: Mapping[str, str]) -> str:
    setenv = " ".join(f'"{name}={value}"' for name, value in environment.items())
    return f"""\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
SetEnv {setenv}
"""


def _client(folder: Path, known_hosts: Path) -> Path:
    (folder / "ssh_config").write_text(
        f"Host *\n  IdentityFile {folder}/user_key\n  IdentitiesOnly yes\n  UserKnownHostsFile {known_hosts}\n"
        "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  BatchMode yes\n  LogLevel ERROR\n"
    )
    found = shutil.which("ssh")
    assert found is not None
    program = folder / "bin/ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(found)} -F {shlex.quote(str(folder))}/ssh_config "$@"\n')
    program.chmod(0o755)
    return program.parent


def _wait_for_word(process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it says that it listens, where it cannot be reached from here."""
    deadline = time.monotonic() + PATIENCE
    while "Server listening" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TimeoutError(f"sshd does not come up: {log.read_text()}")
        time.sleep(0.02)


def _wait(port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
                if sock.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"sshd does not answer: {log.read_text()}")
        time.sleep(0.02)
