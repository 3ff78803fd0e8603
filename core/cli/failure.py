"""What goes wrong on this side of the socket."""

from __future__ import annotations

from core.errors import EngineError, EngineUnreachable

NO_REFERENCE = ("invalid reference format", "invalid repository name")

PROGRAM = "onggi"


class CommandFailed(EngineError):
    """The command cannot go on. The message is printed as it is; "" = everything has been said already."""

    exit_code = 1

    def __init__(self, message: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(CommandFailed):
    """The arguments do not fit. `text` ends with how to call it and where to read more."""


def engine_says(error: EngineError) -> str:
    """The line for a failure: the engine's own words are marked as such, as Docker marks them."""
    if isinstance(error, CommandFailed | EngineUnreachable):
        return error.message
    if error.message.startswith(NO_REFERENCE):  # Docker's client finds these by itself
        return error.message
    return f"Error response from daemon: {error.message}"
