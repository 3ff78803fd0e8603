"""`cp` with containers that mean harm: links, races, programs and archives that would lead to the host."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from commit_kit import PROGRAM, onggi

from core import errors
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.dockerd import WORDS, client_version

pytestmark = pytest.mark.root

SECRET = "of the host"
RACE = (
    "cd /race; mkdir -p real; echo inside > real/victim; ln -s {folder} evil; touch ready; "
    "while :; do mv real spare; mv evil real; mv real evil; mv spare real; done"
)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of this machine that no container may reach."""
    folder = tmp_path / "secret"
    folder.mkdir()
    (folder / "victim").write_text(SECRET)
    return folder


@pytest.fixture(params=["running", "stopped"])
def linked(request: pytest.FixtureRequest, engine: EngineUnderTest, secret: Path) -> Iterator[str]:
    """A container full of links that lead to the host's secret, as names go there."""
    up = "../" * 20
    script = (
        f"mkdir -p /d; ln -s {secret} /d/abs; ln -s {up}{secret} /d/rel; ln -s {secret}/victim /d/file; "
        f"ln -s /proc/1/root /d/proc; ln -s /proc/self/fd/0 /d/fd; ln -s loop /d/loop; exec sleep 1000"
    )
    ident = engine.run("sh", "-c", script)
    wait_until(lambda: "/d/loop" in onggi(engine, "diff", ident), "the links are there")
    if request.param == "stopped":
        engine.client.post(f"/containers/{ident}/stop", {"t": "0"})
    yield ident
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_no_link_leads_out_of_a_container(
    engine: EngineUnderTest, linked: str, secret: Path, tmp_path: Path
) -> None:
    """k01: reading through links, absolute, upwards, and magic ones."""
    for path in ("abs/victim", "rel/victim", "abs/.", "proc/etc/hostname", "proc/.", "fd/.", "loop/.", "loop/x"):
        text = onggi(engine, "cp", f"{linked}:/d/{path}", str(tmp_path / "out"), code=1)
        assert "Could not find the file" in text or "too many levels" in text.lower(), path
    onggi(engine, "cp", "-L", f"{linked}:/d/file", str(tmp_path / "out"), code=1)
    onggi(engine, "cp", f"{linked}:/d", str(tmp_path / "out"))
    assert (tmp_path / "out/file").is_symlink(), "a link comes out as a link"
    assert SECRET not in "".join(path.read_text() for path in (tmp_path / "out").iterdir() if not path.is_symlink())


def test_no_link_leads_writing_out_of_a_container(
    engine: EngineUnderTest, linked: str, secret: Path, tmp_path: Path
) -> None:
    """k02: what is written through links stays inside, and nothing of the host changes, its modes included."""
    before = secret.stat(), (secret / "victim").stat()
    (tmp_path / "victim").write_text("overwritten")
    (tmp_path / "victim").chmod(0o777)
    for path in ("abs", "rel", "proc/tmp", "abs/victim", "file"):
        subprocess.run(
            [PROGRAM, "cp", tmp_path / "victim", f"{linked}:/d/{path}"], env=engine.environment, check=False,
            capture_output=True,
        )  # fmt: skip
    tree = io.BytesIO()
    with tarfile.open(fileobj=tree, mode="w") as tar:
        for name in ("abs", "abs/victim", "rel/victim"):
            item = tarfile.TarInfo(name)
            item.mode, item.type = 0o777, tarfile.DIRTYPE if name == "abs" else tarfile.REGTYPE
            tar.addfile(item)
    subprocess.run(
        [PROGRAM, "cp", "-", f"{linked}:/d"], input=tree.getvalue(), env=engine.environment, check=False,
        capture_output=True,
    )  # fmt: skip
    after = secret.stat(), (secret / "victim").stat()
    assert (secret / "victim").read_text() == SECRET
    assert [(found.st_mode, found.st_mtime_ns) for found in after] == [
        (found.st_mode, found.st_mtime_ns) for found in before
    ]
    assert [path.name for path in secret.iterdir()] == ["victim"]


@pytest.mark.parametrize("where", ["root", "volume"])
def test_a_race_of_links_leads_nowhere(engine: EngineUnderTest, secret: Path, tmp_path: Path, where: str) -> None:
    """k03: a folder is swapped for a link to the host while it is read and written."""
    host = {"Binds": ["racing:/race"]} if where == "volume" else {}
    ident = engine.run("sh", "-c", "mkdir -p /race; " + RACE.format(folder=secret), host=host)
    wait_until(lambda: "ready" in onggi(engine, "exec", ident, "ls", "/race"), "the race is on")
    (tmp_path / "victim").write_text("overwritten")
    outcomes = set()
    for number in range(12):
        out = tmp_path / f"out{number}"
        for words in (
            (f"{ident}:/race/real/victim", str(out)),
            (f"{ident}:/race", str(out) + "d"),
            (str(tmp_path / "victim"), f"{ident}:/race/real/victim"),
        ):
            done = subprocess.run([PROGRAM, "cp", *words], env=engine.environment, capture_output=True, check=False)
            outcomes.add(done.returncode)
        for found in (out, *Path(f"{out}d").rglob("victim")):
            assert not found.exists() or SECRET not in found.read_text()
    assert (secret / "victim").read_text() == SECRET
    assert [path.name for path in secret.iterdir()] == ["victim"]
    assert 0 in outcomes
    engine.client.delete(f"/containers/{ident}", {"force": "1"})
    if where == "volume":
        engine.client.delete("/volumes/racing")


def test_no_program_or_library_of_the_image_is_used(engine: EngineUnderTest, tmp_path: Path) -> None:
    """k05: unpackers, libnss and Python modules of the container would run as the host's root."""
    script = (
        "mkdir -p /usr/bin /lib/x86_64-linux-gnu; for name in xz unpigz gzip tar python3 zstd; do "
        "printf '#!/bin/sh\\ntouch /marker\\n' > /usr/bin/$name; chmod 755 /usr/bin/$name; done; "
        'for name in json os struct lzma; do echo \'open("/marker", "w")\' > /$name.py; done; '
        "echo x > /lib/x86_64-linux-gnu/libnss_files.so.2; echo ready > /made; exec sleep 1000"
    )
    ident = engine.run("sh", "-c", script)
    wait_until(lambda: "/made" in onggi(engine, "diff", ident), "the traps are set")
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:xz") as tar:
        tar.add(__file__, "file")
    for words, stdin in (
        (("cp", "-", f"{ident}:/"), plain.getvalue()),
        (("cp", f"{ident}:/usr", str(tmp_path / "out")), b""),
        (("cp", "-a", str(tmp_path), f"{ident}:/root"), b""),
    ):
        onggi(engine, *words, stdin=stdin)
    assert "/marker" not in onggi(engine, "diff", ident)
    assert not Path("/marker").exists()
    assert onggi(engine, "exec", ident, "ls", "/file") == "/file\n"
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_an_archive_that_leads_out_is_refused(engine: EngineUnderTest) -> None:
    ident = engine.create("true")
    for name, kind, link in (("../../x", tarfile.REGTYPE, ""), ("x", tarfile.LNKTYPE, "../../etc/passwd")):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            item = tarfile.TarInfo(name)
            item.type, item.linkname = kind, link
            tar.addfile(item)
        assert "leaves the archive" in onggi(engine, "cp", "-", f"{ident}:/tmp", stdin=data.getvalue(), code=1)
    assert "archive" in onggi(engine, "cp", "-", f"{ident}:/tmp", stdin=b"no tar at all" * 100, code=1)
    engine.client.delete(f"/containers/{ident}")


def test_what_is_read_only_stays_so(engine: EngineUnderTest, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "ro").mkdir()
    (tmp_path / "rw").mkdir()
    host = {"ReadonlyRootfs": True, "Binds": [f"{tmp_path}/ro:/ro:ro", f"{tmp_path}/rw:/rw"]}
    for command in (("sleep", "1000"), ("true",)):
        ident = engine.run(*command, host=host)
        if command == ("true",):
            engine.wait(ident)
        for place in ("/", "/ro", "/tmp"):
            text = onggi(engine, "cp", str(tmp_path / "file"), f"{ident}:{place}", code=1)
            assert text.endswith("container rootfs is marked read-only\n")
        onggi(engine, "cp", str(tmp_path / "file"), f"{ident}:/rw")
        assert (tmp_path / "rw/file").read_text() == "x"
        (tmp_path / "rw/file").unlink()
        engine.client.delete(f"/containers/{ident}", {"force": "1"})
    assert list((tmp_path / "ro").iterdir()) == []


def test_a_volume_of_a_container_that_has_never_run_is_there(engine: EngineUnderTest, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    ident = engine.create("cat", "/new/place/file", host={"Binds": ["fresh:/new/place"]})
    onggi(engine, "cp", str(tmp_path / "file"), f"{ident}:/new/place")
    engine.client.post(f"/containers/{ident}/start")
    engine.wait(ident)
    assert engine.logs(ident) == "x"
    engine.client.delete(f"/containers/{ident}")
    engine.client.delete("/volumes/fresh")


def test_nothing_stays_mounted_and_a_query_is_checked(engine: EngineUnderTest) -> None:
    ident = engine.create("true")
    for query in ({}, {"path": ""}):
        with pytest.raises(errors.InvalidArgument):
            engine.client.open("GET", f"/containers/{ident}/archive", query).read()
    with pytest.raises(errors.NotFound):
        engine.client.open("GET", f"/containers/{ident}/archive", {"path": "/a\0b"}).read()
    assert str(engine.paths.root) not in Path("/proc/self/mounts").read_text()
    engine.client.delete(f"/containers/{ident}")


@pytest.mark.docker
def test_dockers_client_copies_here(engine: EngineUnderTest, tmp_path: Path) -> None:
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "in/sub/f").write_text("x")
    ident = engine.run("sleep", "1000")

    def docker(*words: str | Path, code: int = 0) -> bytes:
        done = subprocess.run(
            ["docker", *words], env=engine.environment, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    docker("cp", tmp_path / "in", f"{ident}:/new")
    docker("cp", f"{tmp_path}/in/.", f"{ident}:/tmp")
    assert onggi(engine, "exec", ident, "cat", "/new/sub/f", "/tmp/sub/f") == "xx"
    docker("cp", f"{ident}:/new", tmp_path / "out")
    docker("cp", f"{ident}:/new/.", tmp_path / "out2")
    docker("cp", "-L", f"{ident}:/bin/sh", tmp_path / "shell")
    docker("cp", f"{ident}:/", tmp_path / "root")
    assert [(tmp_path / name / "sub/f").read_text() for name in ("out", "out2", "root/new")] == ["x"] * 3
    assert (tmp_path / "shell").stat().st_size > 100_000
    said = docker("cp", f"{ident}:/nope", tmp_path, code=1)
    if client_version() >= WORDS:
        assert said.decode().strip().endswith(f"Could not find the file /nope in container {ident}")
    engine.client.delete(f"/containers/{ident}", {"force": "1"})
