"""Who the user is at which registry: read from Docker's own configuration, off the loop, when it is asked for."""

from __future__ import annotations

import json

from core.aio import off_loop
from core.errors import EngineError, InvalidArgument
from core.oci.reference import HUB
from tui.calls import Client
from tui.remote.registry import Headers


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
        """What carries the user's credentials for a registry; nothing where there are none, or none to be used."""
        from core.client.registry import headers_for

        try:
            return await off_loop(headers_for, server)
        except InvalidArgument:
            return {}

    async def login(self, client: Client, server: str, user: str, password: str) -> None:
        """Prove a user to a registry and keep what that gives. Raises Unauthorized, EngineError, OSError."""
        from core.client.credentials import ConfigFile, key_of
        from core.model.registry import Credentials
        from core.wire.credentials import proved, to_document

        asked = Credentials(username=user, password=password, server_address=key_of(server))
        answer = await client.post("/auth", to_document(asked))
        kept = proved(asked, answer or {})
        await off_loop(lambda: ConfigFile.load().keep(kept))


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
