"""Mount options, kernel parameters, users, programs, the state of the command line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CorruptStore, InitFailed, InvalidArgument, InvalidSpec, NameInUse, NoSuchContainer
from core.linux import constants as k
from core.oci.runtime import User
from core.runtime import options, program, users
from core.runtime.lifecycle import signal_number
from core.runtime.state import State, States, process_start_time
from core.runtime.sysctls import check_sysctls

ALL_KINDS = ("network", "ipc", "uts")


def test_mount_options_are_sorted_by_who_takes_them() -> None:
    found = options.parse(["rbind", "ro", "nosuid", "rslave", "size=10m", "nr_inodes=5", "rnoexec", "odd"])
    assert (found.bind, found.recursive) == (True, True)
    assert found.attributes.set == k.MOUNT_ATTR_RDONLY | k.MOUNT_ATTR_NOSUID
    assert found.attributes.deep_set == k.MOUNT_ATTR_NOEXEC
    assert (found.attributes.propagation, found.attributes.deep_propagation) == (k.MS_SLAVE, True)
    assert found.data == (("size", "10m"), ("nr_inodes", "5"), ("odd", None))


@pytest.mark.parametrize(("words", "readonly"), [(["ro", "rw"], False), (["rw", "ro"], True), (["rw"], False)])
def test_the_later_option_wins(words: list[str], readonly: bool) -> None:
    found = options.parse(words).attributes
    assert bool(found.set & k.MOUNT_ATTR_RDONLY) == readonly
    assert bool(found.clear & k.MOUNT_ATTR_RDONLY) != readonly


@given(st.lists(st.sampled_from([*options._FLAGS, *("r" + name for name in options._FLAGS if name != "elatime")])))
def test_no_attribute_is_both_set_and_cleared(words: list[str]) -> None:
    found = options.parse(words).attributes
    assert not found.set & found.clear & ~k.MOUNT_ATTR__ATIME
    assert not found.deep_set & found.deep_clear & ~k.MOUNT_ATTR__ATIME


@pytest.mark.parametrize(
    "name",
    ["kernel.core_pattern", "vm.overcommit_memory", "net", "net.", "net.ipv4..x", "net/../kernel/core_pattern",
     "+net.ipv4.ip_forward", "net.ipv4.x\ny", "kernel.hostname", "fs.file-max", "kernel.shmmax/../core_pattern"],
)  # fmt: skip
def test_kernel_parameters_of_the_host_are_refused(name: str) -> None:
    with pytest.raises(InvalidSpec):
        check_sysctls({name: "1"}, ALL_KINDS)


def test_kernel_parameters_go_with_their_namespace() -> None:
    mine = {"net.ipv4.ip_forward": "1", "kernel.shmmax": "1", "fs.mqueue.msg_max": "1", "kernel.domainname": "x"}
    check_sysctls(mine, ALL_KINDS)
    for name in mine:
        with pytest.raises(InvalidSpec):
            check_sysctls({name: "1"}, ())


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n1000:x:0:0:trap:/:/bin/sh\n"
        "huge:x:4294967295:0::/:/bin/sh\nbroken line\n# comment:x:5:5::/:\n"
    )
    (tmp_path / "etc/group").write_text("root:x:0:\napp:x:1001:\nextra:x:2000:other,app\nwheel:x:10:root\n")
    fd = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("asked", "groups", "expected", "home"),
    [
        ("", (), User(0, 0, None, (0, 10)), "/root"),
        ("root", (), User(0, 0, None, (0, 10)), "/root"),
        ("app", (), User(1000, 1001, None, (1001, 2000)), "/home/app"),
        ("1000", (), User(1000, 1001, None, (1001, 2000)), "/home/app"),  # not the user who is named so
        ("app:root", (), User(1000, 0, None, (0,)), "/home/app"),
        ("1234:2345", (), User(1234, 2345, None, (2345,)), "/"),
        ("1234", (), User(1234, 0, None, (0,)), "/"),
        ("app:", (), User(1000, 1001, None, (1001, 2000)), "/home/app"),
        ("app", ("wheel", "77"), User(1000, 1001, None, (1001, 10, 77, 2000)), "/home/app"),
    ],
)
def test_users(root: int, asked: str, groups: tuple[str, ...], expected: User, home: str) -> None:
    assert users.resolve(root, asked, groups) == users.Resolved(expected, home)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
        ("root:nosuch", "unable to find group nosuch: no matching entries in group file"),
        ("2147483648", "uids and gids must be in range"),
        ("4294967296", "uids and gids must be in range"),
        ("-1", "uids and gids must be in range"),
        ("0:99999999999", "uids and gids must be in range"),
        ("huge", "out of range"),
        ("٣", "unable to find user"),
    ],
)
def test_users_that_cannot_be(root: int, asked: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        users.resolve(root, asked)


@pytest.mark.parametrize("kind", ["missing", "fifo", "link", "folder", "endless"])
def test_hostile_user_files(tmp_path: Path, kind: str) -> None:
    (tmp_path / "etc").mkdir()
    place = tmp_path / "etc/passwd"
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "link":
        place.symlink_to("/etc/passwd")  # of the host: resolved inside, so a link to itself
    elif kind == "folder":
        place.mkdir()
    elif kind == "endless":
        with place.open("wb") as file:
            file.write(b"x" * 70_000 + b"\n")
            file.truncate(1 << 40)
    fd = os.open(tmp_path, os.O_PATH)
    assert users.resolve(fd, "") == users.Resolved(User(0, 0, None, (0,)), "/")
    with pytest.raises(InvalidArgument):
        users.resolve(fd, "daemon")
    os.close(fd)


def test_a_program_by_path_and_by_name(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin/tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    (tmp_path / "first").mkdir()
    (tmp_path / "first/tool").mkdir()
    search = (str(tmp_path / "first"), "/nowhere", str(tmp_path / "bin"))
    assert program.look_up("tool", search) == str(tool)
    assert program.look_up(str(tool), ()) == str(tool)
    tool.chmod(0o644)
    with pytest.raises(InitFailed, match="not found in") as caught:
        program.look_up("tool", search)
    assert caught.value.exit_code == 127
    with pytest.raises(InitFailed, match="permission denied") as caught:
        program.look_up(str(tool), ())
    assert caught.value.exit_code == 126


def test_the_state_of_a_container(tmp_path: Path) -> None:
    states = States(str(tmp_path / "states"))
    states.reserve("a")
    with pytest.raises(NameInUse):
        states.reserve("a")
    with pytest.raises(NoSuchContainer):
        states.load("a")
    mine = State("a", "/b", os.getpid(), process_start_time(os.getpid()), "/onggi/a")
    states.store(mine)
    assert states.load("a") == mine
    assert states.load("a").status == "created"
    states.mark_started(mine)
    assert states.load("a").status == "running"
    # The same pid, but a later process.
    assert State("a", "/b", os.getpid(), 1, "/onggi/a").to_oci()["status"] == "stopped"
    (tmp_path / "states/a/state.json").write_text("{")
    with pytest.raises(CorruptStore, match=r"state\.json"):
        states.load("a")
    states.remove("a")
    states.remove("a")


@pytest.mark.parametrize("ident", ["", ".", "..", "a/b", "../x", "-x", "a\n", "x" * 256])
def test_ids_that_are_paths_are_refused(tmp_path: Path, ident: str) -> None:
    with pytest.raises(InvalidArgument):
        States(str(tmp_path)).folder(ident)


@pytest.mark.parametrize(("name", "number"), [("9", 9), ("KILL", 9), ("SIGTERM", 15), ("term", 15)])
def test_signals(name: str, number: int) -> None:
    assert signal_number(name) == number


@pytest.mark.parametrize("name", ["0", "65", "SIGNOPE", "-9", ""])
def test_signals_that_are_none(name: str) -> None:
    with pytest.raises(InvalidArgument):
        signal_number(name)
