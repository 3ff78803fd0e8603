"""What goes into the starter image, and what a program needs."""

from __future__ import annotations

import io
import os
import struct
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.images.elf import Elf, _parse, read_elf
from core.images.hostroot import HostRoot, library_paths
from core.images.starter import archive, busybox_root, find_busybox, host_root, newest

SH = Path(os.path.realpath("/bin/sh"))


def elf_file(path: Path, needed: tuple[str, ...], interpreter: str = "") -> Path:
    """A little-endian 64-bit program with nothing but headers."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in needed)
    interp = interpreter.encode() + b"\0" if interpreter else b""
    count = 2 + bool(interp)
    strings_at = 64 + 56 * count
    interp_at = strings_at + len(strings)
    dynamic_at = interp_at + len(interp)
    tags = [(5, 0x1000 + strings_at)]
    offset = 1
    for name in needed:
        tags.append((1, offset))
        offset += len(name) + 1
    dynamic = b"".join(struct.pack("<qQ", tag, value) for tag, value in [*tags, (0, 0)])
    segments = [(1, 0, 0x1000, dynamic_at + len(dynamic)), (2, dynamic_at, 0x1000 + dynamic_at, len(dynamic))]
    if interp:
        segments.append((3, interp_at, 0x1000 + interp_at, len(interp)))
    if not needed and not interp:
        segments[1] = (4, 0, 0, 0)
    header = (
        b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    )
    table = b"".join(
        struct.pack("<IIQQQQQQ", kind, 4, at, address, address, size, size, 1)
        for kind, at, address, size in segments
    )
    path.write_bytes(header + table + strings + interp + dynamic)
    path.chmod(0o755)
    return path


def test_the_headers_of_a_program_are_read(tmp_path: Path) -> None:
    program = elf_file(tmp_path / "p", ("liba.so.1", "libb.so"), "/lib/ld.so")
    assert read_elf(program) == Elf(64, 62, "/lib/ld.so", ("liba.so.1", "libb.so"), ())
    static = read_elf(elf_file(tmp_path / "s", ()))
    assert static is not None
    assert static.static


def test_the_shell_of_this_machine_is_read() -> None:
    shell = read_elf(SH)
    assert shell is not None
    assert shell.static or shell.interpreter.startswith("/")


def test_what_is_no_program_is_none(tmp_path: Path) -> None:
    for data in (b"", b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\2\1" + b"\xff" * 100):
        (tmp_path / "x").write_bytes(data)
        assert read_elf(tmp_path / "x") is None


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_broken_headers_never_crash(data: bytes) -> None:
    try:
        _parse(b"\x7fELF\2\1" + data)
    except (struct.error, IndexError, KeyError, ValueError, OverflowError, StopIteration):
        pass  # what read_elf takes for a broken file


def test_only_a_static_busybox_will_do(tmp_path: Path) -> None:
    dynamic = elf_file(tmp_path / "dynamic", ("libc.so.6",), "/lib/ld.so")
    static = elf_file(tmp_path / "static", ())
    missing = tmp_path / "missing"
    assert find_busybox([str(missing), str(dynamic)]) is None
    assert find_busybox([str(missing), str(dynamic), str(static)]) == static


def test_a_busybox_root_has_its_applets_and_accounts(tmp_path: Path) -> None:
    busybox = elf_file(tmp_path / "busybox", ())
    os.utime(busybox, (77, 77))
    items = busybox_root(busybox, ["bin/sh", "usr/bin/top", "linuxrc", "bin/busybox", "sbin/init"])
    data = b"".join(archive(items))
    assert data == b"".join(archive(items))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        found = {item.name: item for item in tar}
        passwd = tar.extractfile("etc/passwd")
        assert passwd is not None
        assert passwd.read().startswith(b"root:x:0:0:root:/root:/bin/sh\n")
    assert {name: found[name].linkname for name in ("bin/sh", "usr/bin/top", "sbin/init")} == {
        "bin/sh": "busybox",
        "usr/bin/top": "../../bin/busybox",
        "sbin/init": "../bin/busybox",
    }
    assert "linuxrc" not in found
    assert found["bin/busybox"].isreg()
    assert (found["tmp"].mode, found["root"].mode) == (0o1777, 0o700)
    assert {item.mtime for item in found.values()} == {77}
    names = list(found)
    assert all(str(Path(name).parent) in (".", *names[:number]) for number, name in enumerate(names))


def test_a_program_brings_its_libraries_and_links(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    elf_file(folder / "liba.so.1.2", ("libb.so",))
    (folder / "liba.so.1").symlink_to("liba.so.1.2")
    elf_file(folder / "libb.so", ("liba.so.1",))
    program = elf_file(tmp_path / "program", ("liba.so.1", "libnone.so"), str(folder / "libb.so"))
    (tmp_path / "alias").symlink_to("program")
    root = HostRoot([str(folder)])
    root.add(tmp_path / "alias")
    wanted = {"alias", "program", "lib/liba.so.1", "lib/liba.so.1.2", "lib/libb.so"}
    assert {item.path for item in root.items()} >= {str(tmp_path / name) for name in wanted}
    assert program.is_file()


def test_the_loader_looks_into_the_usual_folders() -> None:
    assert "/usr/lib" in list(library_paths())


@pytest.mark.skipif(not SH.exists(), reason="needs a shell")
def test_this_machine_can_always_make_a_starter() -> None:
    items = host_root()
    paths = {item.path for item in items}
    assert str(SH) in paths
    shell = read_elf(SH)
    assert shell is not None
    for name in shell.needed:
        assert any(Path(path).name == name for path in paths)
    assert newest(items) > 0
