"""What of a folder goes to the engine as the context of a build."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from core.client import buildcontext
from core.errors import InvalidArgument


def packed(folder: Path, dockerfile: str = "") -> tuple[dict[str, tarfile.TarInfo], str]:
    file, name = buildcontext.pack(str(folder), dockerfile)
    with file, tarfile.open(fileobj=file) as archive:
        return {member.name: member for member in archive}, name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    context = tmp_path / "context"
    for name in ("Dockerfile", "a", "sub/b", "sub/deep/c", "node_modules/x"):
        path = context / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return context


def test_everything_goes_without_a_list(folder: Path) -> None:
    members, dockerfile = packed(folder)
    assert list(members) == [
        "Dockerfile", "a", "node_modules", "sub", "node_modules/x", "sub/b", "sub/deep", "sub/deep/c",
    ]  # fmt: skip
    assert dockerfile == "Dockerfile"
    assert {(member.uid, member.gid, member.uname) for member in members.values()} == {(0, 0, "")}


def test_the_list_keeps_files_at_home_but_never_the_dockerfile_nor_itself(folder: Path) -> None:
    (folder / ".dockerignore").write_text("*\n!sub/deep\n")
    assert set(packed(folder)[0]) == {".dockerignore", "Dockerfile", "sub/deep", "sub/deep/c"}


def test_a_dockerfile_may_have_a_list_of_its_own(folder: Path) -> None:
    (folder / "sub/Other").write_text("FROM x")
    (folder / "sub/Other.dockerignore").write_text("node_modules\n")
    (folder / ".dockerignore").write_text("a\n")
    members, dockerfile = packed(folder, str(folder / "sub/Other"))
    assert "a" in members and "node_modules" not in members
    assert dockerfile == "sub/Other"


def test_a_dockerfile_from_elsewhere_comes_along(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "D").write_text("FROM x")
    members, dockerfile = packed(folder, str(tmp_path / "D"))
    assert dockerfile in members and dockerfile == buildcontext.ELSEWHERE


def test_links_go_as_links_and_hard_links_as_files(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "hard").hardlink_to(folder / "a")
    members, _ = packed(folder)
    assert members["link"].issym() and members["link"].linkname == "/etc/passwd"
    assert members["a"].isreg() and members["hard"].isreg() and members["hard"].size == 1


@pytest.mark.parametrize(
    ("context", "dockerfile", "message"),
    [
        ("nosuch", "", 'unable to prepare context: path "nosuch" not found'),
        (".", "nofile", "failed to read dockerfile: open nofile: no such file or directory"),
    ],
)
def test_what_is_not_there_is_told(context: str, dockerfile: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        buildcontext.pack(context, dockerfile)
    assert caught.value.message == message


def test_an_archive_is_told_from_a_dockerfile() -> None:
    file = buildcontext.pack_text(b"FROM x\n")
    with file:
        assert buildcontext.is_archive(file.read(512))
    assert buildcontext.is_archive(b"\x1f\x8b".ljust(512))
    assert not buildcontext.is_archive(b"FROM busybox\nRUN x".ljust(512))
