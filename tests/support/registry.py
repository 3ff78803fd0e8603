"""A real registry, Debian's `docker-registry`: on a port of the loopback, in a folder of its own, or as a root file
system to make an image of."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 30.0  # seconds until it must answer
USER, PASSWORD = "alice", "s3cret"
# bcrypt of PASSWORD, at the least cost
_HTPASSWD = f"{USER}:$2b$04$tD8ar.jfELSdfZ/rqx4AR.PAlDW1qEkfZWCbp4BLbzo09HQDIMrgy\n"

_PROGRAM = "docker-registry"
_IN_AN_IMAGE = """\
version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http:
  addr: :5000
"""


@dataclass(frozen=True)
class Registry:
    """One registry that runs. `address` = host:port; `ca` = what its certificate is to be checked with."""

    address: str
    folder: Path
    process: subprocess.Popen[bytes]
    ca: Path | None = None

    def log(self) -> str:
        """What it has written so far: each request, among others."""
        return (self.folder / "log").read_text()

    def count(self, method: str, part: str) -> int:
        """How many requests of `method` had `part` in their path."""
        lines = [line for line in self.log().splitlines() if f'"{method} /' in line]
        return sum(part in line.partition('"')[2].partition(" HTTP/")[0] for line in lines)

    def blobs(self) -> Path:
        """Where its blobs lie."""
        return self.folder / "data/docker/registry/v2/blobs/sha256"


def available() -> bool:
    """Whether this machine has one."""
    return shutil.which(_PROGRAM) is not None


def free_port() -> int:
    """A port of the loopback that nobody listens on right now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def make_certificate(folder: Path, host: str = "127.0.0.1") -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key, for `host` and localhost."""
    certificate, key = folder / "server.crt", folder / "server.key"
    subject = f"subjectAltName=IP:{host},DNS:localhost" if host[0].isdigit() else f"subjectAltName=DNS:{host}"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
         "30", "-subj", f"/CN={host}", "-addext", subject, "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@contextmanager
def running_registry(
    *, htpasswd: bool = False, tls: bool = False, port: int = 0, netns: str = ""
) -> Iterator[Registry]:
    """A registry for the time of a `with`; nothing of it stays. `htpasswd` = only USER with PASSWORD gets in.

    `netns` = the path of the network namespace on whose loopback it listens, "" = here.
    """
    folder = Path(tempfile.mkdtemp(prefix="onggi-registry-"))
    address = f"127.0.0.1:{port or free_port()}"
    http: dict[str, object] = {"addr": address}
    ca = None
    if tls:
        ca, key = make_certificate(folder)
        http["tls"] = {"certificate": str(ca), "key": str(key)}
    config: dict[str, object] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": False}},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
            "maintenance": {"uploadpurging": {"enabled": False}},
        },
        "http": http,
    }
    if htpasswd:
        (folder / "htpasswd").write_text(_HTPASSWD)
        config["auth"] = {"htpasswd": {"realm": "onggi test", "path": str(folder / "htpasswd")}}
    (folder / "config.yml").write_text(json.dumps(config))  # YAML is a superset of JSON
    with open(folder / "log", "wb") as log:
        command = [*inside(netns), _PROGRAM, "serve", str(folder / "config.yml")]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        registry = Registry(address, folder, process, ca)
        _wait(registry, netns)
        yield registry
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def inside(netns: str) -> list[str]:
    """What goes before a command that is to run in a network namespace."""
    return ["nsenter", f"--net={netns}"] if netns else []


def _wait(registry: Registry, netns: str) -> None:
    deadline = time.monotonic() + PATIENCE
    knock = [*inside(netns), "bash", "-c", f"exec 3<>/dev/tcp/{registry.address.replace(':', '/')}"]
    while time.monotonic() < deadline and registry.process.poll() is None:
        if subprocess.run(knock, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            return
        time.sleep(0.02)
    raise AssertionError(f"the registry does not come up: {registry.log()[-2000:]}")


def get_json(registry: Registry, path: str) -> object:
    """What it answers to a plain GET; None for what it does not have."""
    try:
        with urllib.request.urlopen(f"http://{registry.address}{path}", timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return None


@contextmanager
def registry_root() -> Iterator[Path]:
    """The registry, the libraries it needs, and a configuration, as a tar."""
    folder = Path(tempfile.mkdtemp(prefix="onggi-registry-root-"))
    try:
        root = folder / "root"
        program = Path(shutil.which(_PROGRAM) or _PROGRAM)
        for source in (program, *_libraries(program)):
            target = root / source.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/registry.yml").write_text(_IN_AN_IMAGE)
        (root / "tmp").mkdir(mode=0o1777)
        subprocess.run(["tar", "-C", str(root), "-cf", str(folder / "root.tar"), "."], check=True)
        yield folder / "root.tar"
    finally:
        shutil.rmtree(folder)


def _libraries(program: Path) -> list[Path]:
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False)
    words = done.stdout.split() if done.returncode == 0 else []
    return [Path(word) for word in words if word.startswith("/")]
