"""Markers that need something of the machine say so when it is not there."""

from __future__ import annotations

import faulthandler
import os
import shutil
from collections.abc import Iterator

import pytest

_LAST_RESORT = 400  # seconds; hypothesis takes the end of `timeout` for a finding, and tries what hangs again
_PROGRAMS = {"docker": "docker", "skopeo": "skopeo", "tmux": "tmux"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root: sudo make test"))
        for marker, program in _PROGRAMS.items():
            if item.get_closest_marker(marker) and shutil.which(program) is None:
                item.add_marker(pytest.mark.skip(reason=f"needs {program}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """End the whole run, with every stack, rather than wait for ever."""
    faulthandler.dump_traceback_later(_LAST_RESORT, exit=True)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()
