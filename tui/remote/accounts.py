"""Who the user is at which registry: read from Docker's own configuration, off the loop, when it is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.aio import off_loop
from core.errors import EngineError, InvalidArgument
from core.oci.reference import HUB
from tui.remote.registry import Headers

if TYPE_CHECKING:
    from core.client.credentials import ConfigFile


class Accounts:
    """`users` is what was found at the last `refresh`: registry -> user, "" where a program keeps it secret."""

    def __init__(self) -> None:
        self.users: dict[str, str] = {}

    async def refresh(self) -> dict[str, str]:
        """Read the file again. One that cannot be read counts as empty: a question without credentials says so."""
        try:
            self.users = await off_loop(_users)
        except (EngineError, OSError):
            self.users = {}
        return self.users

    async def headers(self, server: str) -> Headers:
        """What carries the user's credentials for a registry; nothing where there are none."""
        from core.wire.credentials import HEADER, encode

        try:
            found = await off_loop(lambda: _load().find(server))
        except InvalidArgument:
            return {}
        return {HEADER: encode(found)} if found is not None else {}

    async def keep(self, server: str, user: str, password: str, token: str) -> None:
        """Keep what a login has proved. Raises InvalidArgument, OSError."""
        from core.client.credentials import key_of
        from core.model.registry import Credentials

        proved = Credentials(
            username=user,
            password="" if token else password,
            identity_token=token,
            server_address=key_of(server),
        )
        await off_loop(lambda: _load().keep(proved))


def _load() -> ConfigFile:
    from core.client.credentials import ConfigFile

    return ConfigFile.load()


def _users() -> dict[str, str]:
    from core.client.credentials import HUB_KEY, ConfigFile, config_path, hostname, key_of

    try:
        document = json.loads(config_path().read_bytes())
    except (OSError, ValueError):
        return {}
    config = ConfigFile.load()
    found: dict[str, str] = {}
    for name in document.get("auths") or {}:
        server = HUB if key_of(name) == HUB_KEY else hostname(name)
        try:
            kept = config.find(name)
        except EngineError:
            kept = None
        if server:
            found[server] = kept.username if kept is not None else ""
    return found
