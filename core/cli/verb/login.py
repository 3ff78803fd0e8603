"""`onggi login`: prove who one is to a registry, and keep the proof for later commands."""

from __future__ import annotations

import os
import sys

from core.cli import registries
from core.cli.context import Context, warn
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, option, switch
from core.client.credentials import HUB_KEY, ConfigFile
from core.errors import EngineError, InvalidArgument, Unauthorized
from core.model.registry import Credentials
from core.wire.credentials import proved, to_document

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_INSECURE = "WARNING! Using --password via the CLI is insecure. Use --password-stdin."
_UNENCRYPTED = """
WARNING! Your credentials are stored unencrypted in '{path}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/
"""
_KNOWN = """Authenticating with existing credentials... [Username: {user}]

 Info -> To login with a different account, run 'onggi logout' followed by 'onggi login'

"""
_HUB = (
    "Log in with your Docker ID or email address to push and pull images from Docker Hub. "
    "If you don't have a Docker ID, head over to https://hub.docker.com/ to create one.\n"
    "You can log in with your password or a Personal Access Token (PAT)."
)
_SECRET_LIMIT = 64 * 1024  # bytes of --password-stdin


def login(context: Context, given: Arguments) -> int:
    """The engine asks the registry; the credentials stay with this user, the engine keeps none."""
    user, password = given.text("username").strip(), _password(given)
    server = registries.server_of(given.operands[0] if given.operands else "")
    before = None if user or password else registries.stored(server)
    proved = _again(context, before) if before is not None else None
    if proved is None:
        asked = _asked(server, user, password, before.username if before else "")
        proved = _prove(context, asked)
    _keep(proved)
    print("Login Succeeded")
    return 0


def _password(given: Arguments) -> str:
    if not given.on("password-stdin"):
        if given.text("password"):
            warn(_INSECURE)
        return given.text("password").strip()
    if given.text("password"):
        raise CommandFailed("conflicting options: cannot specify both --password and --password-stdin")
    if not given.text("username").strip():
        raise CommandFailed("the --password-stdin option requires --username to be set")
    secret = sys.stdin.buffer.read(_SECRET_LIMIT).decode("utf-8", "surrogateescape")
    return secret.removesuffix("\n").removesuffix("\r")


def _again(context: Context, known: Credentials) -> Credentials | None:
    """Log in with what is kept; None when that is not taken any more."""
    if not (known.username and known.password):
        return None
    warn(_KNOWN.format(user=known.username))
    try:
        return _prove(context, known)
    except Unauthorized:
        warn("Stored credentials invalid or expired")
    except EngineError as error:
        warn(f"Login did not succeed, error: {error}")
    return None


def _asked(server: str, user: str, password: str, usual: str) -> Credentials:
    """The credentials given by flags and, for what is missing, at the terminal. Raises CommandFailed."""
    if (not password and not os.isatty(0)) or (not user and not os.isatty(0)):
        raise CommandFailed("Error: Cannot perform an interactive login from a non TTY device")
    if not user:
        if server == HUB_KEY:
            print(f"{_HUB}\n")
        user = _typed(input, f"Username ({usual}): " if usual else "Username: ") or usual
        if not user:
            raise CommandFailed("Error: Non-null Username Required")
    if not password:
        from getpass import getpass

        password = _typed(getpass, "Password: ")
        if not password:
            raise CommandFailed("Error: Password Required")
    return Credentials(username=user, password=password, server_address=server)


def _typed(ask: Callable[[str], str], prompt: str) -> str:
    """What was typed; "" where the terminal ended instead."""
    try:
        return ask(prompt).strip()
    except EOFError:
        print()
        return ""


def _prove(context: Context, asked: Credentials) -> Credentials:
    """Ask the registry by way of the engine; what is to be kept. Raises EngineError."""
    body: dict[str, object] = {**to_document(asked)}
    return proved(asked, context.engine.post("/auth", None, body) or {})


def _keep(proved: Credentials) -> None:
    """Raises CommandFailed."""
    try:
        file = ConfigFile.load()
        if file.unchanged(proved):
            return
        if not file.helper(proved.server_address):
            warn(_UNENCRYPTED.format(path=file.path))
        file.keep(proved)
    except (InvalidArgument, OSError) as error:
        raise CommandFailed(f"Error saving credentials: {error}") from error


LOGIN = Command(
    login,
    "Authenticate to a registry; Docker Hub if no server is specified",
    "[SERVER]",
    (
        option("password", "p", "Password or Personal Access Token (PAT)"),
        switch("password-stdin", "", "Take the Password or Personal Access Token (PAT) from stdin"),
        option("username", "u", "Username"),
    ),
    most=1,
)
