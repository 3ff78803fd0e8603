"""A registry's refusal in Docker's words. moby distribution/errors.go."""

from __future__ import annotations

from core.errors import EngineError, NoSuchImage, NotFound, Unauthorized
from core.oci.reference import Reference
from core.registry.answers import NoCredentials, Refused, redact


def explain(error: Refused, pulled: Reference | None) -> EngineError:
    """What a user is told. `pulled` = the name, where something was to come from a registry; None for a push."""
    if isinstance(error, NoCredentials) and pulled is not None:
        # Docker looks a tag up by HEAD first.
        method = "Head" if "/manifests/" in error.url and not pulled.digest else "Get"
        return Unauthorized(f'{method} "{redact(error.url)}": {error.message}')
    if pulled is None:
        return Unauthorized(error.message) if error.http_status in (401, 403) else error.plain()
    if error.code == "DENIED" or error.http_status == 403:
        message = error.message if error.code else f"denied: {error.message.removeprefix('denied: ')}"
        return NotFound(
            f"pull access denied for {pulled.familiar_name}, repository does not exist or may require "
            f"'docker login': {message}"
        )
    if error.code == "NAME_UNKNOWN":
        return NotFound(f"repository {pulled.familiar_name} not found: {error.message}")
    if error.code == "MANIFEST_UNKNOWN" or (error.http_status == 404 and "/manifests/" in error.url):
        shown = pulled.with_default_tag().familiar
        return NoSuchImage(f"manifest for {shown} not found: {error.message}")
    return error.plain()
