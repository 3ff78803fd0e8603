"""`onggi logout`: forget the credentials for a registry."""

from __future__ import annotations

from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command
from core.client.credentials import HUB_KEY, ConfigFile, hostname, key_of
from core.errors import InvalidArgument


def logout(context: Context, given: Arguments) -> int:
    """Nothing is asked of the registry: what it gave out ends there by itself."""
    server = given.operands[0] if given.operands else ""
    name = key_of(server)
    if name != HUB_KEY:
        name = hostname(server)
    try:
        file = ConfigFile.load()
        if not file.holds(server):
            print(f"Not logged in to {name}")
            return 0
        print(f"Removing login credentials for {name}", flush=True)
        file.erase(server)
    except (InvalidArgument, OSError) as error:
        raise CommandFailed(f"WARNING: could not erase credentials:\n{name}: {error}") from error
    return 0


LOGOUT = Command(
    logout,
    "Log out from a registry; Docker Hub if no server is specified",
    "[SERVER]",
    most=1,
)
