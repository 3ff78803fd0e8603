"""One dockerd for all comparisons of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.dockerd import Dockerd, available, private_dockerd
from tests.support.images import busybox_archive


@pytest.fixture(scope="session")
def dockerd() -> Iterator[Dockerd]:
    """A dockerd with the same image `busybox` that the engines of the tests have."""
    if not available():
        pytest.skip("needs dockerd")
    with private_dockerd() as daemon:
        with busybox_archive() as archive:
            daemon.run("load", stdin=archive.read())
        yield daemon
