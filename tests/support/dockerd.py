"""A real dockerd in folders of its own, without any network: ours is held against what it says and writes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0  # seconds until it must answer, or have ended
WORDS = 28  # the version of Docker's client whose words ours are; older ones say some things in others


@dataclass(frozen=True)
class Dockerd:
    """One daemon that runs."""

    host: str

    def run(self, *words: str, stdin: bytes = b"", check: bool = True) -> str:
        """Run one command of Docker's client: what it wrote, and without `check` to stderr too."""
        return self.read(*words, stdin=stdin, check=check).decode()

    def read(self, *words: str, stdin: bytes = b"", check: bool = True) -> bytes:
        """`run`, as bytes."""
        environment = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_CONFIG": "/nonexistent"}
        done = subprocess.run(
            ["docker", *words], input=stdin, env=environment, capture_output=True, timeout=120, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"docker {' '.join(words)}: {done.stderr.decode()}")
        return done.stdout + (b"" if check else done.stderr)


def client_version() -> int:
    """The first number of the version of Docker's client, 0 where there is none."""
    if shutil.which("docker") is None:
        return 0
    said = subprocess.run(["docker", "--version"], capture_output=True, text=True, timeout=60, check=False).stdout
    found = re.search(r"version (\d+)\.", said)
    return int(found.group(1)) if found else 0


def available() -> bool:
    """Whether this machine has what it takes."""
    return os.geteuid() == 0 and all(map(shutil.which, ("dockerd", "docker", "containerd")))


@contextmanager
def private_dockerd() -> Iterator[Dockerd]:
    """A daemon for the time of a `with`; nothing of it stays."""
    folder = Path(tempfile.mkdtemp(prefix="onggi-dockerd-"))
    host = f"unix://{folder}/sock"
    command = [
        "dockerd", "--data-root", f"{folder}/root", "--exec-root", f"{folder}/exec", "-p", f"{folder}/pid",
        "-H", host, "--bridge", "none", "--iptables=false", "--ip6tables=false",
    ]  # fmt: skip
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        daemon = Dockerd(host)
        deadline = time.monotonic() + PATIENCE
        while "Server" not in daemon.run("version", check=False):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"dockerd does not come up: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield daemon
    finally:
        _remove_containers(host)
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _clean(folder)


def _remove_containers(host: str) -> None:
    """Or each keeps the daemon waiting for ten seconds, and a shim behind it for good."""
    try:
        idents = Dockerd(host).run("ps", "-aq", check=False).split()
        Dockerd(host).run("rm", "-f", *idents, check=False)
    except subprocess.TimeoutExpired:
        pass  # it is ended all the same


def _clean(folder: Path) -> None:
    """What a daemon that was killed has left: shims, mounts, files."""
    mark = f"{folder}/".encode()
    for found in Path("/proc").iterdir():
        try:
            if found.name.isdigit() and mark in (found / "cmdline").read_bytes():
                os.kill(int(found.name), signal.SIGKILL)
        except OSError:
            pass
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed([place for place in mounts if place.startswith(f"{folder}/")]):
        subprocess.run(["umount", "-l", place], check=False)
    shutil.rmtree(folder, ignore_errors=True)
