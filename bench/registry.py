"""An empty registry, Debian's `docker-registry`, on the loopback of a manager's network namespace."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PORT = 5000
PROGRAM = "docker-registry"
_PATIENCE = 30.0  # seconds


class Registry:
    """Runs from `start` to `stop`; nothing of it stays. `argv` = what goes before a command in its namespace."""

    address = f"127.0.0.1:{PORT}"

    def __init__(self, argv: list[str]) -> None:
        self._argv = argv
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def installed() -> bool:
        """Is it there?"""
        return bool(shutil.which(PROGRAM))

    @property
    def running(self) -> bool:
        """Has it been started?"""
        return self._process is not None

    def start(self) -> None:
        """Bring up one that holds nothing, in place of any that ran. Raises RuntimeError."""
        self.stop()
        self._folder = Path(tempfile.mkdtemp(prefix="onggi-bench-registry-"))
        config = {
            "version": "0.1",
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self._folder / "data")}},
            "http": {"addr": self.address},
        }
        (self._folder / "config.yml").write_text(json.dumps(config))  # YAML is a superset of JSON
        self._process = subprocess.Popen(
            [*self._argv, PROGRAM, "serve", str(self._folder / "config.yml")],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        knock = [*self._argv, "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{PORT}"]
        deadline = time.monotonic() + _PATIENCE
        while subprocess.run(knock, stderr=subprocess.DEVNULL, check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the registry does not come up")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, with all that it holds."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
            shutil.rmtree(self._folder, ignore_errors=True)
