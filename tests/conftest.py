"""Markers that need something of the machine say so when it is not there."""

from __future__ import annotations

import os
import shutil

import pytest

_PROGRAMS = {"docker": "docker", "skopeo": "skopeo", "tmux": "tmux"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root: sudo make test"))
        for marker, program in _PROGRAMS.items():
            if item.get_closest_marker(marker) and shutil.which(program) is None:
                item.add_marker(pytest.mark.skip(reason=f"needs {program}"))
