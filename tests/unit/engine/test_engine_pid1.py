"""The first process of `--init`, run outside of any container: it needs nothing of one."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from core.engine.pid1 import InitProgram, code, program
from core.engine.pid1_code import LISTINGS
from core.errors import Unsupported
from core.images.elf import read_elf

HERE = platform.machine()
ASSEMBLERS = {
    "x86_64": ("as", ".intel_syntax noprefix\n"),
    "aarch64": ("as" if HERE == "aarch64" else "aarch64-linux-gnu-as", ""),
}
EMULATORS = {"aarch64": "qemu-aarch64-static", "x86_64": "qemu-x86_64-static"}


@pytest.mark.parametrize("machine", LISTINGS)
def test_the_bytes_are_what_they_are_said_to_mean(machine: str, tmp_path: Path) -> None:
    assembler, head = ASSEMBLERS[machine]
    if not shutil.which(assembler) or (machine == "x86_64" and HERE != "x86_64"):
        pytest.skip(f"needs {assembler}")
    source = [
        line.split(";")[0] if line.partition(";")[0].strip().endswith(":") else line.partition(";")[0][22:]
        for line in LISTINGS[machine].splitlines()
    ]
    made, flat = tmp_path / "made.o", tmp_path / "flat"
    subprocess.run([assembler, "-o", made], input=head + "\n".join(source) + "\n", text=True, check=True)
    copy = assembler.removesuffix("as") + "objcopy"
    subprocess.run([copy, "-O", "binary", "--only-section=.text", made, flat], check=True)
    assert flat.read_bytes() == code(LISTINGS[machine])


@pytest.mark.parametrize("machine", LISTINGS)
def test_the_file_is_a_small_static_program(machine: str, tmp_path: Path) -> None:
    file = tmp_path / "init"
    file.write_bytes(program(machine))
    elf = read_elf(file)
    assert elf is not None and elf.static and elf.bits == 64
    assert file.stat().st_size < 600


def test_a_machine_without_code() -> None:
    with pytest.raises(Unsupported, match="--init: not supported on riscv64"):
        program("riscv64")


def test_the_file_is_written_once_and_mended(tmp_path: Path) -> None:
    made = InitProgram(tmp_path / "init")
    path = Path(made.path())
    before = path.stat()
    assert made.path() == str(path) and path.stat().st_mtime_ns == before.st_mtime_ns
    assert before.st_mode & 0o777 == 0o555
    path.unlink()
    path.write_bytes(b"an older one")
    assert Path(made.path()).read_bytes() == program(HERE)


@pytest.fixture(params=LISTINGS)
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., int]:
    """Start a program under that of a machine, another one's emulated: its pid.

    The emulator hands execve(2) to the kernel, so that what is started is this machine's in any case.
    """
    path = tmp_path / "docker-init"
    path.write_bytes(program(request.param))
    path.chmod(0o555)
    first, words = str(path), ["/sbin/docker-init"]
    if request.param != HERE:
        emulator = shutil.which(EMULATORS[request.param])
        if emulator is None:
            pytest.skip(f"needs {EMULATORS[request.param]}: apt install qemu-user-static")
        first, words = emulator, [emulator, "-0", "/sbin/docker-init", str(path)]

    def run(executable: str, *args: str, out: int = 1, before: Sequence[int] = ()) -> int:
        env = {"PATH": os.environ["PATH"], "LAST": "one", "ONGGI_EXEC": executable}
        if request.param != HERE:
            env = dict(reversed(env.items()))  # the emulator hands it on the other way round
        pid = os.fork()
        if pid == 0:
            try:
                os.dup2(out, 1)
                signal.pthread_sigmask(signal.SIG_BLOCK, before)
                os.execve(first, [*words, "--", *args], env)
            finally:
                os._exit(99)
        return pid

    return run


def code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


Start = Callable[..., int]


def test_the_program_s_own_code_comes_through(start: Start) -> None:
    for number in (0, 1, 7, 255):
        assert code_of(start("/bin/sh", "sh", "-c", f"exit {number}")) == number
    assert code_of(start("/bin/sh", "sh", "-c", "kill -9 $$")) == 137
    assert code_of(start("/bin/sh", "sh", "-c", "kill -SEGV $$")) == 139


def test_what_cannot_be_executed(start: Start, tmp_path: Path) -> None:
    assert code_of(start(str(tmp_path / "nope"), "nope")) == 127
    (tmp_path / "text").write_text("x")
    assert code_of(start(str(tmp_path / "text"), "text")) == 126
    (tmp_path / "text").chmod(0o755)
    assert code_of(start(str(tmp_path / "text"), "text")) == 126


def test_words_and_variables_arrive_and_ours_does_not(start: Start) -> None:
    reader, writer = os.pipe()
    pid = start(
        "/bin/sh", "name", "-c", 'env | grep -c ONGGI; echo "$0|$1|$2|$LAST"', "one", "two words", "", out=writer
    )
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        assert file.read() == "0\none|two words||one\n"
    assert code_of(pid) == 0


def test_the_program_s_mask_is_the_old_one(start: Start) -> None:
    reader, writer = os.pipe()
    grep = shutil.which("grep") or "/bin/grep"
    pid = start(grep, "grep", "SigBlk", "/proc/self/status", out=writer, before=[signal.SIGWINCH])
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        assert int(file.readline().split()[1], 16) == 1 << (signal.SIGWINCH - 1)
    assert code_of(pid) == 0


def test_signals_are_handed_on(start: Start) -> None:
    reader, writer = os.pipe()
    script = "trap 'echo usr1' USR1; trap 'exit 5' TERM; echo up; while :; do sleep 0.01; done"
    pid = start("/bin/sh", "sh", "-c", script, out=writer)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        assert file.readline() == "up\n"
        os.kill(pid, signal.SIGUSR1)
        assert file.readline() == "usr1\n"
        os.kill(pid, signal.SIGTERM)
        assert file.read() == ""
    assert code_of(pid) == 5
    pid = start("/bin/sleep", "sleep", "100")
    time.sleep(0.05)  # until it is there; a signal before goes to nobody's handler and ends the sleep just so
    os.kill(pid, signal.SIGTERM)
    assert code_of(pid) == 143
