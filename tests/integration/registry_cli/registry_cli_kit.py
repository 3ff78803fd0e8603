"""Debian's registry on a loopback port, and images to move through it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "docker-registry"
USER, PASSWORD = "sam", "pass word"
# bcrypt of PASSWORD, as htpasswd -B writes it, of the least cost: it is computed for every request
HTPASSWD = f"{USER}:$2b$04$4AQe/GZxVnMdNkQPp2OdZOiCYeX/LnRsXJvtXxl2BcTE4AmSSwLf.\n"
PATIENCE = 20.0  # seconds until it must answer
_CONFIG = """\
version: 0.1
log: {{level: error}}
storage:
  filesystem: {{rootdirectory: {root}}}
  delete: {{enabled: true}}
http:
  addr: {address}
"""


def available() -> bool:
    """Whether this machine has the registry."""
    return os.geteuid() == 0 and shutil.which(PROGRAM) is not None


@dataclass(frozen=True)
class Registry:
    """One registry that runs: its address as names begin with it, and its certificate where it has one."""

    address: str
    certificate: Path | None = None


def config(root: str, address: str) -> str:
    """A configuration: plain HTTP, nobody is asked who they are."""
    return _CONFIG.format(root=root, address=address)


@contextmanager
def running_registry(
    netns: str = "", *, port: int = 5000, login: bool = False, tls: bool = False
) -> Iterator[Registry]:
    """A registry in a network namespace (its path; "" = here), `login` asks for USER and PASSWORD."""
    folder = Path(tempfile.mkdtemp(prefix="onggi-registry-"))
    address = f"127.0.0.1:{port}"
    text, certificate = config(str(folder / "data"), address), None
    if tls:
        certificate = _make_certificate(folder)
        text += f"  tls: {{certificate: {certificate}, key: {folder}/key.pem}}\n"
    if login:
        (folder / "htpasswd").write_text(HTPASSWD)
        text += f"auth:\n  htpasswd: {{realm: test, path: {folder}/htpasswd}}\n"
    (folder / "config.yml").write_text(text)
    inside = ["nsenter", f"--net={netns}"] if netns else []
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([*inside, PROGRAM, "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        _wait(process, folder / "log", [*inside, "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"])
        yield Registry(address, certificate)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _make_certificate(folder: Path) -> Path:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return folder / "cert.pem"


def _wait(process: subprocess.Popen[bytes], log: Path, knock: list[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while subprocess.run(knock, capture_output=True, check=False).returncode:
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the registry does not come up: {log.read_text()}")
        time.sleep(0.05)


def free_port() -> int:
    """A port of this machine's loopback that nobody has right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def registry_root() -> Iterator[Path]:
    """A root file system that holds the registry, the libraries it needs, and a configuration; as a tar."""
    folder = Path(tempfile.mkdtemp(prefix="onggi-registry-root-"))
    try:
        root = folder / "root"
        program = Path(shutil.which(PROGRAM) or PROGRAM)
        for source in (program, *_libraries(program)):
            target = root / source.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/registry.yml").write_text(config("/var/lib/registry", ":5000"))
        (root / "tmp").mkdir(mode=0o1777)
        subprocess.run(["tar", "-C", str(root), "-cf", str(folder / "root.tar"), "."], check=True)
        yield folder / "root.tar"
    finally:
        shutil.rmtree(folder)


def _libraries(program: Path) -> list[Path]:
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    words = done.stdout.split() if done.returncode == 0 else []
    return [Path(word) for word in words if word.startswith("/")]
