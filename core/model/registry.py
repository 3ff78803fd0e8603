"""What passes between this machine and a registry."""

from __future__ import annotations

import msgspec


class Credentials(msgspec.Struct, frozen=True):
    """Who asks. They come with the asking client and are kept by nobody else; "" = not given.

    `identity_token` is what a registry gave out instead of a password, `registry_token` goes along as it is.
    """

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""
    server_address: str = ""

    def __repr__(self) -> str:
        # A log, a traceback and a failing test all print values.
        return f"Credentials(username={self.username!r}, server_address={self.server_address!r}, secrets hidden)"
