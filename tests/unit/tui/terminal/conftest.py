from collections.abc import Callable

import pytest

from tui.terminal.screen import FastScreen
from tui.terminal.stream import FastStream


@pytest.fixture
def fed() -> Callable[..., FastScreen]:
    """A screen (10x4 unless told) after some output; handlers that raise fail the test."""

    def feed(*data: bytes, columns: int = 10, lines: int = 4) -> FastScreen:
        screen = FastScreen(columns, lines)
        stream = FastStream(screen, strict=True)
        for piece in data:
            assert stream.feed(piece)
        return screen

    return feed
