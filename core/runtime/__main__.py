"""`python -m core.runtime`: the OCI command line that podman and other callers of runc know."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from core.errors import EngineError, SyscallFailed
from core.oci.runtime import Process, User, decode
from core.runtime import lifecycle
from core.runtime.lifecycle import Streams
from core.runtime.state import States

VERSION = "onggi runtime 0.1.0\nspec: 1.1.0"


def parser() -> argparse.ArgumentParser:
    """The grammar; options before the verb are those of runc."""
    top = argparse.ArgumentParser(prog="python -m core.runtime")
    top.add_argument("--version", action="version", version=VERSION)
    top.add_argument("--root", default="/run/onggi-runtime", help="folder for state")
    top.add_argument("--log", default="", help="file for errors")
    top.add_argument("--log-format", choices=("text", "json"), default="text")
    top.add_argument("--debug", action="store_true")
    top.add_argument("--systemd-cgroup", action="store_true")
    verbs = top.add_subparsers(dest="verb", required=True)
    create = verbs.add_parser("create", help="make a container that waits for its start")
    create.add_argument("--bundle", "-b", default=".")
    create.add_argument("--no-pivot", action="store_true")
    _add_streams(create)
    start = verbs.add_parser("start", help="let its program run")
    state = verbs.add_parser("state", help="print its state")
    kill = verbs.add_parser("kill", help="send a signal")
    kill.add_argument("--all", "-a", action="store_true")
    delete = verbs.add_parser("delete", help="remove it")
    delete.add_argument("--force", "-f", action="store_true")
    execute = verbs.add_parser("exec", help="run one more process in it")
    execute.add_argument("--process", "-p", default="")
    execute.add_argument("--detach", "-d", action="store_true")
    execute.add_argument("--cwd", default="/")
    execute.add_argument("--user", "-u", default="0:0", help="numbers")
    execute.add_argument("--tty", "-t", action="store_true")
    execute.add_argument("--env", "-e", action="append", default=[])
    _add_streams(execute)
    for verb in (create, start, state, kill, delete, execute):
        verb.add_argument("id")
    kill.add_argument("signal", nargs="?", default="TERM")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    return top


def _add_streams(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--console-socket", default="")
    verb.add_argument("--pid-file", default="")
    verb.add_argument("--preserve-fds", type=int, default=0)


def main(arguments: list[str]) -> int:
    """Run one verb; the exit code."""
    asked = parser().parse_args(arguments)
    try:
        if asked.systemd_cgroup:
            raise EngineError("cgroups by systemd are not supported, use cgroupfs")
        return _run(asked)
    except OSError as error:
        return _report(asked, SyscallFailed.of(asked.verb, error))
    except EngineError as error:
        return _report(asked, error)


def _run(asked: argparse.Namespace) -> int:
    states = States(asked.root)
    if asked.verb == "create":
        lifecycle.create(states, asked.id, asked.bundle, _streams(asked))
    elif asked.verb == "start":
        lifecycle.start(states, asked.id)
    elif asked.verb == "state":
        print(json.dumps(states.load(asked.id).to_oci(), indent=2))
    elif asked.verb == "kill":
        lifecycle.kill(states, asked.id, asked.signal, everything=asked.all)
    elif asked.verb == "delete":
        lifecycle.delete(states, asked.id, force=asked.force)
    else:
        return lifecycle.execute(states, asked.id, _process(asked), _streams(asked), detach=asked.detach)
    return 0


def _streams(asked: argparse.Namespace) -> Streams:
    return Streams(asked.console_socket, asked.pid_file, asked.preserve_fds)


def _process(asked: argparse.Namespace) -> Process:
    if asked.process:
        with open(asked.process, "rb") as file:
            return decode(json.load(file), Process, "process")
    uid, _, gid = asked.user.partition(":")
    user = User(int(uid), int(gid or 0))
    return Process(tuple(asked.command), asked.cwd, tuple(asked.env), asked.tty, user=user)


def _report(asked: argparse.Namespace, error: EngineError) -> int:
    """One line on stderr and, where asked for, in the log, in the form that callers of runc parse."""
    print(error, file=sys.stderr)
    if asked.log:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"level": "error", "msg": str(error), "time": moment})
        if asked.log_format == "text":
            line = f'time="{moment}" level=error msg={json.dumps(str(error))}'
        fd = os.open(asked.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(fd, "w", encoding="utf-8") as file:
            file.write(line + "\n")
    return error.exit_code if asked.verb == "exec" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
