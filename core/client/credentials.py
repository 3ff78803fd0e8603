"""The user's credentials for registries, in Docker's own file: what one program has logged in, the other may use.

`$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`: `auths`, and programs that keep secrets elsewhere
(`credsStore`, `credHelpers`; https://github.com/docker/docker-credential-helpers).
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from core.client import helpers
from core.errors import InvalidArgument
from core.model.registry import Credentials
from core.wire.credentials import join_pair, split_pair

HUB_KEY = "https://index.docker.io/v1/"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


def config_path() -> Path:
    """Where the configuration of Docker's clients lies."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def hostname(server: str) -> str:
    """`https://registry.test/v1/` as `registry.test`."""
    return server.removeprefix("https://").removeprefix("http://").partition("/")[0]


def key_of(server: str) -> str:
    """Under which name the credentials of a server are kept; "" and every name of Docker Hub are the Hub's key."""
    host = hostname(server)
    return HUB_KEY if not host or host in _HUB_NAMES else host


class ConfigFile:
    """One configuration file as it was read; what it holds beside credentials is kept as it is."""

    def __init__(self, path: Path, document: dict[str, Any]) -> None:
        self.path = path
        self._document = document

    @classmethod
    def load(cls, path: Path | None = None) -> ConfigFile:
        """Read the file; a missing one is empty. Raises InvalidArgument when it cannot be understood."""
        path = path or config_path()
        try:
            document = json.loads(path.read_bytes() or b"{}")
        except (FileNotFoundError, NotADirectoryError):
            document = {}
        except OSError as error:
            raise InvalidArgument(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
        except (ValueError, RecursionError) as error:
            raise InvalidArgument(f"cannot read {path}: it is not JSON: {error}") from error
        if not isinstance(document, dict) or not isinstance(document.get("auths") or {}, dict):
            raise InvalidArgument(f"cannot read {path}: it is not a configuration of Docker's")
        return cls(path, document)

    def find(self, server: str) -> Credentials | None:
        """The credentials kept for a server. Raises InvalidArgument when what is kept cannot be used."""
        key = key_of(server)
        if helper := self.helper(key):
            return helpers.get(helper, key)
        auths = self._auths()
        entry = auths.get(key)
        if entry is None:
            entry = next((auth for name, auth in auths.items() if key_of(name) == key), None)
        return _from_entry(entry, key, self.path)

    def keep(self, credentials: Credentials) -> str:
        """Keep what a login has proved, under its server address, and save; the helper that has it, "" = this file.

        Raises InvalidArgument, OSError.
        """
        key = key_of(credentials.server_address)
        entry = _to_entry(credentials)
        helper = self.helper(key)
        if helper:
            helpers.store(helper, key, credentials)
            entry = {}  # says that there is something to log out of
        if self._auths().get(key) != entry:
            self._document["auths"] = {**self._auths(), key: entry}
            self.save()
        return helper

    def holds(self, server: str) -> bool:
        """Whether there is something to log out of."""
        key = key_of(server)
        if any(key_of(name) == key for name in self._auths()):
            return True
        helper = self.helper(key)
        return bool(helper) and helpers.get(helper, key) is not None

    def erase(self, server: str) -> None:
        """Forget a server, and save. Raises InvalidArgument, OSError."""
        key = key_of(server)
        auths = self._auths()
        left = {name: auth for name, auth in auths.items() if key_of(name) != key}
        if left != auths or "auths" not in self._document:
            self._document["auths"] = left
            self.save()
        if helper := self.helper(key):
            helpers.erase(helper, key)

    def helper(self, server: str) -> str:
        """The program that keeps the credentials of a server, "" where it is this file."""
        key = key_of(server)
        of_servers = self._document.get("credHelpers")
        if isinstance(of_servers, dict):
            found = next((name for other, name in of_servers.items() if key_of(other) == key), None)
            if isinstance(found, str) and found:
                return found
        store = self._document.get("credsStore")
        return store if isinstance(store, str) else ""

    def unchanged(self, credentials: Credentials) -> bool:
        """Whether keeping these would change nothing."""
        key = key_of(credentials.server_address)
        return not self.helper(key) and self._auths().get(key) == _to_entry(credentials)

    def save(self) -> None:
        """Write the file whole or not at all: it appears by rename, readable by its owner only. Raises OSError."""
        path = Path(os.path.realpath(self.path))  # a link stays a link
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps(self._document, indent="\t", ensure_ascii=False)
        fd, beside = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with open(fd, "w", encoding="utf-8") as file:
                os.fchmod(fd, _mode(path))
                file.write(text)
                file.flush()
                os.fsync(fd)
            Path(beside).rename(path)
        except BaseException:
            Path(beside).unlink(missing_ok=True)
            raise

    def _auths(self) -> dict[str, Any]:
        auths: dict[str, Any] = self._document.get("auths") or {}
        return auths


def _mode(path: Path) -> int:
    """0600, or what the file's owner has made of it."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return 0o600


def _from_entry(entry: object, server: str, path: Path) -> Credentials | None:
    if not isinstance(entry, dict) or not entry:
        return None

    def text(name: str) -> str:
        value = entry.get(name)
        return value if isinstance(value, str) else ""

    username, password = text("username"), text("password")
    if text("auth"):
        try:
            username, password = split_pair(text("auth"))
        except InvalidArgument as error:
            raise InvalidArgument(f"cannot use what {path} has for {server}: {error}") from error
    found = Credentials(
        username=username,
        password=password,
        identity_token=text("identitytoken"),
        registry_token=text("registrytoken"),
        server_address=server,
    )
    return found if username or found.identity_token or found.registry_token else None


def _to_entry(credentials: Credentials) -> dict[str, str]:
    entry = {}
    if credentials.username:
        entry["auth"] = join_pair(credentials.username, credentials.password)
    if credentials.identity_token:
        entry["identitytoken"] = credentials.identity_token
    if credentials.registry_token:
        entry["registrytoken"] = credentials.registry_token
    return entry
