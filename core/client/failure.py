"""What an engine's HTTP status says to a client: the error class that says what to do next."""

from __future__ import annotations

from core.client import jsontext
from core.errors import (
    Conflict,
    EngineError,
    Forbidden,
    InvalidArgument,
    NotFound,
    NotModified,
    Unauthorized,
    Unavailable,
    Unsupported,
)

_BY_STATUS: dict[int, type[EngineError]] = {
    304: NotModified,
    400: InvalidArgument,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    501: Unsupported,
    503: Unavailable,
}


def failure(status: int, body: bytes) -> EngineError:
    """The error of an answer with this status and this body (`{"message": TEXT}`)."""
    try:
        message = str(jsontext.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = body.decode("utf-8", "replace").strip() or f"the engine answered with status {status}"
    return _BY_STATUS.get(status, EngineError)(message)
