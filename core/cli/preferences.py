"""What the user's configuration of Docker's clients prefers, where no flag says otherwise.

The same `config.json` as the logins' (docs.docker.com/reference/cli/docker, "configuration files"): `detachKeys`,
`psFormat`, `imagesFormat`, `volumesFormat`, `networksFormat`, `statsFormat`.
"""

from __future__ import annotations

import os

from core.cli.context import warn
from core.client import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.cli.parser import Arguments


def detach_keys(given: Arguments) -> str:
    """`--detach-keys`, else `detachKeys`; "" = the default."""
    return given.text("detach-keys") or preferred("detachKeys")


def template(given: Arguments, kind: str) -> str:
    """`--format`, else the format kept for a `kind` of list (`ps`, `images`, …); "" = the table."""
    quiet = "quiet" in given.names and given.on("quiet")
    return given.text("format") or ("" if quiet else preferred(f"{kind}Format"))


def preferred(name: str) -> str:
    """One text of the file; "" where there is none. A file that cannot be read costs a warning, as with Docker."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")  # noqa: PTH111  # pathlib: 4 ms
    path = f"{folder}/config.json"
    try:
        with open(path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        warn(f"WARNING: Error loading config file: {path}: {(error.strerror or str(error)).lower()}")
        return ""
    try:
        document = jsontext.loads(data)
    except (ValueError, RecursionError) as error:
        warn(f"WARNING: Error loading config file: {path}: {error}")
        return ""
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""
