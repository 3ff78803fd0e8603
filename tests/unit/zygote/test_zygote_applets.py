"""Asking a busybox for its applets, and programs that are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from store_kit import run_forked

from core.errors import SystemFailure, Unsupported
from core.zygote import applets


def asked(path: Path | str) -> list[str]:
    names = run_forked("list-applets", {"path": str(path)}, [])["names"]
    assert isinstance(names, list)
    return names


def program(tmp_path: Path, script: str) -> Path:
    file = tmp_path / "busybox"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox")
def test_a_real_one() -> None:
    names = asked(shutil.which("busybox") or "")
    assert {"bin/sh", "bin/ls"} <= set(names) and names == sorted(names)


def test_it_is_asked_without_an_environment_and_with_these_words(tmp_path: Path) -> None:
    file = program(tmp_path, 'echo bin/sh "$1"; env | grep -c HOME; cat; echo noise >&2')
    assert asked(file) == ["--list-full", "0", "bin/sh"]


@pytest.mark.parametrize("script", ["exit 1", "echo bin/ls", "echo bin/sh; exit 3", "kill -9 $$", "yes bin/sh"])
def test_one_that_tells_nothing_of_use(tmp_path: Path, script: str) -> None:
    with pytest.raises(Unsupported, match="does not tell its applets"):
        asked(program(tmp_path, script))


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unsupported):
        asked(tmp_path / "nope")


def test_one_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applets, "SECONDS", 1)
    with pytest.raises((Unsupported, SystemFailure)):
        asked(program(tmp_path, "echo bin/sh; exec sleep 1000"))
