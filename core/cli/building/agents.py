"""`--ssh ID=KEY`: an agent of OpenSSH's for the time of the build, which alone reads the key."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager

from core.cli.failure import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PATIENCE = 10.0  # seconds for an agent to listen


@contextmanager
def running(keys: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    """Sockets of agents by id, each with its keys, while inside. Raises CommandFailed."""
    if not keys:
        yield {}
        return
    if shutil.which("ssh-agent") is None or shutil.which("ssh-add") is None:
        raise CommandFailed("ERROR: --ssh with a key needs OpenSSH's ssh-agent and ssh-add: give an agent's socket")
    started: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="onggi-ssh-") as folder:
        try:
            sockets = {}
            for number, (ident, paths) in enumerate(keys.items()):
                sockets[ident] = f"{folder}/{number}"
                started.append(_start(sockets[ident]))
                _add(ident, sockets[ident], paths)
            yield sockets
        finally:
            for process in started:
                process.terminate()
                process.wait()


def _start(socket: str) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdin=quiet, stdout=quiet, stderr=quiet)
    deadline = time.monotonic() + _PATIENCE
    while not os.path.exists(socket):  # noqa: PTH110
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise CommandFailed("ERROR: --ssh: ssh-agent does not start")
        time.sleep(0.005)
    return process


def _add(ident: str, socket: str, paths: Sequence[str]) -> None:
    """A key with a passphrase is refused: nobody is asked for one in the middle of a build."""
    environment = {**os.environ, "SSH_AUTH_SOCK": socket, "SSH_ASKPASS_REQUIRE": "never"}
    done = subprocess.run(
        ["ssh-add", "-q", "--", *paths], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        start_new_session=True, check=False,
    )  # fmt: skip
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it is not accepted"]
        raise CommandFailed(f"ERROR: --ssh {ident}: {lines[-1]}")
