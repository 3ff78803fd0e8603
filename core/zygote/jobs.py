"""The fixed table of what the zygote's children do. The functions live where the knowledge is.

A job gets its arguments and descriptors and gives an answer and descriptors; see `core.zygote.client` for
the caller's side. It runs in a forked child of its own: it may enter namespaces, and it may die.

| job | arguments | descriptors | answer |
| --- | --- | --- | --- |
| shim | core.shim.protocol.ShimConfig | | none: the reply socket becomes the shim's link |
| apply-layer | limit_bytes offset size recipe assembled | blob, target directory, file? | diff_id size recipe |
| clone-repository | url ref folder keep env | directory | commit |
| compare-layer | assembled | blob, directory? | digest diff_id size count differences damage |
| record-layer | offset size plain_digest | blob, directory, file | diff_id size recipe |
| copy-out | rootfs path flat | output | size |
| diff-layer | rootfs list adopt newest | output | size left_out contents |
| flatten-layers | layers lower | target directory | |
| stat-path | rootfs mounts path | | name size mode mtime_ns link |
| take-path | rootfs mounts path | output | size |
| put-path | rootfs mounts path user keep_kinds limit | tar | size |
| list-applets | path | | names |
| prefill | rootfs path | target directory | copied |
| read-file | rootfs path limit | output | size mode |
| look-at-sources | rootfs? sources exclude | output, directory? | count directory |
| sum-sources | rootfs? sources | directory? | sums |
| place | rootfs tree? sources target folder chown chmod exclude unpack | directory? | size |
| make-folder | rootfs path | | |
| remove-stubs | rootfs paths | | |
| unpack | limit_bytes | archive, directory | size |
| make-netns | | | + netns, netlink socket born in it |
| open-netns | | netns | + netlink socket born in it |
| remove-tree | name | parent directory | |
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from core import packets
from core.errors import InvalidArgument, to_wire
from core.linux import namespaces
from core.runtime import users
from core.shim import job as shim
from core.storage import apply, archive, compare, copy, diff, flatten, peek, place, record, sources, sums, tree
from core.zygote import applets, repositories

Args = dict[str, Any]
Answer = tuple[Args, list[int]]


def _apply_layer(args: Args, fds: list[int]) -> Answer:
    return apply.run_job(args, fds), []


def _compare_layer(args: Args, fds: list[int]) -> Answer:
    return compare.run_job(args, fds), []


def _record_layer(args: Args, fds: list[int]) -> Answer:
    return record.run_job(args, fds), []


def _copy_out(args: Args, fds: list[int]) -> Answer:
    return copy.run_copy_out(args, fds), []


def _diff_layer(args: Args, fds: list[int]) -> Answer:
    return diff.run_job(args, fds), []


def _flatten_layers(args: Args, fds: list[int]) -> Answer:
    return flatten.run_job(args, fds), []


def _clone_repository(args: Args, fds: list[int]) -> Answer:
    return repositories.run_job(args, fds), []


def _prefill(args: Args, fds: list[int]) -> Answer:
    return copy.run_prefill(args, fds), []


def _stat_path(args: Args, fds: list[int]) -> Answer:
    return archive.run_stat(args, fds), []


def _take_path(args: Args, fds: list[int]) -> Answer:
    return archive.run_take(args, fds), []


def _put_path(args: Args, fds: list[int]) -> Answer:
    return archive.run_put(args, fds, _user), []


def _user(root: int, name: str) -> tuple[int, int]:
    found = users.resolve(root, name).user
    return found.uid, found.gid


def _read_file(args: Args, fds: list[int]) -> Answer:
    return peek.run_read_file(args, fds), []


def _look_at_sources(args: Args, fds: list[int]) -> Answer:
    return sources.run_look(args, fds), []


def _sum_sources(args: Args, fds: list[int]) -> Answer:
    return sums.run_sums(args, fds), []


def _place(args: Args, fds: list[int]) -> Answer:
    return place.run_place(args, fds, _owner), []


def _make_folder(args: Args, fds: list[int]) -> Answer:
    return place.run_make_folder(args, fds), []


def _remove_stubs(args: Args, fds: list[int]) -> Answer:
    return place.run_remove_stubs(args, fds), []


def _unpack(args: Args, fds: list[int]) -> Answer:
    return place.run_unpack(args, fds), []


def _owner(root: int, name: str) -> tuple[int, int]:
    """`--chown`: a user without a group is its own group, as Docker has it."""
    found = users.resolve(root, name if ":" in name else f"{name}:{name}").user
    return found.uid, found.gid


def _list_applets(args: Args, fds: list[int]) -> Answer:
    return applets.run_job(args), []


def _make_netns(args: Args, fds: list[int]) -> Answer:
    return {"ok": True}, list(namespaces.make_netns())


def _open_netns(args: Args, fds: list[int]) -> Answer:
    return {"ok": True}, [namespaces.open_netns(fds[0])]


def _remove_tree(args: Args, fds: list[int]) -> Answer:
    tree.remove_tree(fds[0], str(args["name"]))
    return {"ok": True}, []


JOBS: dict[str, Callable[[Args, list[int]], Answer]] = {
    "apply-layer": _apply_layer,
    "compare-layer": _compare_layer,
    "record-layer": _record_layer,
    "copy-out": _copy_out,
    "clone-repository": _clone_repository,
    "diff-layer": _diff_layer,
    "flatten-layers": _flatten_layers,
    "stat-path": _stat_path,
    "take-path": _take_path,
    "put-path": _put_path,
    "list-applets": _list_applets,
    "prefill": _prefill,
    "read-file": _read_file,
    "look-at-sources": _look_at_sources,
    "sum-sources": _sum_sources,
    "place": _place,
    "make-folder": _make_folder,
    "remove-stubs": _remove_stubs,
    "unpack": _unpack,
    "make-netns": _make_netns,
    "open-netns": _open_netns,
    "remove-tree": _remove_tree,
}

SHIM = "shim"  # outlives the daemon and the zygote; every other job ends with the daemon that asked


def run(args: Args, fds: list[int]) -> None:
    """Do the job `args["job"]` and answer on `fds[0]`; in a child of its own."""
    reply = socket.socket(fileno=fds[0])
    if args.get("job") == SHIM:
        shim.become(args, reply)
        return
    try:
        function = JOBS.get(str(args.get("job")))
        if function is None:
            raise InvalidArgument(f"unknown job {args.get('job')!r}")
        answer, answer_fds = function(args, fds[1:])
    except MemoryError:
        answer, answer_fds = {"error": {"kind": "SystemFailure", "message": "not enough memory"}}, []
    except Exception as error:
        answer, answer_fds = {"error": to_wire(error)}, []
    try:
        packets.send(reply, answer, answer_fds)
    except OSError:
        os._exit(1)  # nobody waits for it any more
