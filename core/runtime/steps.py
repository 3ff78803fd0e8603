"""What init may be told to do: one frozen class a step. A plan is a tuple of these; printing one shows everything.

`str(step)` is verb and object, the front of the line a user reads when the step fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from core.runtime.options import UNCHANGED, Attributes


class Step:
    """A thing init does. It holds no decision any more."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Join(Step):
    """Enter an existing namespace."""

    kind: str
    path: str

    def __str__(self) -> str:
        return f"join {self.kind} namespace {self.path}"


@dataclass(frozen=True, slots=True)
class Unshare(Step):
    """Make new namespaces, all at once."""

    kinds: tuple[str, ...]

    def __str__(self) -> str:
        return f"make new {' and '.join(self.kinds)} namespace"


@dataclass(frozen=True, slots=True)
class OpenRoot(Step):
    """Cut off propagation to the host and take hold of the root file system."""

    def __str__(self) -> str:
        return "open root file system"


@dataclass(frozen=True, slots=True)
class MakeMount(Step):
    """Mount a new file system. `ordinary`: the destination must not be reached through a symbolic link."""

    destination: str
    fstype: str
    source: str
    data: tuple[tuple[str, str | None], ...] = ()
    attributes: Attributes = UNCHANGED
    ordinary: bool = False

    def __str__(self) -> str:
        return f"mount {self.fstype} at {self.destination}"


@dataclass(frozen=True, slots=True)
class BindMount(Step):
    """Mount a file or folder of the host. `in_proc`: it may cover a file of the container's procfs."""

    destination: str
    source: str
    recursive: bool = False
    attributes: Attributes = UNCHANGED
    in_proc: bool = False

    def __str__(self) -> str:
        return f"mount {self.source} at {self.destination}"


@dataclass(frozen=True, slots=True)
class MakeNode(Step):
    """Make a device node, or find it there."""

    path: str
    type: str
    major: int
    minor: int
    mode: int
    uid: int = 0
    gid: int = 0

    def __str__(self) -> str:
        return f"make device {self.path}"


@dataclass(frozen=True, slots=True)
class MakeLink(Step):
    """Make a symbolic link unless something is there."""

    path: str
    target: str

    def __str__(self) -> str:
        return f"make link {self.path}"


@dataclass(frozen=True, slots=True)
class OpenConsole(Step):
    """Open a terminal in the container's own devpts, send its master to the launcher; `show` it as /dev/console.

    `utf8` = what is typed there is UTF-8.
    """

    uid: int = 0
    height: int = 0
    width: int = 0
    show: bool = True
    utf8: bool = True

    def __str__(self) -> str:
        return "open terminal"


@dataclass(frozen=True, slots=True)
class MakeFolder(Step):
    """Make a folder and those above it."""

    path: str

    def __str__(self) -> str:
        return f"mkdir {self.path}"


@dataclass(frozen=True, slots=True)
class Protect(Step):
    """Mount a path over itself, read-only."""

    path: str

    def __str__(self) -> str:
        return f"make {self.path} read-only"


@dataclass(frozen=True, slots=True)
class Mask(Step):
    """Cover a folder with an empty one, anything else with the host's null device."""

    path: str

    def __str__(self) -> str:
        return f"mask {self.path}"


@dataclass(frozen=True, slots=True)
class SealRoot(Step):
    """Change the mount of the root itself: read-only, propagation."""

    attributes: Attributes

    def __str__(self) -> str:
        return "change mount of root file system"


@dataclass(frozen=True, slots=True)
class PivotRoot(Step):
    """Make it the root and let the host's go."""

    def __str__(self) -> str:
        return "pivot root"


@dataclass(frozen=True, slots=True)
class SetHostname(Step):
    """Set host name and domain name; "" = leave."""

    hostname: str
    domainname: str

    def __str__(self) -> str:
        return f"set hostname {self.hostname}"


@dataclass(frozen=True, slots=True)
class SetSysctl(Step):
    """Write below sys/ of a procfs that nobody else has mounted."""

    path: str
    value: str

    def __str__(self) -> str:
        return f"set sysctl {self.path.replace('/', '.')}"


@dataclass(frozen=True, slots=True)
class NewSession(Step):
    """A session of its own, with the terminal as the controlling one where there is one; a new keyring."""

    def __str__(self) -> str:
        return "begin session"


@dataclass(frozen=True, slots=True)
class SetLimit(Step):
    """Set a resource limit, as far as we may raise it. -1 = unlimited."""

    name: str
    resource: int
    soft: int
    hard: int

    def __str__(self) -> str:
        return f"set limit {self.name}"


@dataclass(frozen=True, slots=True)
class EnterFolder(Step):
    """Change into the working directory, which must lie inside."""

    path: str

    def __str__(self) -> str:
        return f"change into {self.path}"


@dataclass(frozen=True, slots=True)
class NoNewPrivs(Step):
    """Give up gaining privileges by execve."""

    def __str__(self) -> str:
        return "set no_new_privs"


@dataclass(frozen=True, slots=True)
class LoadFilter(Step):
    """Load a seccomp filter."""

    program: bytes = field(repr=False)
    flags: int = 0

    def __str__(self) -> str:
        return f"load seccomp filter of {len(self.program) // 8} instructions"


@dataclass(frozen=True, slots=True)
class BecomeUser(Step):
    """Bounding set, groups, ids and the other capability sets (bit sets), in the order the kernel needs."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    bounding: int
    effective: int
    permitted: int
    inheritable: int
    ambient: int
    umask: int = 0o022

    def __str__(self) -> str:
        return f"become user {self.uid}:{self.gid}"


@dataclass(frozen=True, slots=True)
class FindProgram(Step):
    """Look the program up as the user who will run it."""

    name: str
    search: tuple[str, ...]

    def __str__(self) -> str:
        return f'exec: "{self.name}"'


@dataclass(frozen=True, slots=True)
class WaitAtGate(Step):
    """Tell that everything is ready; go on when somebody connects to the gate."""

    def __str__(self) -> str:
        return "wait for start"


@dataclass(frozen=True, slots=True)
class Execute(Step):
    """Become the program."""

    args: tuple[bytes, ...]
    env: tuple[tuple[bytes, bytes], ...] = field(repr=False)

    def __str__(self) -> str:
        return f"exec {self.args[0].decode('utf-8', 'replace')}"


@dataclass(frozen=True, slots=True)
class ExecuteUnder(Step):
    """Become `init`, the container's first process, which starts the program as its child: `--init`."""

    init: str
    args: tuple[bytes, ...]
    env: tuple[tuple[bytes, bytes], ...] = field(repr=False)

    def __str__(self) -> str:
        return f"exec {self.init}"


Plan = tuple[Step, ...]
