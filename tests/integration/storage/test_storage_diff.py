"""What is done to an overlay comes out of its diff: applied to the same lower layers, it shows the same tree."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_kit import run_forked

from core.linux.mounts import mount_overlay
from tests.support.containers import Result, in_child

pytestmark = pytest.mark.root

Tree = dict[str, Any]
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service=ep


class Bench:
    """Lower layers, an upper directory, and a place to see them as one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("lower", "base", "upper", "work", "merged", "applied"):
            (folder / name).mkdir(mode=0o755)

    @property
    def rootfs(self) -> dict[str, Any]:
        lower = [str(self.folder / "lower"), str(self.folder / "base")]
        return {"lower": lower, "upper": str(self.folder / "upper"), "work": str(self.folder / "work")}

    def do(self, act: Callable[[Path], object]) -> Tree:
        """Do `act` in the mounted overlay; the tree it leaves."""
        return self._in_overlay(self.rootfs["lower"], act)

    def seen_with_layer(self) -> Tree:
        """The tree of the lower layers with the applied one on top."""
        lower = [str(self.folder / "applied"), *self.rootfs["lower"]]
        return self._in_overlay(lower, lambda _: None, write=False)

    def _in_overlay(self, lower: list[str], act: Callable[[Path], object], *, write: bool = True) -> Tree:
        merged = self.folder / "merged"

        def work() -> Result:
            rootfs = self.rootfs
            mount_overlay(lower, rootfs["upper"] if write else None, rootfs["work"] if write else None, str(merged))
            act(merged)
            return Result(0, json.dumps(tree_of(merged)))

        found: Tree = json.loads(in_child(work).output)
        return found

    def layer(self) -> bytes:
        with tempfile.TemporaryFile() as output:
            answer = run_forked("diff-layer", {"rootfs": self.rootfs}, [output.fileno()])
            output.seek(0)
            data = output.read()
        assert answer["size"] == len(data)
        return data

    def changes(self) -> list[str]:
        with tempfile.TemporaryFile() as output:
            run_forked("diff-layer", {"rootfs": self.rootfs, "list": True}, [output.fileno()])
            output.seek(0)
            return output.read().decode().split("\0")[:-1]

    def apply(self, layer: bytes) -> None:
        target = os.open(self.folder / "applied", os.O_RDONLY)
        with tempfile.TemporaryFile() as blob:
            blob.write(layer)
            blob.seek(0)
            run_forked("apply-layer", {}, [blob.fileno(), target])
        os.close(target)

    def entries(self) -> dict[str, tarfile.TarInfo]:
        with tarfile.open(fileobj=io.BytesIO(self.layer())) as tar:
            return {item.name: item for item in tar}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def tree_of(root: Path) -> Tree:
    """Everything that an image must keep of a tree."""
    links: dict[int, str] = {}
    found: Tree = {}
    for folder, folders, files in os.walk(root):
        for name in sorted([*folders, *files]):
            path = Path(folder) / name
            status = path.lstat()
            shown = str(path.relative_to(root))
            kept = [stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid]
            if stat.S_ISREG(status.st_mode):
                first = links.setdefault(status.st_ino, shown) if status.st_nlink > 1 else ""
                kept += [path.read_bytes().hex(), int(status.st_mtime), first, _xattrs(path)]
            elif stat.S_ISLNK(status.st_mode):
                kept += [str(path.readlink()), int(status.st_mtime)]
            elif not stat.S_ISDIR(status.st_mode):
                kept += [status.st_rdev, int(status.st_mtime)]
            found[shown] = kept
    return found


def _xattrs(path: Path) -> dict[str, str]:
    return {
        name: os.getxattr(path, name).hex() for name in os.listxattr(path) if not name.startswith("trusted.overlay")
    }


def fill_lower(folder: Path) -> None:
    """The same small tree for every example, in two layers."""
    base, lower = folder / "base", folder / "lower"
    for name in ("a/a", "a/b", "b/a", "b/b", "c"):
        (base / name).mkdir(parents=True)
        (base / name / "x").write_text(f"base {name}")
    (base / "a/x").write_text("base")
    os.link(base / "a/x", base / "a/y")
    (base / "l").symlink_to("a/x")
    (lower / "a/a").mkdir(parents=True)
    (lower / "a/a/z").write_text("lower")
    os.mknod(lower / "b", stat.S_IFCHR, 0)  # deleted again in the layer above
    for path in (*base.rglob("*"), *lower.rglob("*")):
        os.utime(path, (10, 10), follow_symlinks=False)  # or what is written in the same second looks the same


NAMES = st.sampled_from(
    ["a", "b", "c", "l", "a/a", "a/b", "b/b", "a/x", "a/y", "b/x", "a/a/x", "a/a/z", "c/x", "c/n"]
)
PLAIN = ("write", "append", "mkdir", "remove", "rename", "link", "symlink", "fifo", "chmod", "chown")
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*PLAIN, "renew", "remove", "renew"]),
        NAMES,
        NAMES,
    ),
    min_size=1,
    max_size=12,
)


def perform(root: Path, steps: Sequence[tuple[str, str, str]]) -> None:
    """Do what can be done; an impossible step is left out."""
    for step, name, other in steps:
        try:
            _perform(root, step, root / name, root / other)
        except OSError:
            pass


def _perform(root: Path, step: str, path: Path, other: Path) -> None:
    if step == "write":
        _write(path, f"written {path.name}", os.O_CREAT | os.O_TRUNC)
    elif step == "append":
        _write(path, "more", os.O_CREAT | os.O_APPEND)
    elif step == "mkdir":
        path.mkdir()
    elif step == "remove":
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    elif step == "renew":
        shutil.rmtree(path)
        path.mkdir()
        (path / "a").mkdir()
        (path / "a" / "new").write_text("new")
    elif step == "rename":
        path.rename(other)  # EXDEV for what came from below: mv(1) copies then
    elif step == "link":
        os.link(path, other, follow_symlinks=False)
    elif step == "symlink":
        path.symlink_to(other.relative_to(root))
    elif step == "fifo":
        os.mkfifo(path)
    elif step == "chmod":
        path.chmod(0o711)
    elif step == "chown":
        os.chown(path, 12, 34, follow_symlinks=False)


def _write(path: Path, text: str, flags: int) -> None:
    """Into a file; a pipe, which nobody reads, is an OSError instead of a wait for ever."""
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | flags, 0o666)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_is_done_comes_back(steps: list[tuple[str, str, str]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="onggi-diff-"))
    try:
        bench = Bench(folder)
        fill_lower(folder)
        before = bench.do(lambda _: None)
        after = bench.do(lambda root: perform(root, steps))
        layer = bench.layer()
        assert layer == bench.layer()
        bench.apply(layer)
        assert bench.seen_with_layer() == after
        assert told(bench.changes()) == expected_changes(before, after)
    finally:
        shutil.rmtree(folder)


def told(lines: list[str]) -> dict[str, str]:
    assert len({line[3:] for line in lines}) == len(lines)
    return {line[3:]: line[0] for line in lines}


def expected_changes(before: Tree, after: Tree) -> dict[str, str]:
    """Docker's rules, on whole trees: gone folders alone, and folders with a change inside as changed."""
    found = {path: "A" for path in after if path not in before}
    for path in before:
        parent = path.rpartition("/")[0]
        if path in after and _differ(before[path], after[path]):
            found[path] = "C"
        elif path not in after and (not parent or (parent in after and after[parent][0] == stat.S_IFDIR)):
            found[path] = "D"
    for path in list(found):
        while path := path.rpartition("/")[0]:
            found.setdefault(path, "C")
    return found


def _differ(one: list[Any], other: list[Any]) -> bool:
    """Number of links and contents alone are no change to Docker."""
    if one[0] == stat.S_IFREG and other[0] == stat.S_IFREG:
        return [*one[:4], len(one[4]), one[5]] != [*other[:4], len(other[4]), other[5]]
    return one != other


def test_nothing_done_is_a_layer_of_nothing(bench: Bench) -> None:
    fill_lower(bench.folder)
    bench.do(lambda _: None)
    assert bench.layer() == bytes(1024)
    assert bench.changes() == []


def test_what_a_start_makes_for_its_mounts_is_no_change(bench: Bench) -> None:
    fill_lower(bench.folder)

    def start(root: Path) -> None:
        for name in ("dev", "proc", "sys", "etc"):
            (root / name).mkdir()
        for name in (".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf"):
            (root / name).touch()

    bench.do(start)
    assert bench.layer() == bytes(1024)
    assert bench.changes() == []
    bench.do(lambda root: (root / "etc/own").write_text("x"))
    assert list(bench.entries()) == ["etc", "etc/own"]
    assert bench.changes() == ["A /etc", "A /etc/own"]


def test_a_folder_touched_only_for_a_place_is_not_in_the_layer(bench: Bench) -> None:
    (bench.folder / "lower/etc").mkdir()
    (bench.folder / "lower/proc").mkdir()
    bench.do(lambda root: [(root / "etc" / name).touch() for name in ("hosts", "hostname", "resolv.conf")])
    assert bench.layer() == bytes(1024)
    bench.do(lambda root: (root / "etc").chmod(0o700))
    assert {name: item.mode for name, item in bench.entries().items()} == {"etc": 0o700}
    assert bench.changes() == ["C /etc"]
    bench.do(lambda root: (root / "proc").chmod(0o700))
    assert sorted(bench.entries()) == ["etc", "proc"]


def test_a_hosts_file_of_the_images_own_counts(bench: Bench) -> None:
    (bench.folder / "lower/etc").mkdir()
    (bench.folder / "lower/etc/hosts").write_text("own")
    bench.do(lambda root: (root / "etc/hosts").write_text(""))
    assert bench.changes() == ["C /etc", "C /etc/hosts"]


def test_nothing_of_overlayfs_gets_out_and_capabilities_do(bench: Bench) -> None:
    fill_lower(bench.folder)

    def act(root: Path) -> None:
        shutil.rmtree(root / "a")
        (root / "a").mkdir()
        (root / "a/ping").write_bytes(b"program")
        os.setxattr(root / "a/ping", "security.capability", CAPABILITY)
        os.setxattr(root / "a/ping", "user.mine", b"\0\xff=\n")
        (root / "c/x").chmod(0o4755)

    after = bench.do(act)
    upper = bench.folder / "upper"
    assert os.getxattr(upper / "a", "trusted.overlay.opaque") == b"y"
    entries = bench.entries()
    assert all(b"overlay" not in repr(item.pax_headers).encode() for item in entries.values())
    assert list(entries)[:2] == ["a", "a/.wh..wh..opq"]
    assert entries["c/x"].mode == 0o4755
    assert set(entries["a/ping"].pax_headers) >= {"SCHILY.xattr.security.capability"}
    bench.apply(bench.layer())
    assert bench.seen_with_layer() == after
    assert after["a/ping"][-1] == {"security.capability": CAPABILITY.hex(), "user.mine": b"\0\xff=\n".hex()}


def test_a_capability_alone_is_a_change(bench: Bench) -> None:
    (bench.folder / "lower/ping").write_bytes(b"program")
    bench.do(lambda root: os.setxattr(root / "ping", "security.capability", CAPABILITY))
    assert bench.changes() == ["C /ping"]


def test_holes_are_not_read_but_written(bench: Bench) -> None:
    size = 3 << 20

    def act(root: Path) -> None:
        with (root / "hole").open("wb") as file:
            file.write(b"begin")
            file.seek(size // 2)
            file.write(b"middle")
            file.truncate(size)
        with (root / "empty").open("wb") as file:
            file.truncate(size)

    bench.do(act)
    with tarfile.open(fileobj=io.BytesIO(bench.layer())) as tar:
        hole, empty = tar.extractfile("hole"), tar.extractfile("empty")
        assert hole is not None
        assert empty is not None
        data = hole.read()
        assert empty.read() == bytes(size)
    assert (len(data), data[:5], data[size // 2 : size // 2 + 6]) == (size, b"begin", b"middle")
    assert data.count(0) == size - 11


def test_odd_names_nodes_and_times_are_kept(bench: Bench) -> None:
    long = "n" * 250
    deep = "/".join(["d" * 60] * 6)

    def act(root: Path) -> None:
        (root / long).write_text("long")
        (root / deep).mkdir(parents=True)
        (root / deep / "f").symlink_to("/" + "t" * 200)
        (root / "é☃\n").write_text("unicode")
        (root / os.fsdecode(b"\xff\xfe")).mkdir()
        os.mknod(root / "disk", stat.S_IFBLK | 0o640, os.makedev(259, 70000))
        os.mkfifo(root / "fifo")
        (root / "old").touch()
        os.utime(root / "old", (981173106, 981173106))
        os.utime(root / "fifo", (10, 10), follow_symlinks=False)

    after = bench.do(act)
    bench.apply(bench.layer())
    assert bench.seen_with_layer() == after


def test_names_that_mean_a_deletion_are_left_out(bench: Bench) -> None:
    fill_lower(bench.folder)
    bench.do(lambda root: [(root / ".wh.c").write_text("x"), (root / "c/.wh..wh..opq").write_text("x")])
    with tempfile.TemporaryFile() as output:
        assert run_forked("diff-layer", {"rootfs": bench.rootfs}, [output.fileno()])["left_out"] == 2
    assert list(bench.entries()) == ["c"]


def test_a_root_that_has_changed_says_so(bench: Bench) -> None:
    bench.do(lambda root: root.chmod(0o711))
    assert {name: (item.mode, item.isdir()) for name, item in bench.entries().items()} == {".": (0o711, True)}


def test_whiteouts_that_share_an_inode_are_no_hard_links(bench: Bench) -> None:
    fill_lower(bench.folder)
    bench.do(lambda root: [(root / "a/x").unlink(), (root / "a/y").unlink(), (root / "l").unlink()])
    upper = bench.folder / "upper"
    entries = bench.entries()
    assert {name for name, item in entries.items() if item.isreg()} == {"a/.wh.x", "a/.wh.y", ".wh.l"}
    assert {item.mtime for name, item in entries.items() if item.isreg()} == {0}
    assert (upper / "l").lstat().st_rdev == 0


def test_a_link_or_a_file_below_leads_nowhere(bench: Bench) -> None:
    """A folder over what was a link: what the link names is not what was at the path."""
    (bench.folder / "lower/real").mkdir()
    (bench.folder / "lower/real/f").write_text("x")
    (bench.folder / "lower/link").symlink_to("real")

    def act(root: Path) -> None:
        (root / "link").unlink()
        (root / "link").mkdir()
        (root / "link/f").write_text("x")

    bench.do(act)
    assert bench.changes() == ["C /link", "A /link/f"]


def test_a_socket_is_left_out(bench: Bench) -> None:
    bench.do(lambda root: os.mknod(root / "s", stat.S_IFSOCK | 0o600))
    assert bench.layer() == bytes(1024)
