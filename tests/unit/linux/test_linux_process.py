"""What a process sets on itself, tried in children."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

import pytest

from core.linux import capnames, process
from core.linux.constants import PROC_SUPER_MAGIC, RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS
from core.linux.mounts import takes_single_layers
from core.linux.syscalls import fstatfs_type, openat2, prctl

_PR_GET_DUMPABLE = 3
_GET_KEYRING_ID, _SESSION_KEYRING = 0, -3


def in_child(work: Callable[[], str]) -> str:
    """What `work` says in a forked child."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, work().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        text = file.read()
    os.waitpid(pid, 0)
    return text


def status(name: str) -> str:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith(f"{name}:"))


def ignore_by_system_call(number: int) -> None:
    """SIG_IGN without the C library, which refuses its own signals."""
    call = {"x86_64": 13, "aarch64": 134}[os.uname().machine]
    action = (1).to_bytes(8, "little") + bytes(24)
    assert ctypes.CDLL(None).syscall(call, number, action, None, 8) == 0


def test_signals_are_reset() -> None:
    def work() -> str:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        ignore_by_system_call(32)  # the C library's own
        before = int(status("SigIgn"), 16)
        process.reset_signals()
        return f"{bool(before & 1 << 31)} {status('SigIgn')} {status('SigBlk')}"

    assert in_child(work) == f"True {'0' * 16} {'0' * 16}"


def test_descriptors_are_closed_by_exec() -> None:
    def work() -> str:
        kept = os.dup2(0, 50, inheritable=True)
        process.close_on_exec_from(3)
        return f"{os.get_inheritable(kept)} {os.get_inheritable(0)}"

    assert in_child(work) == "False True"


def test_every_session_keyring_is_a_new_one() -> None:
    keyctl = ctypes.CDLL(None).syscall

    def work() -> str:
        number = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
        process.join_session_keyring()
        first = keyctl(number, _GET_KEYRING_ID, _SESSION_KEYRING, 0)
        process.join_session_keyring()
        return f"{first} {keyctl(number, _GET_KEYRING_ID, _SESSION_KEYRING, 0)}"

    serials = in_child(work).split() + in_child(work).split()
    if "-1" in serials:
        pytest.skip("this kernel has no keys for us")
    assert len(set(serials)) == 4


def test_no_new_privs_and_dumpable() -> None:
    def work() -> str:
        process.set_no_new_privs()
        process.set_dumpable(False)
        return f"{status('NoNewPrivs')} {prctl(_PR_GET_DUMPABLE)}"

    assert in_child(work) == "1 0"


def test_openat2_keeps_its_promises(tmp_path: os.PathLike[str]) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    with pytest.raises(OSError, match="cross-device") as caught:
        openat2(fd, "..", os.O_PATH, 0, RESOLVE_BENEATH)
    assert caught.value.filename == ".."
    with pytest.raises(OSError, match="symbolic links"):
        openat2(fd, "/proc/self/cwd", os.O_PATH, 0, RESOLVE_NO_MAGICLINKS)
    os.close(fd)


def test_the_file_system_of_a_descriptor() -> None:
    fd = os.open("/proc", os.O_PATH)
    assert fstatfs_type(fd) == PROC_SUPER_MAGIC
    os.close(fd)


def test_capability_names() -> None:
    assert capnames.mask(("CAP_CHOWN", "CAP_CHOWN", "CAP_CHECKPOINT_RESTORE")) == 1 | 1 << 40
    assert capnames.mask(capnames.ALL) == (1 << 41) - 1
    with pytest.raises(KeyError):
        capnames.mask(("CHOWN",))


@pytest.mark.parametrize(
    ("release", "new"),
    [
        ("6.8.0-45-generic", True),
        ("6.18.44", True),
        ("10.0", True),
        ("6.7.12", False),
        ("5.15.0-1", False),
        ("odd", False),
    ],
)
def test_which_kernels_take_overlay_layers_one_by_one(release: str, new: bool) -> None:
    assert takes_single_layers(release) == new
