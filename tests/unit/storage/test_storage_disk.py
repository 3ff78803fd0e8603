"""Database, blobs, trash and trees: what must hold on the disk."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import CorruptStore, DigestMismatch
from core.oci.digest import Digest
from core.paths import Paths
from core.storage.content import ContentStore
from core.storage.db import Database
from core.storage.trash import Trash
from core.storage.tree import remove_tree


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "root", tmp_path / "run")


def test_what_was_written_is_there_for_the_next_engine(paths: Paths) -> None:
    db = Database(paths.database)
    db.migrate("room", ["CREATE TABLE thing (a TEXT)"])
    assert db.execute("INSERT INTO thing VALUES (?)", ("x",)) == 1
    db.execute("INSERT INTO thing VALUES (?)", ("y",), durable=False)
    db.close()
    again = Database(paths.database)
    again.migrate("room", ["CREATE TABLE thing (a TEXT)", "ALTER TABLE thing ADD COLUMN b TEXT"])
    assert again.query("SELECT a, b FROM thing ORDER BY a") == [("x", None), ("y", None)]
    with pytest.raises(CorruptStore, match="newer engine"):
        again.migrate("room", [])
    again.close()


def test_a_transaction_is_all_or_nothing(paths: Paths) -> None:
    db = Database(paths.database)
    db.migrate("room", ["CREATE TABLE thing (a TEXT PRIMARY KEY)"])
    with pytest.raises(sqlite3.IntegrityError), db.transaction():
        db.execute("INSERT INTO thing VALUES ('x')")
        with db.transaction():
            db.execute("INSERT INTO thing VALUES ('x')")
    assert db.query("SELECT * FROM thing") == []
    db.execute("INSERT INTO thing VALUES ('x')")
    assert db.query("SELECT * FROM thing") == [("x",)]
    db.close()


def test_a_file_that_is_no_database_is_named(paths: Paths) -> None:
    paths.root.mkdir()
    paths.database.write_bytes(b"this is not a database, it is a text" * 100)
    with pytest.raises(CorruptStore, match=str(paths.database)):
        Database(paths.database)


def test_a_blob_is_whole_or_not_there(paths: Paths) -> None:
    store = ContentStore(paths)
    data = b"layer" * 1000
    with store.writer() as writer:
        writer.write(data[:100])
        writer.write(data[100:])
        assert not store.has(Digest.of(data))
        assert writer.commit(Digest.of(data)) == (Digest.of(data), len(data))
    assert store.read(Digest.of(data)) == data
    assert list(store.walk()) == [Digest.of(data)]
    with store.writer() as writer, pytest.raises(DigestMismatch):
        writer.write(b"lie")
        writer.commit(Digest.of(data))
    with store.writer() as writer:
        writer.write(b"given up")
    assert list((paths.content / "ingest").iterdir()) == []


def test_a_damaged_or_missing_blob_is_told(paths: Paths) -> None:
    store = ContentStore(paths)
    digest, _ = store.put(b"fine")
    store.path(digest).chmod(0o644)
    store.path(digest).write_bytes(b"evil")
    with pytest.raises(DigestMismatch):
        store.read(digest)
    store.delete(digest)
    for act in (store.read, store.open, store.size):
        with pytest.raises(CorruptStore, match="missing"):
            act(digest)


def test_half_written_blobs_go_at_the_start(paths: Paths) -> None:
    store = ContentStore(paths)
    writer = store.writer()
    writer.write(b"x")
    store.sweep()
    assert list((paths.content / "ingest").iterdir()) == []
    writer.abort()


def test_blobs_wait_beside_until_they_are_settled(paths: Paths) -> None:
    store = ContentStore(paths)
    digest, _ = store.put(b"first", settled=False)
    with store.writer() as writer:  # the same once more
        writer.write(b"first")
        assert writer.commit(settled=False) == (digest, 5)
    assert (store.read(digest), store.size(digest), list(store.walk())) == (b"first", 5, [digest])
    assert not ContentStore(paths).has(digest)
    waiting = store.unsettled()
    later, _ = store.put(b"later", settled=False)
    store.settle(waiting)
    assert list(store.unsettled()) == [later]
    assert ContentStore(paths).read(digest) == b"first"
    store.delete(later)
    assert list((paths.content / "ingest").iterdir()) == []
    store.settle(store.unsettled())
    assert not store.has(later)


def in_folder(path: Path, name: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        remove_tree(fd, name)
    finally:
        os.close(fd)


def test_a_tree_goes_and_what_its_links_name_stays(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("x")
    tree = tmp_path / "tree"
    (tree / "a/b/c").mkdir(parents=True)
    (tree / "a/b/out").symlink_to(outside)
    (tree / "dangling").symlink_to("nowhere")
    os.link(outside / "keep", tree / "a/hard")
    os.mkfifo(tree / "fifo")
    in_folder(tmp_path, "tree")
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
    assert (outside / "keep").read_text() == "x"


def test_a_tree_deeper_than_any_path_goes(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    fd = os.open(tmp_path / "tree", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d" * 100, dir_fd=fd)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    in_folder(tmp_path, "tree")
    assert list(tmp_path.iterdir()) == []


def test_single_files_links_and_missing_names_are_fine(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link", "missing"):
        in_folder(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc"])
def test_only_one_component_is_taken(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        in_folder(tmp_path, name)


def test_the_trash_takes_in_one_move_and_tries_again_later(paths: Paths) -> None:
    trash = Trash(paths)
    (paths.root / "thing/inner").mkdir(parents=True)
    trash.throw(paths.root / "thing")
    trash.throw(paths.root / "thing")
    assert not (paths.root / "thing").exists()
    trash.wait()
    assert list(paths.trash.iterdir()) == []
    (paths.trash / "left").mkdir()
    trash.sweep()
    trash.wait()
    assert list(paths.trash.iterdir()) == []


WRITES = """
import itertools, os, time
os.chdir({folder!r})
deadline = time.monotonic() + 9
for number in itertools.count():
    if time.monotonic() > deadline:
        break
    if number == 2000:
        print("begun", flush=True)
        deadline = time.monotonic() + 0.5
    try:
        os.mkdir(str(number))
    except FileNotFoundError:
        break
"""


def test_what_a_job_still_writes_to_goes_once_the_job_has_ended(paths: Paths) -> None:
    trash, folder = Trash(paths), paths.root / "unpacking"
    (folder / "fs").mkdir(parents=True)
    command = [sys.executable, "-c", WRITES.format(folder=str(folder / "fs"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as job:
        assert job.stdout is not None
        assert job.stdout.readline()
        trash.throw(folder)
        trash.wait()
    assert list(paths.trash.iterdir()) == []
