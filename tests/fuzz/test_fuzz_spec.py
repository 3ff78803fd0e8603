"""Any JSON at all, and Specs with any member replaced: a plan comes out, or one line that says what is wrong."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.cgroups.devices import device_program
from core.cgroups.model import CgroupView
from core.cgroups.writes import v1_memory_writes, v1_writes, v2_writes
from core.errors import EngineError
from core.oci.runtime import Spec, encode
from core.runtime.default_profile import default_seccomp
from core.runtime.filter import compile_seccomp
from core.runtime.plan import plan
from core.runtime.spec_defaults import CAPABILITIES, DEVICES, MASKED_PATHS, device_rules, mounts

SOUND: dict[str, Any] = {
    "root": {"path": "rootfs", "readonly": False},
    "process": {
        "args": ["sh"], "cwd": "/", "env": ["PATH=/bin"], "terminal": True, "noNewPrivileges": False,
        "consoleSize": {"height": 24, "width": 80},
        "user": {"uid": 0, "gid": 0, "umask": 18, "additionalGids": [1]},
        "capabilities": {"bounding": list(CAPABILITIES)}, "oomScoreAdj": 1,
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1}],
    },
    "hostname": "box",
    "mounts": encode(mounts(shm_size=1 << 20)),
    "linux": {
        "namespaces": [{"type": kind} for kind in ("mount", "uts", "ipc", "pid", "network", "cgroup")],
        "devices": encode(DEVICES),
        "resources": {
            "devices": encode(device_rules()), "memory": {"limit": 1 << 30, "swap": -1},
            "cpu": {"shares": 5, "quota": 1, "period": 1, "cpus": "0"},
            "pids": {"limit": 1}, "blockIO": {"weight": 10},
        },
        "seccomp": encode(default_seccomp(CAPABILITIES, "x86_64")),
        "sysctl": {"net.ipv4.ip_forward": "1"},
        "maskedPaths": list(MASKED_PATHS),
    },
}  # fmt: skip
numbers = st.one_of(st.integers(-5, 5), st.integers(-(1 << 70), 1 << 70))
words = st.one_of(st.text(max_size=8), st.sampled_from(["/", "..", "/proc", "bind", "rbind", "user", "a" * 70_000]))
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


PLACES = [place for place in places(SOUND) if place]


def use(data: bytes) -> None:
    """All that is made of a Spec without touching the kernel."""
    spec = Spec.from_json(data)
    if spec.linux.seccomp:
        compile_seccomp(spec.linux.seccomp, "x86_64")
    for version in (1, 2):
        view = CgroupView(version, (("memory", "/x"),))
        assert str(plan(spec, bundle="/b", cgroup=view, seccomp=None))
    resources = spec.linux.resources
    if resources:
        v1_writes(resources)
        v2_writes(resources)
        device_program(resources.devices)
        if resources.memory:
            v1_memory_writes(resources.memory, 1 << 40)


def is_fine(data: bytes) -> None:
    try:
        use(data)
    except EngineError as error:
        assert str(error)
        assert "\n" not in str(error)


def test_the_sound_one_is_sound() -> None:
    use(json.dumps(SOUND).encode())


@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=3))
def test_documents_with_members_replaced(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    document = json.loads(json.dumps(SOUND))
    for place, value in changes:
        found = document
        try:
            for key in place[:-1]:
                found = found[key]
            found[place[-1]] = value
        except (KeyError, IndexError, TypeError):
            pass  # an earlier change took the place away
    is_fine(json.dumps(document).encode())


@given(st.one_of(anything.map(lambda value: json.dumps(value).encode()), st.binary(max_size=200)))
def test_documents_that_are_none(data: bytes) -> None:
    is_fine(data)


def test_documents_that_are_deep() -> None:
    for opening in (b"[", b'{"a":'):
        is_fine(opening * 200_000)
