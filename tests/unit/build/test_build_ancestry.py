"""The history of an image as a cache: where it fits, and where it must not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.build import describe
from core.build.ancestry import ancestry_of
from core.build.plan import Asked
from core.build.scope import Scope
from core.build.state import State
from core.oci.digest import Digest
from core.oci.image import History, ImageConfig, Platform, RootFS
from core.storage.sums import run_sums

ONE, TWO = Digest("sha256:" + "1" * 64), Digest("sha256:" + "2" * 64)
BASE = History(created="2026-01-01T00:00:00.12Z", created_by="base", comment="c")
WORDS = History(created="2026-01-02T00:00:00Z", created_by="ENV", empty_layer=True)
MADE = History(created="2026-01-03T00:00:00.123456789Z", created_by="RUN", author="me")
IMAGE = ImageConfig(rootfs=RootFS((ONE, TWO)), history=(BASE, WORDS, MADE))
STATE = State(
    scope=Scope(Asked(), {}), key="k", diff_ids=(ONE,), history=(BASE,), platform=Platform("linux", "amd64")
)  # fmt: skip


def test_an_image_is_followed_line_by_line() -> None:
    ancestry = ancestry_of(IMAGE)
    assert ancestry is not None
    past = ancestry.after(STATE)
    assert past is not None and (past.line, past.diff_ids) == (WORDS, (ONE,))
    entry = past.entry("k2", "ENV a=b")
    assert (entry.layer, entry.made_layer, entry.created_at) == (None, False, 1767312000.0)
    after = STATE.followed("k2", past.line, entry.layer)
    past = ancestry.after(after)
    assert past is not None and (past.line, past.entry("k3", "").layer) == (MADE, TWO)
    assert ancestry.after(after.followed("k3", MADE, TWO)) is None  # there is no more of it


def test_zeros_at_the_end_of_a_moment_make_no_difference() -> None:
    ancestry = ancestry_of(IMAGE)
    assert ancestry is not None
    for moment in ("2026-01-01T00:00:00.120000Z", "2026-01-01T00:00:00.12Z"):
        assert ancestry.after(replace(STATE, history=(History(moment, "base", comment="c"),)))


@pytest.mark.parametrize(
    "other",
    [
        replace(STATE, history=()), replace(STATE, diff_ids=(TWO,)), replace(STATE, diff_ids=(ONE, TWO, ONE)),
        replace(STATE, history=(History(BASE.created, "base", "", "other"),)),
        replace(STATE, history=(History("2026-01-01T00:00:01.12Z", "base", comment="c"),)),
        replace(STATE, platform=Platform("linux", "arm64")), replace(STATE, history=(BASE, WORDS, MADE)),
    ],
)  # fmt: skip
def test_what_has_never_been_there_is_not_followed(other: State) -> None:
    ancestry = ancestry_of(IMAGE)
    assert ancestry is not None
    found = ancestry.after(other)
    assert found is None or found.line.created_by != WORDS.created_by


def test_an_image_that_does_not_say_which_step_made_which_layer_is_no_cache() -> None:
    assert ancestry_of(ImageConfig(rootfs=RootFS((ONE, TWO)), history=(BASE,))) is None
    assert ancestry_of(ImageConfig(rootfs=RootFS(()), history=())) is None


@pytest.mark.parametrize("owner", ["", "--chown=1:2", "--chown=1:2 "])
def test_a_line_of_a_copy_is_taken_apart(owner: str) -> None:
    name = f"file:{'a' * 64}"
    line = f"/bin/sh -c #(nop) COPY {owner}{name} in /x "
    chown = owner.removeprefix("--chown=").strip()
    assert describe.source_of(line, "COPY", "/x", chown=chown, shell=()) == name
    for other in (
        describe.source_of(line, "ADD", "/x", chown=chown, shell=()),
        describe.source_of(line, "COPY", "/y", chown=chown, shell=()),
        describe.source_of(line, "COPY", "/x", chown="3", shell=()),
        describe.source_of(line, "COPY", "/x", chown=chown, shell=("/bin/ash",)),
        describe.source_of(line.replace("a" * 64, "a"), "COPY", "/x", chown=chown, shell=()),
    ):
        assert other == ""


def test_sums_are_those_of_dockers_builder(tmp_path: Path) -> None:
    """What dockerd 20.10 has called these files, sent by a client of version 28."""
    (tmp_path / "sub/d").mkdir(parents=True)
    for name, mode in (("a", 0o755), ("sub/b", 0o644), ("sub/d/c", 0o600)):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(mode)
    (tmp_path / "sub").chmod(0o755)
    (tmp_path / "sub/d").chmod(0o700)
    (tmp_path / "sub/l").symlink_to("b")
    (tmp_path / "l").mkdir(mode=0o755)
    (tmp_path / "l/nowhere").symlink_to("/not/there")
    (tmp_path / "e").mkdir(mode=0o755)
    (tmp_path / "e/x").symlink_to("y")
    (tmp_path / "e/y").symlink_to("x")
    root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)

    def sums(*sources: str) -> list[str]:
        return list(run_sums({"sources": sources}, [root])["sums"])

    try:
        if os.geteuid():
            pytest.skip("the files have to be root's")
        assert "file:0bc8091303179e7aec7b484aca7fde345abd765341fa70f45233d4bbccefd6ea" in sums("a")
        assert "file:bc372d192dab9ed5e95d5045eb14822edef8405d3717180c60b86f854bbb431b" in sums("sub/l")
        assert "dir:ffa540976d0cd6a4efd85c9c9ac7c96f5ab3c96bab03321ae9b2d6a683583f34" in sums("sub")
        assert "multi:d21628bf6a6d209595bbf571aa6a6d4134a35656affba3d4211c6caf4b38818e" in sums("a", "sub/b")
        assert "dir:69ff4685aad8f0db08cad4b9b508f82b88656971c0205e274a09344be1233beb" in sums("e")
        assert len(sums("l")) == 2  # a link to nothing counts by its path
        assert sums("l/nowhere") == []
        before = sums("sub")
        (tmp_path / "sub/d/c").chmod(0o640)
        assert not set(before) & set(sums("sub"))
    finally:
        os.close(root)
