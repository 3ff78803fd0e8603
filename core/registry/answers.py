"""What a registry says when it refuses, and what cannot be said at all: one error of ours, in Docker's words.

distribution-spec, "Error codes": `{"errors": [{"code", "message", "detail"}]}`.
"""

from __future__ import annotations

import re
import socket
import ssl
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

import msgspec

from core.errors import EngineError, Forbidden, NotFound, Unauthorized, Unavailable, Unsupported

_SHOWN = 500  # characters of what others say
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Refused(EngineError):
    """A registry's refusal, not yet in the words of what was asked. `code` as MANIFEST_UNKNOWN, "" = none."""

    def __init__(self, http_status: int, code: str, message: str, url: str) -> None:
        super().__init__(f"{code.lower().replace('_', ' ')}: {message}" if code else message)
        self.http_status = http_status
        self.code = code
        self.url = url

    def plain(self) -> EngineError:
        """As an error of the tree, for whoever has no better words."""
        kinds: dict[int, type[EngineError]] = {401: Unauthorized, 403: Forbidden, 404: NotFound, 405: Unsupported}
        if self.http_status in kinds:
            return kinds[self.http_status](self.message)
        if self.http_status == 429:
            return Unavailable(f"toomanyrequests: {self.message.removeprefix('toomanyrequests: ')}")
        return Unavailable(self.message)


class NoCredentials(Refused):
    """A registry asks for a name and a password, and nobody has given any."""

    def __init__(self, url: str) -> None:
        super().__init__(401, "", "no basic auth credentials", url)


class _One(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct):
    errors: list[_One] = []
    details: str = ""  # the token servers' form
    message: str = ""


def refusal(status: int, body: bytes, url: str) -> Refused:
    """What an answer of `status` (400 and above) with `body` means."""
    code, message = "", ""
    try:
        said = msgspec.json.decode(body, type=_Errors)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        said = _Errors()
    if said.errors:
        code = said.errors[0].code if re.fullmatch(r"[A-Z_]{1,64}", said.errors[0].code) else ""
        message = said.errors[0].message
    message = shown(message or said.details or said.message)
    if not message:
        words = {401: "unauthorized: authentication required", 403: "denied: requested access is denied"}
        message = words.get(status, f"received unexpected HTTP status: {status} {_phrase(status)}".rstrip())
    return Refused(status, code, message, url)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def shown(text: str) -> str:
    """What somebody else said, fit for one line of ours."""
    return _CONTROL.sub(" ", text).strip()[:_SHOWN]


def redact(url: str) -> str:
    """`url` without what may be a secret: user, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def unreachable(method: str, url: str, error: BaseException) -> Unavailable:
    """Nothing came back: `Get "https://host/v2/": dial tcp: …`, as Go's client has it."""
    return Unavailable(f'{method.capitalize()} "{redact(url)}": {_reason(url, error)}')


def tls_error(error: BaseException) -> ssl.SSLError | None:
    """The TLS failure among the causes of `error`."""
    waiting = (ssl.SSLWantReadError, ssl.SSLWantWriteError)  # of a time-out
    found = (one for one in _causes(error) if isinstance(one, ssl.SSLError) and not isinstance(one, waiting))
    return next(found, None)


def is_plain_answer(error: BaseException) -> bool:
    """Whether TLS failed because the other side does not speak it."""
    found = tls_error(error)
    plain = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL")
    return found is not None and any(word in str(found).upper().replace(" ", "_") for word in plain)


def _reason(url: str, error: BaseException) -> str:
    host = urlsplit(url).hostname or ""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            if cause.verify_code in (18, 19, 20, 21):
                return "x509: certificate signed by unknown authority"
            return f"x509: {shown(cause.verify_message)}"
        if isinstance(cause, ssl.SSLError) and cause is tls_error(cause):
            if is_plain_answer(cause):
                return "http: server gave HTTP response to HTTPS client"
            return f"tls: {shown(cause.reason or str(cause)).lower().replace('_', ' ')}"
        if isinstance(cause, socket.gaierror):
            return f"dial tcp: lookup {host}: no such host"
        if isinstance(cause, ConnectionRefusedError):
            return f"dial tcp {host}:{_port(url)}: connect: connection refused"
        if isinstance(cause, ConnectionResetError):
            return "read: connection reset by peer"
    kind = type(error).__name__
    if "Timeout" in kind:
        waiting = "Client.Timeout exceeded while awaiting headers" if "Read" in kind else "i/o timeout"
        return f"net/http: request canceled ({waiting})"
    text = shown(str(error))
    if "All connection attempts failed" in text:
        return f"dial tcp {host}:{_port(url)}: connect: connection refused"
    return text or "unexpected EOF"


def _port(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (80 if parts.scheme == "http" else 443)


def _causes(error: BaseException) -> list[BaseException]:
    """`error`, what it came of, and so on, each once."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or one in found:
            continue
        found.append(one)
        waiting += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            waiting += list(one.exceptions)
    return found
