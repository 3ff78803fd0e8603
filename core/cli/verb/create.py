"""`onggi create`"""

from __future__ import annotations

import os

from core.cli import terminal
from core.cli.context import Context
from core.cli.create import spec
from core.cli.create.flags import CREATE_FLAGS
from core.cli.create.make import make
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command


def create(context: Context, given: Arguments) -> int:
    """Make a container and print its id."""
    try:
        request = spec.body(given, os.environ, size=terminal.size())
        print(make(context, given, request))
    except CommandFailed as error:  # `create` ends with 1 where `run` ends with 125
        raise CommandFailed(error.message) from error
    return 0


CREATE = Command(
    create, "Create a new container", "IMAGE [COMMAND] [ARG...]", CREATE_FLAGS, least=1, most=None, stop_early=True
)
