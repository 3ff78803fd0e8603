"""A busybox root for the whole run, fresh upper layers for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.containers import Sandbox, make_busybox_root


@pytest.fixture(scope="session")
def busybox_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_busybox_root(tmp_path_factory.mktemp("busybox") / "root")


@pytest.fixture
def sandbox(tmp_path: Path, busybox_root: Path) -> Sandbox:
    return Sandbox(tmp_path, busybox_root)


@pytest.fixture
def hostile(tmp_path: Path) -> Sandbox:
    """A sandbox whose layer the test may spoil."""
    return Sandbox(tmp_path, make_busybox_root(tmp_path / "lower"))
