"""Programs that keep secrets: `docker-credential-NAME get|store|erase`, JSON or a server's name on their stdin.

https://github.com/docker/docker-credential-helpers, "Development"
"""

from __future__ import annotations

import json
import re
import subprocess

from core.errors import InvalidArgument
from core.model.registry import Credentials

TOKEN_USER = "<token>"  # a user of this name has an identity token for a secret
PATIENCE = 120.0  # seconds: a helper may ask its user something
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_NOTHING = ("credentials not found in native keychain", "no credentials server URL", "no credentials username")


def get(helper: str, server: str) -> Credentials | None:
    """What `helper` keeps for a server, None when it has nothing. Raises InvalidArgument."""
    code, out = _run(helper, "get", server, doing="getting")
    if code:
        if any(text in out for text in _NOTHING):
            return None
        raise InvalidArgument(f"error getting credentials - err: exit status {code}, out: `{out}`")
    try:
        found = json.loads(out)
        user, secret = found["Username"], found["Secret"]
    except (ValueError, KeyError, TypeError, RecursionError):
        # not the answer itself: it may be a secret in a wrapping that we do not know
        raise InvalidArgument(f"error getting credentials - docker-credential-{helper} answers no JSON") from None
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        return None
    if user == TOKEN_USER:
        return Credentials(identity_token=secret, server_address=server)
    return Credentials(username=user, password=secret, server_address=server)


def store(helper: str, server: str, credentials: Credentials) -> None:
    """Raises InvalidArgument."""
    user, secret = credentials.username, credentials.password
    if credentials.identity_token:
        user, secret = TOKEN_USER, credentials.identity_token
    asked = json.dumps({"ServerURL": server, "Username": user, "Secret": secret})
    code, out = _run(helper, "store", asked, doing="storing")
    if code:
        raise InvalidArgument(f"error storing credentials - err: exit status {code}, out: `{out}`")


def erase(helper: str, server: str) -> None:
    """Raises InvalidArgument."""
    code, out = _run(helper, "erase", server, doing="erasing")
    if code and not any(text in out for text in _NOTHING):
        raise InvalidArgument(f"error erasing credentials - err: exit status {code}, out: `{out}`")


def _run(helper: str, verb: str, text: str, *, doing: str) -> tuple[int, str]:
    """Exit code and output. Raises InvalidArgument where there is no such program."""
    if not _NAME.fullmatch(helper):
        raise InvalidArgument(f"error {doing} credentials - err: bad name of a credential helper: {helper!r}")
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, verb], input=text.encode(), stdout=subprocess.PIPE, check=False, timeout=PATIENCE
        )
    except FileNotFoundError:
        reason = f'exec: "{program}": executable file not found in $PATH'
        raise InvalidArgument(f"error {doing} credentials - err: {reason}, out: ``") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InvalidArgument(f"error {doing} credentials - err: {program}: {error}, out: ``") from None
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()
