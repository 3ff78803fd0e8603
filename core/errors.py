"""The one error tree. The class says what the caller does next; the leaf says what happened.

    EngineError(message, *, detail=None)            status 500, exit code 125
    ├─ InvalidArgument 400 ─ BadReference · InvalidSpec · BadArchive
    ├─ Unauthorized 401 · Forbidden 403
    ├─ NotFound 404 ─ NoSuchContainer · NoSuchImage · NoSuchNetwork · NoSuchVolume · NoSuchExec · NoSuchPath
    ├─ NotModified 304
    ├─ Conflict 409 ─ NameInUse · ImageInUse · VolumeInUse · WrongState
    ├─ Unavailable 503 ─ EngineUnreachable · ShimGone · ZygoteGone
    ├─ Unsupported 501 ─ KernelLacks(hint)
    ├─ DataLoss 500 ─ DigestMismatch · CorruptStore
    └─ SystemFailure 500 ─ SyscallFailed · InitFailed(exit 126/127 where the exec failed)

`str(error)` is one line without a traceback: lower case, verb + object + reason, no full stop.
Between processes an error travels as the JSON of `to_wire` and is raised again by `from_wire`
from a fixed table, never by pickle.
"""

from __future__ import annotations

import errno as errno_names
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar


class EngineError(Exception):
    """Root of the tree. `status` is the HTTP status, `exit_code` what a CLI ends with by default."""

    status: ClassVar[int] = 500
    exit_code: int = 125

    def __init__(self, message: str, *, detail: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail

    def __str__(self) -> str:
        return self.message


class InvalidArgument(EngineError):
    """The caller must change what was asked."""

    status = 400


class BadReference(InvalidArgument):
    """An image reference does not parse."""


class InvalidSpec(InvalidArgument):
    """A container or runtime configuration is not acceptable."""


class BadArchive(InvalidArgument):
    """An image archive, layer or rootfs tar lies, is truncated or is of another kind."""


class Unauthorized(EngineError):
    """Credentials are missing or wrong."""

    status = 401


class Forbidden(EngineError):
    """The caller may not do this."""

    status = 403


class NotFound(EngineError):
    """What was named does not exist."""

    status = 404


class NoSuchContainer(NotFound):
    """No container has this id, id prefix or name."""


class NoSuchImage(NotFound):
    """No image has this id, id prefix or reference."""


class NoSuchNetwork(NotFound):
    """No network has this id or name."""


class NoSuchVolume(NotFound):
    """No volume has this name."""


class NoSuchExec(NotFound):
    """No exec instance has this id."""


class NoSuchPath(NotFound):
    """A path inside a container or image does not exist."""


class NotModified(EngineError):
    """The thing is already in the wanted state."""

    status = 304


class Conflict(EngineError):
    """The state of the thing does not allow this now."""

    status = 409


class NameInUse(Conflict):
    """The name belongs to something else."""


class ImageInUse(Conflict):
    """A container still needs the image."""


class VolumeInUse(Conflict):
    """A container still needs the volume."""


class WrongState(Conflict):
    """The container is not in a state that allows this."""


class Unavailable(EngineError):
    """The other side is away; trying again may help."""

    status = 503


class EngineUnreachable(Unavailable):
    """No engine answers and none could be started."""


class ShimGone(Unavailable):
    """A container's shim no longer answers."""


class ZygoteGone(Unavailable):
    """The zygote no longer answers."""


class Unsupported(EngineError):
    """Not something this engine, or this kernel, can do."""

    status = 501


class KernelLacks(Unsupported):
    """The running kernel lacks a feature; the message names it and what helps."""


class DataLoss(EngineError):
    """Stored or received bytes are not what they should be."""


class DigestMismatch(DataLoss):
    """Content does not hash to its digest."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"content does not match its digest: want {expected}, got {got}")


class CorruptStore(DataLoss):
    """A file of the store is damaged; the message names it."""


class SystemFailure(EngineError):
    """The kernel refused."""


class DiskFull(SystemFailure):
    """There is no room left where the engine keeps its state."""


class SyscallFailed(SystemFailure):
    """A system call failed while `op` was being done to `path`. `errno` is the kernel's number."""

    def __init__(self, op: str, path: str, errno: int) -> None:
        reason = os.strerror(errno).lower() if errno else "unknown error"
        super().__init__(f"{op} {path}: {reason}" if path else f"{op}: {reason}")
        self.op = op
        self.path = path
        self.errno = errno

    @classmethod
    def of(cls, op: str, error: OSError) -> SyscallFailed:
        """The failure that `error` reports, with `op` (verb and object) in front."""
        return cls(op, str(error.filename or ""), error.errno or errno_names.EIO)


class InitFailed(SystemFailure):
    """The container's first process could not be started.

    `exit_code` is 127 where the program was not found, 126 where it may not be executed, else 125.
    These three are the caller's doing more often than the kernel's, so the status is 400 as Docker's is.
    """

    status = 400

    def __init__(self, message: str, *, exit_code: int = 125, detail: str | None = None) -> None:
        super().__init__(message, detail=detail)
        self.exit_code = exit_code


def _tree(root: type[EngineError]) -> dict[str, type[EngineError]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found.update(_tree(child))
    return found


def to_wire(error: BaseException) -> dict[str, Any]:
    """`error` as JSON for another process: `{kind, message, detail?, op?, path?, errno?, exit_code?}`."""
    if isinstance(error, OSError):
        error = SyscallFailed.of("system call failed on", error)
    if not isinstance(error, EngineError):
        return {"kind": "EngineError", "message": f"{type(error).__name__}: {error}"}
    wire: dict[str, Any] = {"kind": type(error).__name__, "message": error.message}
    if error.detail:
        wire["detail"] = error.detail
    if isinstance(error, SyscallFailed):
        wire |= {"op": error.op, "path": error.path, "errno": error.errno}
    if isinstance(error, InitFailed):
        wire["exit_code"] = error.exit_code
    return wire


def from_wire(wire: dict[str, Any]) -> EngineError:
    """The error that `to_wire` described; an unknown kind becomes a plain EngineError."""
    message = str(wire.get("message", "unknown failure"))
    kind = _tree(EngineError).get(str(wire.get("kind")), EngineError)
    if kind is SyscallFailed:
        return SyscallFailed(str(wire.get("op", "")), str(wire.get("path", "")), int(wire.get("errno", 0)))
    if kind is InitFailed:
        return InitFailed(message, exit_code=int(wire.get("exit_code", 125)), detail=wire.get("detail"))
    if kind is DigestMismatch:
        return DataLoss(message)
    return kind(message, detail=wire.get("detail"))
