"""Starting an engine where none answers: detached from whoever asked, and once for all who ask.

Imported only when a connection was refused, so what it imports costs the usual command nothing.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

from core.errors import EngineUnreachable
from core.paths import Paths

START_PATIENCE = 30.0  # seconds for an engine that is alive, on a machine that is busy; it takes a fraction of one
ANSWER_PATIENCE = 10.0  # seconds for one that has the socket
_PAUSE = 0.01
_LOG_LIMIT = 4 * 1024 * 1024  # bytes of engine.log before a new start puts it aside
_KEPT = (
    "PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "ONGGI_CONFIG",
)  # fmt: skip
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def ensure_engine(paths: Paths, host: str = "", *, netns: str = "") -> str:
    """Return the host (`unix:///PATH`) on which an engine of `paths` answers; start one if none does.

    Two callers at once start one engine (flock on RUN/start.lock). Blocking, at most START_PATIENCE
    seconds. Raises EngineUnreachable with one line: the last words of engine.log where the start failed.
    """
    path = Path(host.removeprefix("unix://")) if host else paths.socket
    if not answers(path):
        if os.geteuid() != 0:
            raise EngineUnreachable("start engine: it needs root, try sudo")
        with _gate(paths):  # whoever had it before us has started one, or has failed
            if not answers(path):
                _start(paths, path, netns)
    return f"unix://{path}"


def _gate(paths: Paths) -> _Gate:
    try:
        paths.run.mkdir(mode=0o711, parents=True, exist_ok=True)
        paths.root.mkdir(mode=0o710, parents=True, exist_ok=True)
        fd = os.open(paths.run / "start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _failed(error) from error
    return _Gate(fd)


class _Gate:
    """The lock of those who want to start an engine."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def answers(path: Path, timeout: float = ANSWER_PATIENCE) -> bool:
    """Whether an engine answers `GET /_ping` at `path`; a socket without a listener says no at once."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(str(path))
            sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: onggi\r\nConnection: close\r\n\r\n")
            return sock.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False


def command(
    paths: Paths, *, host: str = "", netns: str = "", group: str = "", mode: str = "--foreground"
) -> list[str]:
    """The argv of an engine. `mode` `--background` detaches it and writes its pid to stdout."""
    source = str(Path(__file__).resolve().parents[2])
    # -I and an appended path: neither the current folder nor PYTHONPATH may stand in for our modules.
    code = f"import sys; sys.path.append({source!r}); from core.zygote.server import main; main()"
    argv = [sys.executable, "-I", "-S", "-c", code, "--root", str(paths.root), "--run", str(paths.run), mode]
    for name, value in (("--host", host), ("--netns", netns), ("--group", group)):
        argv += [name, value] if value else []
    return argv


def environment() -> dict[str, str]:
    """What an engine inherits: where programs lie, and proxies."""
    kept = {name: os.environ[name] for name in _KEPT if os.environ.get(name)}
    kept.setdefault("PATH", _DEFAULT_PATH)
    return kept


def _start(paths: Paths, path: Path, netns: str) -> None:
    log = _open_log(paths.engine_log)
    try:
        before = os.fstat(log).st_size
        engine = _detached(command(paths, host=f"unix://{path}", netns=netns, mode="--background"), log)
    finally:
        os.close(log)
    deadline = time.monotonic() + START_PATIENCE
    try:
        while (left := deadline - time.monotonic()) > 0:
            if path.exists() and answers(path, left):
                return
            if engine < 0 or select.select([engine], [], [], _PAUSE)[0]:
                break
    finally:
        if engine >= 0:
            os.close(engine)
    words = _last_words(paths.engine_log, before)
    raise EngineUnreachable(words or f"start engine: it does not answer, see {paths.engine_log}")


def _open_log(path: Path) -> int:
    try:
        if path.exists() and path.stat().st_size > _LOG_LIMIT:
            path.rename(f"{path}.1")
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _failed(error) from error


def _detached(argv: list[str], log: int) -> int:
    """Execute `argv` with nothing of the caller's but the log; a pidfd of the engine, -1 if it has ended.

    It forks once more by itself: this process may have threads, and must have no child left over.
    """
    try:
        launcher = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=environment(),
            check=False,
        )
        return os.pidfd_open(int(launcher.stdout or b"0"))
    except (OSError, ValueError):  # its own line in the log says more
        return -1


def _last_words(path: Path, offset: int) -> str:
    """The last line that the failed start wrote, but for the zygote's own about it."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            lines = file.read(64 * 1024).decode("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    told = [line for line in lines if not line.startswith("onggi: the daemon ended")] or lines
    return told[-1].removeprefix("onggi: ") if told else ""


def _failed(error: OSError) -> EngineUnreachable:
    return EngineUnreachable(f"start engine: {error.filename}: {(error.strerror or '').lower()}")
