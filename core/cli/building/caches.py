"""`--cache-from`, `--cache-to` and `--ssh`: what of it the engine is told, and what stays here to be asked for."""

from __future__ import annotations

import os

from core.cli.failure import CommandFailed
from core.client import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from core.cli.parser import Arguments
    from core.client.buildsession import Folder


class Held:
    """What stays here: folders by number, agents' sockets by id, and keys that an agent of ours is to hold."""

    def __init__(self) -> None:
        self.folders: list[Folder] = []
        self.agents: dict[str, str] = {}
        self.keys: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self.folders or self.agents or self.keys)


def query(given: Arguments, held: Held) -> dict[str, Any]:
    """The members of a build's query; what stays here goes into `held`. Raises CommandFailed."""
    found: dict[str, Any] = {}
    for flag, member, where in (("cache-from", "cachefrom", "src"), ("cache-to", "cacheto", "dest")):
        texts = [_told(text, flag, where, held) for text in given.texts(flag)]
        if texts:
            found[member] = jsontext.dumps(texts)
    for text in given.texts("ssh"):
        _agent(text, held)
    if held.agents or held.keys:
        found["ssh"] = jsontext.dumps(sorted({*held.agents, *held.keys}))
    return found


def _told(text: str, flag: str, where: str, held: Held) -> str:
    """As it is, but for a folder, which gets a number."""
    fields = dict(field.partition("=")[::2] for field in text.split(","))
    if fields.get("type") != "local":
        return text
    from core.client.buildsession import Folder

    path = fields.pop(where, "")
    if not path:
        raise CommandFailed(f"ERROR: invalid --{flag} {text}: type=local needs a {where}=FOLDER")
    held.folders.append(Folder(os.path.abspath(path), fields.get("tag") or "latest"))  # noqa: PTH100
    return ",".join([f"{name}={value}" for name, value in fields.items()] + [f"number={len(held.folders) - 1}"])


def _agent(text: str, held: Held) -> None:
    """`default`, or `ID=SOCKET`, or `ID=KEY[,KEY]`: docker buildx build, `--ssh`."""
    ident, equals, paths = text.partition("=")
    if not equals:
        socket = os.environ.get("SSH_AUTH_SOCK", "")
        if not socket:
            raise CommandFailed(f"ERROR: --ssh {text}: there is no agent: SSH_AUTH_SOCK is not set")
        held.agents[ident] = socket
        return
    import stat

    keys = []
    for path in paths.split(","):
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116
        except OSError as error:
            raise CommandFailed(f"ERROR: --ssh {ident}: {path}: {(error.strerror or '').lower()}") from error
        if stat.S_ISSOCK(mode):
            held.agents[ident] = path
        else:
            keys.append(path)
    if keys and ident in held.agents:
        raise CommandFailed(f"ERROR: --ssh {ident}: give the socket of an agent, or keys, not both")
    if keys:
        held.keys[ident] = keys
