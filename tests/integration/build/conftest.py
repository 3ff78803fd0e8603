"""The command line, joined to an engine of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest


@pytest.fixture
def cli(engine: EngineUnderTest) -> Iterator[Cli]:
    """Commands for the file's engine; no container of a test is left to the next one."""
    yield Cli(engine.environment)
    engine.remove_all()
