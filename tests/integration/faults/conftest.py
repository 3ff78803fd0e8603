"""Engines for faults: whatever a test does to one, nothing may be left of its containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faults_kit import clean_engine, small_engine

from tests.integration.conftest import EngineUnderTest


@pytest.fixture
def faulty() -> Iterator[EngineUnderTest]:
    """An engine for one test: to kill, to stop."""
    with clean_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def steady() -> Iterator[EngineUnderTest]:
    """An engine for the tests of one file."""
    with clean_engine() as engine:
        yield engine


@pytest.fixture
def small() -> Iterator[EngineUnderTest]:
    """An engine for one test, whose ROOT is a file system of 24 MiB."""
    with small_engine() as engine:
        yield engine
