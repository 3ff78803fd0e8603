"""An emulated machine with cgroup v2, for what the host's kernel cannot show: v2 controllers and power loss.

Debian's cloud kernel under plain qemu (software emulation), an initramfs of busybox and the kernel's virtio
modules, and an ext4 disk holding the running interpreter, this project and its dependencies. The disk is made by
`mkfs.ext4 -d`, so nothing is mounted on the host. A script is run by the guest; its output is the serial console.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("ONGGI_VM_CACHE", "/var/cache/onggi-tests"))
DONE = "onggi-guest-done"

_MODULES = (
    "virtio_pci",
    "virtio_blk",
    "overlay",
    "veth",
    "bridge",
    "nf_tables",
    "nft_chain_nat",
    "nft_masq",
    "nft_ct",
)
_NEEDED = ("qemu-system-x86_64", "mkfs.ext4", "busybox", "apt-get", "dpkg-deb")
_LEFT_OUT = (
    "__pycache__",
    "test",
    "idlelib",
    "tkinter",
    "ensurepip",
    "lib2to3",
    "turtledemo",
    "site-packages",
    "config-*",
)


def missing() -> str:
    """What this machine lacks to emulate one, or ""."""
    return ", ".join(program for program in _NEEDED if shutil.which(program) is None)


@dataclass(frozen=True)
class Machine:
    """One guest; `folder` keeps its disk, so that it can be booted again after a power loss."""

    folder: Path
    memory_mib: int = 768

    def boot(self, script: str, *, timeout: float, kill_at: str = "") -> str:
        """Run `script` (sh) in the guest and return its console.

        With `kill_at` the emulator is killed (power loss) as soon as a line with that text appears.
        Raises TimeoutError with the console when the guest does not finish.
        """
        (self.folder / "script").write_text(script)
        process = subprocess.Popen(
            self._command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        lines: list[str] = []
        deadline = _Deadline(process, timeout)
        with process, deadline:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip())
                if DONE in line or (kill_at and kill_at in line):
                    break
            process.kill()
        console = "\n".join(lines)
        if deadline.passed:
            raise TimeoutError(console[-4000:])
        return console

    def _command(self) -> list[str]:
        script = self.folder / "script"
        return [
            *("qemu-system-x86_64", "-m", str(self.memory_mib), "-nographic", "-no-reboot", "-nodefaults"),
            *("-serial", "stdio", "-kernel", str(kernel().image), "-initrd", str(self._initramfs)),
            *("-append", "console=ttyS0 quiet panic=-1 cgroup_no_v1=all"),
            *("-drive", f"file={self._disk},format=raw,if=virtio,cache=writethrough"),
            *("-drive", f"file={script},format=raw,if=virtio,readonly=on"),
        ]

    @cached_property
    def _initramfs(self) -> Path:
        root = self.folder / "initramfs"
        for name in ("bin", "dev", "proc", "sys", "new", "modules"):
            (root / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(str(shutil.which("busybox")), root / "bin/busybox")
        names = kernel().modules(_MODULES)
        for module in names:
            shutil.copy(module, root / "modules" / module.name)
        inserts = "\n".join(f"insmod /modules/{module.name}" for module in names)
        (root / "init").write_text(_INIT.format(inserts=inserts))
        (root / "init").chmod(0o755)
        archive = self.folder / "initramfs.gz"
        listing = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
        cpio = subprocess.run(
            ["busybox", "cpio", "-o", "-H", "newc"],
            cwd=root,
            input=listing.encode(),
            capture_output=True,
            check=True,
        )
        archive.write_bytes(gzip.compress(cpio.stdout, 1))
        return archive

    @cached_property
    def _disk(self) -> Path:
        disk = self.folder / "disk"
        if not disk.exists():
            tree = self.folder / "tree"
            _fill(tree)
            subprocess.run(["truncate", "-s", "1G", str(disk)], check=True)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-d", str(tree), str(disk)], check=True)
            shutil.rmtree(tree)
        return disk


class _Deadline:
    """Kills the emulator when its time is over, so that reading its console ends."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self.passed = False
        self._process = process
        self._timer = threading.Timer(seconds, self._end)

    def _end(self) -> None:
        self.passed = True
        self._process.kill()

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()


@dataclass(frozen=True)
class Kernel:
    """An unpacked Debian kernel package."""

    folder: Path

    @property
    def image(self) -> Path:
        return next((self.folder / "boot").glob("vmlinuz-*"))

    def modules(self, wanted: tuple[str, ...]) -> list[Path]:
        """The module files of `wanted` and what they need, in the order to insert them."""
        ordered: list[Path] = []
        for name in wanted:
            self._add(name, ordered)
        return ordered

    def _add(self, name: str, ordered: list[Path]) -> None:
        found = next((path for path in self._files if path.stem.replace("-", "_") == name), None)
        if found is None or found in ordered:
            return  # built in, or there already
        for info in found.read_bytes().split(b"\0"):  # .modinfo: NUL-terminated name=value
            if info.startswith(b"depends=") and info != b"depends=":
                for needed in info.removeprefix(b"depends=").decode().split(","):
                    self._add(needed.replace("-", "_"), ordered)
        ordered.append(found)

    @cached_property
    def _files(self) -> list[Path]:
        return sorted((self.folder / "lib/modules").rglob("*.ko"))


def kernel() -> Kernel:
    """Debian's cloud kernel, fetched with apt once."""
    folder = CACHE / "kernel"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        work = CACHE / "fetch"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        depends = subprocess.run(
            ["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True, check=True
        ).stdout
        package = next(line.split()[1] for line in depends.splitlines() if "Depends: linux-image" in line)
        subprocess.run(["apt-get", "download", "-qq", package], cwd=work, check=True, capture_output=True)
        subprocess.run(["dpkg-deb", "-x", str(next(work.glob("*.deb"))), str(work / "kernel")], check=True)
        (work / "kernel").rename(folder)
        shutil.rmtree(work)
    return Kernel(folder)


def _fill(tree: Path) -> None:
    """The guest's root: busybox, the interpreter under its own path, dependencies and project under /opt."""
    for name in ("bin", "dev", "etc", "lib64", "proc", "run", "sys", "tmp", "var/lib", "opt", "root"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    busybox = str(shutil.which("busybox"))
    shutil.copy(busybox, tree / "bin/busybox")
    for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
        link = tree / "bin" / applet
        if not link.exists():
            link.symlink_to("busybox")
    standard = Path(sysconfig.get_path("stdlib"))
    ignore = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(standard, tree / standard.relative_to("/"), ignore=ignore, symlinks=True)
    interpreter = Path(os.path.realpath(sys.executable))
    _put(interpreter, tree)
    libraries = [interpreter, *standard.glob("lib-dynload/*.so")]
    packages = Path(sysconfig.get_path("purelib"))
    shutil.copytree(
        packages, tree / "opt/packages", ignore=shutil.ignore_patterns("__pycache__", "*.pth"), symlinks=True
    )
    for room in ("core", "tui", "themes"):
        shutil.copytree(PROJECT / room, tree / "opt/onggi" / room, ignore=shutil.ignore_patterns("__pycache__"))
    for library in _libraries([*libraries, *packages.rglob("*.so")]):
        _put(library, tree)
    (tree / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (tree / "python").symlink_to(interpreter)


def _put(file: Path, tree: Path) -> None:
    target = tree / file.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy(file, target)


def _libraries(programs: list[Path]) -> set[Path]:
    listing = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True).stdout
    words = (
        word for line in listing.splitlines() for word in line.split() if word.startswith("/") and ":" not in word
    )
    return {Path(word) for word in words if Path(word).is_file()}


_INIT = """#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
{inserts}
busybox mount -t ext4 /dev/vda /new
busybox mount -t proc proc /new/proc
busybox mount -t sysfs sys /new/sys
busybox mount -t devtmpfs dev /new/dev
busybox mount -t tmpfs run /new/run
busybox mount -t cgroup2 cgroup /new/sys/fs/cgroup
busybox cat /dev/vdb > /new/run/script
busybox chroot /new /bin/sh -c 'export PATH=/bin PYTHONPATH=/opt/onggi:/opt/packages
ip link set lo up
. /run/script'
echo onggi-guest-done
busybox poweroff -f
"""
