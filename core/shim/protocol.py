"""The words between engine and shim.

Over a SEQPACKET link (the job's reply socket first, later a connection to `shim.sock`; the newest wins) go

    requests   engine -> shim   {"op": NAME, "n": N, ...} + descriptors
    answers    shim -> engine   {"re": N, ...} or {"re": N, "error": {...}}
    events     shim -> engine   {"event": NAME, "seq": N, ...}; `log` comes without seq
    ack        engine -> shim   {"op": "ack", "seq": N}, unanswered: everything up to N is stored

`early` is bytes as Latin-1 text, `detach_keys` bytes as numbers (null = Docker's, [] = none).

| op | members | descriptors | answer |
| --- | --- | --- | --- |
| hello | version | | version, state; unacknowledged events follow |
| attach | stdin stdout stderr detach_keys history viewer head early | client | |
| start | | netns or none | pid started_at, or an error (then the event `failed` came too) |
| resize | height width exec? | | |
| signal | signal final | | |
| exec | exec process user groups tty stdin detach_keys viewer early limit | client or none | pid |
| attach-exec | exec, and those of attach | client | |
| watch-log | on | | |
| update | restart | | |
| netns | | | + netns |
| ack | seq | | none |

| event | members |
| --- | --- |
| started | pid started_at restart_count |
| failed | error |
| exited | exit_code oom finished_at error? restarting_in (seconds, null = this was the last) |
| oom | |
| exec-exited | exec exit_code |
| detached | |
| log | |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.errors import InvalidArgument
from core.shim.restart import RestartPolicy

VERSION = 1
SPOKEN = (1,)  # shims outlive an upgrade: the last two versions are spoken


@dataclass(frozen=True, slots=True)
class RootfsConfig:
    """The overlay: `lower` is top first; `upper` and `work` None = read-only. See `mount_overlay`."""

    lower: tuple[str, ...]
    upper: str | None = None
    work: str | None = None
    volatile: bool = False


@dataclass(frozen=True, slots=True)
class ShimConfig:
    """Everything a shim is told once. `own_pids`: the specification asks for a new pid namespace."""

    id: str
    bundle: str
    run: str
    journal: str
    rootfs: RootfsConfig
    log: str | None = None
    log_max_size: int = 0
    log_max_file: int = 1
    log_compress: bool = False
    user: str = ""
    groups: tuple[str, ...] = ()
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    restart_count: int = 0
    stop_signal: int = 15
    default_home: bool = True
    cgroup: str = ""
    own_pids: bool = False

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> ShimConfig:
        """The arguments of the job `shim`. Raises InvalidArgument."""
        try:
            rootfs = message["rootfs"]
            members = {name: message[name] for name in cls.__slots__ if message.get(name) is not None}
            members["rootfs"] = RootfsConfig(
                tuple(rootfs["lower"]), rootfs.get("upper"), rootfs.get("work"), bool(rootfs.get("volatile"))
            )
            members["groups"] = tuple(map(str, members.get("groups", ())))
            members["restart"] = policy(message.get("restart") or {})
            return cls(**members)
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidArgument(f"read shim configuration: {error!r}") from error


def policy(message: dict[str, Any]) -> RestartPolicy:
    """`{"name", "max"}` as a policy."""
    return RestartPolicy(str(message.get("name") or "no"), int(message.get("max") or 0))
