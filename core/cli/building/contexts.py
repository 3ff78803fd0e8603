"""`--build-context NAME=WHERE`: what of it is elsewhere is fetched by its user, before the build."""

from __future__ import annotations

import contextlib
from pathlib import Path

from core.cli.failure import CommandFailed
from core.client.buildcontext import ARCHIVE, IMAGE
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.client.transport import Client

LAYOUT = "oci-layout://"
_USE = "a folder, a git repository, the URL of an archive, docker-image://REFERENCE or oci-layout://FOLDER[:TAG]"


def parsed(texts: list[str]) -> dict[str, str]:
    """By name. Raises CommandFailed."""
    found = {name: where for name, _, where in (text.partition("=") for text in texts)}
    if not all(name and where for name, where in found.items()):
        raise CommandFailed(f"ERROR: invalid build context: it is NAME=WHERE, where is {_USE}")
    return found


@contextlib.contextmanager
def fetched(engine: Client, texts: list[str]) -> Iterator[dict[str, str]]:
    """Folders, archives (`archive://PATH`) and images by name, while inside. Raises CommandFailed."""
    with contextlib.ExitStack() as undo:
        yield {name: _fetched(engine, name, where, undo) for name, where in parsed(texts).items()}


def _fetched(engine: Client, name: str, where: str, undo: contextlib.ExitStack) -> str:
    if where.startswith(IMAGE) or (":" not in where and not where.startswith("github.com/")):
        return where
    from core.client import remotecontext

    try:
        if where.startswith(LAYOUT):
            return IMAGE + _loaded(engine, where.removeprefix(LAYOUT))
        if Path(where).is_dir():
            return where
        if remotecontext.is_git(where):
            return undo.enter_context(remotecontext.cloned(where))
        if remotecontext.is_url(where):
            return ARCHIVE + undo.enter_context(_downloaded(where))
    except EngineError as error:
        raise CommandFailed(f"ERROR: failed to get build context {name}: {error.message}") from error
    return where


@contextlib.contextmanager
def _downloaded(url: str) -> Iterator[str]:
    """The path of the archive that a URL has, while inside. The engine unpacks it, in a place of its own."""
    import shutil
    import tempfile

    from core.client.remotecontext import downloaded
    from core.errors import InvalidArgument

    file, is_archive = downloaded(url)
    with file, tempfile.NamedTemporaryFile(prefix="onggi-context-") as kept:
        if not is_archive:
            raise InvalidArgument(f"{url} is not an archive")
        shutil.copyfileobj(file, kept)
        kept.flush()
        yield kept.name


def _loaded(engine: Client, where: str) -> str:
    """The id of an image in an OCI layout, which is loaded without a name. Raises InvalidArgument."""
    from core.client.layouts import chosen
    from core.errors import InvalidArgument

    with chosen(where) as archive:
        answer = engine.open("POST", "/images/load", {"quiet": "1"}, archive)
        said: list[Mapping[str, str]] = list(answer.values())
    for line in said:
        found = str(line.get("stream", "")).strip().rpartition("Loaded image ID: ")[2]
        if found.startswith("sha256:"):
            return found
    raise InvalidArgument(f"{where} holds no image that could be loaded: {said[-1:] or ''}")
