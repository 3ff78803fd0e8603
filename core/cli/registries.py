"""What the verbs that speak to registries have in common: names, and whose credentials go along."""

from __future__ import annotations

from core.cli import progress
from core.cli.context import Context, warn
from core.cli.failure import CommandFailed
from core.client.credentials import ConfigFile, hostname, key_of
from core.errors import EngineError, InvalidArgument
from core.model.registry import Credentials
from core.oci.reference import Reference
from core.wire.credentials import HEADER, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from core.client.address import Query


def parse(name: str) -> Reference:
    """Raises CommandFailed with Docker's words."""
    try:
        return Reference.parse(name)
    except InvalidArgument as error:
        raise CommandFailed(error.message) from error


def tagged(name: str, *, all_tags: bool, quiet: bool) -> Reference:
    """The reference that `pull` or `push` means by `name`. Raises CommandFailed."""
    reference = parse(name)
    if all_tags:
        if reference.tag or reference.digest:
            raise CommandFailed("tag can't be used with --all-tags/-a")
        return reference
    if not (reference.tag or reference.digest):
        reference = reference.with_default_tag()
        if not quiet:
            print(f"Using default tag: {reference.tag}", flush=True)
    return reference


def fetch(
    context: Context, reference: Reference, *, platform: str = "", quiet: bool = False, to_stderr: bool = False
) -> None:
    """Have the engine pull `reference`; no tag and no digest = every tag. Raises EngineError, CommandFailed."""
    query: Query = {
        "fromImage": reference.familiar_name,  # a short name may stand for another registry's at the engine
        "tag": str(reference.digest or reference.tag or "") or None,
        "platform": platform.lower() or None,
    }
    headers = headers_for(reference.domain)
    response = context.engine.open("POST", "/images/create", query, headers=headers)
    progress.follow(response.values(), quiet=quiet, plain=True, to_stderr=to_stderr)


def headers_for(server: str) -> dict[str, str]:
    """The header that brings the user's credentials for a registry along; it is there for who has none too.

    Engines before API 1.44 refuse a push without one. A configuration that cannot be read is told, and does not
    keep anybody from what is public.
    """
    try:
        found = ConfigFile.load().find(server)
    except InvalidArgument as error:
        warn(f"WARNING: {error}")
        found = None
    return {HEADER: encode(found or Credentials())}


def server_of(asked: str) -> str:
    """The server that a user names for `login` and `logout`, "" = Docker Hub, as it is told to the engine."""
    key = key_of(asked)
    return key if hostname(key) != key else asked


def stored(server: str) -> Credentials | None:
    """What is kept for a server already; None too where that cannot be read."""
    try:
        return ConfigFile.load().find(server)
    except EngineError:
        return None
