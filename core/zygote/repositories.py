"""The job `clone-repository`: git on behalf of a Dockerfile, which must not get more than files out of it.

git runs as nobody, without privileges it could gain, in process and mount namespaces of its own where the only
folder to write to is the one it clones into; without hooks, filters and settings of anybody's, over protocols that
run no programs, and never longer or larger than it may. What it leaves becomes root's, with the commit's own time.
"""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import stat
import time
from typing import Any, NoReturn

from core.dockerfile.giturl import reason
from core.errors import InvalidArgument, SyscallFailed, Unavailable
from core.linux.constants import (
    CLONE_NEWIPC,
    CLONE_NEWNS,
    CLONE_NEWPID,
    MS_BIND,
    MS_NODEV,
    MS_NOSUID,
    MS_PRIVATE,
    MS_REC,
    MS_REMOUNT,
    RESOLVE_BENEATH,
    RESOLVE_NO_SYMLINKS,
)
from core.linux.process import set_no_new_privs, set_parent_death_signal
from core.linux.syscalls import mount, openat2, setns, unshare
from core.storage.tree import remove_tree

NOBODY = 65534
SECONDS = 300.0  # for all of it
MEMORY = 4 << 30  # bytes of address space of one git; it maps the packs it reads
OUTPUT = 64 << 10  # bytes of what it says
RESERVE = 64 << 20  # bytes of the disk that stay free
_HOME = "/tmp"  # where it sees its folder
_CLONE, RESULT, AGENT = "clone", "tree", "agent"  # in the folder; the last is the socket of an ssh agent, if any
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_PROTOCOLS = "git:http:https:ssh"
_SETTINGS = (
    "protocol.allow=never", "protocol.git.allow=always", "protocol.http.allow=always",
    "protocol.https.allow=always", "protocol.ssh.allow=always", "core.hooksPath=/dev/null", "core.fsmonitor=false",
    "core.attributesFile=/dev/null", "core.protectHFS=true", "core.protectNTFS=true", "credential.helper=",
    "advice.detachedHead=false", "init.defaultBranch=main", "gc.auto=0", "maintenance.auto=false",
    "core.packedGitLimit=512m", "core.packedGitWindowSize=32m", "pack.threads=1", "submodule.recurse=false",
)  # fmt: skip
_SSH = (
    "ssh -F /dev/null -oBatchMode=yes -oStrictHostKeyChecking=accept-new -oUserKnownHostsFile=/dev/null"
    " -oForwardAgent=no -oClearAllForwardings=yes -oPermitLocalCommand=no"
)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def run_job(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """`url`, `ref`, `folder`, `keep`, `env` (proxies); `fds[0]` = an empty directory, afterwards with `tree` in it.

    Answers `{"commit"}`. Raises InvalidArgument, Unavailable with git's last word, SyscallFailed.
    """
    (home,) = fds
    try:
        git = _Git(home, {str(name): str(value) for name, value in args.get("env", {}).items()})
        commit, moment = _checked_out(git, str(args["url"]), str(args["ref"]))
        _take(home, str(args.get("folder", "")), keep=bool(args.get("keep")), moment=moment)
    except OSError as error:
        raise SyscallFailed.of("clone repository", error) from error
    return {"commit": commit}


def _checked_out(git: _Git, url: str, ref: str) -> tuple[str, int]:
    """The commit that `ref` means, its files beside; and its time, seconds since the epoch."""
    git.run("init", "-q", "--template=", ".")
    try:
        git.run("fetch", "-q", "--no-tags", "--depth=1", "--no-recurse-submodules", "--", url, ref)
        wanted = "FETCH_HEAD"
    except Unavailable as error:
        if "shallow" in error.message:  # a server of plain files
            git.run("fetch", "-q", "--no-tags", "--no-recurse-submodules", "--", url, ref)
            return _at(git, url, "FETCH_HEAD")
        if not _COMMIT.fullmatch(ref):  # a server gives away commits only where it wants to, and never short ones
            raise error
        everything = ("+refs/heads/*:refs/there/heads/*", "+refs/tags/*:refs/there/tags/*")
        git.run("fetch", "-q", "--no-tags", "--no-recurse-submodules", "--", url, *everything)
        wanted = ref
    return _at(git, url, wanted)


def _at(git: _Git, url: str, wanted: str) -> tuple[str, int]:
    commit = git.run("rev-parse", "--verify", "--end-of-options", f"{wanted}^{{commit}}").split()[-1]
    git.run("checkout", "-q", "--detach", commit)
    if git.has(".gitmodules"):
        settings = (f"remote.origin.url={url}",)  # what their own URLs may be relative to
        git.run("submodule", "-q", "update", "--init", "--recursive", "--depth=1", settings=settings)
    moment = git.run("show", "-s", "--format=%ct", commit).split()[-1]
    return commit, int(moment) if moment.isdigit() else 0


class _Git:
    """Runs git in its folder."""

    def __init__(self, home: int, env: dict[str, str]) -> None:
        self._home = home
        self._until = time.monotonic() + SECONDS
        self._processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        os.mkdir(_CLONE, 0o755, dir_fd=home)
        for name in (".", _CLONE):
            os.chown(name, NOBODY, NOBODY, dir_fd=home)
        unshare(CLONE_NEWNS | CLONE_NEWIPC)
        mount("", "/", "", MS_REC | MS_PRIVATE)
        # By its path: the descriptor belongs to the namespace that we have left. mount(2), EINVAL.
        mount(os.readlink(f"/proc/self/fd/{home}"), _HOME, "", MS_BIND)
        mount("", _HOME, "", MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV)
        self._env = {
            **env, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "/bin/false", "SSH_ASKPASS": "/bin/false",
            "GIT_ALLOW_PROTOCOL": _PROTOCOLS, "GIT_PROTOCOL_FROM_USER": "0", "GIT_SSH_COMMAND": _SSH,
            "GIT_LFS_SKIP_SMUDGE": "1", "SSH_AUTH_SOCK": f"{_HOME}/{AGENT}",
        }  # fmt: skip

    def has(self, name: str) -> bool:
        """Whether a file of this name was checked out."""
        try:
            return stat.S_ISREG(os.stat(f"{_CLONE}/{name}", dir_fd=self._home, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    def run(self, *words: str, settings: tuple[str, ...] = ()) -> str:
        """What one command says on stdout. Raises Unavailable with its last word where it fails."""
        reader, writer = os.pipe()
        unshare(CLONE_NEWPID)  # of what is forked next: git's own children end with it
        pid = os.fork()
        if pid:
            setns(self._processes, CLONE_NEWPID)  # back, so that the next one can be had
        else:
            self._execute(words, (*_SETTINGS, *settings), writer)
        os.close(writer)
        try:
            said = self._hear(reader, pid)
        finally:
            os.close(reader)
            os.kill(pid, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        text = said.decode("utf-8", "replace")
        if code:
            raise Unavailable(f"git {words[0]}: {reason(text) or f'it ended with {code}'}")
        return text

    def _hear(self, reader: int, pid: int) -> bytes:
        """All it says, up to its end; what takes too long, or too much of the disk, is ended."""
        said = b""
        while True:
            ready, _, _ = select.select([reader], [], [], 0.5)
            piece = os.read(reader, 1 << 16) if ready else None
            if piece == b"":
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
                return said
            said = (said + (piece or b""))[-OUTPUT:]
            disk = os.statvfs(self._home)
            if disk.f_bavail * disk.f_frsize < RESERVE:
                raise Unavailable("clone repository: no space left on device")
            if time.monotonic() > self._until:
                raise Unavailable(f"clone repository: it took longer than {int(SECONDS)} seconds")

    def _execute(self, words: tuple[str, ...], settings: tuple[str, ...], output: int) -> NoReturn:
        try:
            set_parent_death_signal(signal.SIGKILL)
            os.setsid()
            null = os.open("/dev/null", os.O_RDWR)
            for number, fd in ((0, null), (1, output), (2, output)):
                os.dup2(fd, number, inheritable=True)
            os.closerange(3, 1024)
            for kind, most in (
                (resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_NOFILE, 1024),
            ):  # fmt: skip
                resource.setrlimit(kind, (most, most))
            os.chdir(f"{_HOME}/{_CLONE}")
            os.umask(0o022)
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            set_no_new_privs()
            flags = [word for setting in settings for word in ("-c", setting)]
            os.execvpe("git", ["git", *flags, *words], self._env)
        except FileNotFoundError:
            os.write(2, b"fatal: git is not installed: it is needed for repositories\n")
        finally:
            os._exit(127)


def _take(home: int, folder: str, *, keep: bool, moment: int) -> None:
    """Have the folder as `tree`, root's, without what git keeps beside; no link of the repository is followed."""
    clone = openat2(home, _CLONE, _DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    if keep:
        for name in ("FETCH_HEAD", "ORIG_HEAD", "logs"):  # where the URL stands, with what it may say of secrets
            remove_tree(openat2(clone, ".git", _DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), name)
    else:
        remove_tree(clone, ".git")
    try:
        taken = openat2(clone, folder or ".", _DIRECTORY, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)
    except OSError as error:
        raise InvalidArgument(f"no such folder in the repository: {folder[:200]}") from error
    for _, folders, files, fd in os.fwalk(".", topdown=False, follow_symlinks=False, dir_fd=taken):
        for name in (*files, *folders):
            if name == ".git" and not keep:  # of a submodule: a file that says where
                remove_tree(fd, name)
                continue
            _make_roots(fd, name, moment)
    _make_roots(taken, ".", moment)
    os.rename(f"{_CLONE}/{folder}" if folder else _CLONE, RESULT, src_dir_fd=home, dst_dir_fd=home)
    if folder:
        remove_tree(home, _CLONE)
    os.chown(".", 0, 0, dir_fd=home)


def _make_roots(fd: int, name: str, moment: int) -> None:
    os.chown(name, 0, 0, dir_fd=fd, follow_symlinks=False)
    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        os.chmod(name, stat.S_IMODE(found.st_mode) & 0o755, dir_fd=fd)
    os.utime(name, (moment, moment), dir_fd=fd, follow_symlinks=False)
