"""Seccomp programs on disk: compiled once for each set of capabilities, loaded by the container's first process."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path

from core.errors import InvalidArgument, Unsupported
from core.model.container import HostConfig

Compile = Callable[[tuple[str, ...]], bytes]


def check_security_options(options: tuple[str, ...]) -> None:
    """Raises InvalidArgument for an option that is none, Unsupported for one we do not have."""
    for option in options:
        name, _, value = option.replace(":", "=", 1).partition("=")
        if name == "seccomp":
            if value not in ("unconfined", "builtin", ""):
                raise Unsupported("seccomp profiles of one's own are not supported yet")
        elif name == "no-new-privileges":
            if value not in ("", "true", "false"):
                raise InvalidArgument(f'invalid --security-opt 2: "{option}"')
        elif name not in ("label", "apparmor", "systempaths"):
            raise InvalidArgument(f'invalid --security-opt 2: "{option}"')


def is_unconfined(host: HostConfig) -> bool:
    """Whether a container runs without a filter."""
    options = [option.replace(":", "=", 1) for option in host.security_opt]
    return host.privileged or "seccomp=unconfined" in options


class Programs:
    """Files of compiled programs, named by what they were compiled from."""

    def __init__(self, folder: Path, compile_default: Compile) -> None:
        self._folder = folder
        self._compile = compile_default

    def program(self, host: HostConfig, capabilities: tuple[str, ...]) -> str:
        """The path of the program for a container with `capabilities`; "" = unconfined. Blocking."""
        if is_unconfined(host):
            return ""
        # A new kernel may know more system calls, a new release of ours other rules.
        text = "\n".join((platform.machine(), platform.release(), *sorted(capabilities)))
        path = self._folder / f"{hashlib.sha256(text.encode()).hexdigest()}.bpf"
        if not path.exists():
            self._write(path, self._compile(capabilities))
        return str(path)

    def _write(self, path: Path, program: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(program)
        temporary.replace(path)

    def forget(self) -> None:
        """Remove what an engine of another version compiled; blocking."""
        for path in self._folder.glob("*.bpf"):
            path.unlink(missing_ok=True)
