from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadArchive, InvalidArgument, InvalidSpec
from core.model.container import HostConfig, Status
from core.oci import runtime
from core.oci.digest import Digest
from core.oci.document import DOCUMENT_LIMIT, convert, decode, encode
from core.oci.image import Descriptor, ImageConfig, Manifest

LAYER = Digest.of(b"layer")


def test_an_image_config_is_read_as_docker_writes_it() -> None:
    text = json.dumps(
        {
            "architecture": "amd64",
            "config": {"Cmd": ["sh"], "Entrypoint": None, "Env": ["A=b"], "Labels": None, "Surprise": 1},
            "rootfs": {"type": "layers", "diff_ids": [LAYER]},
            "history": [{"created_by": "x", "empty_layer": True}],
        }
    ).encode()
    config = decode(text, ImageConfig, what="config")
    assert config.config.cmd == ("sh",)
    assert config.config.entrypoint == ()
    assert config.chain == (LAYER,)
    assert config.history[0].empty_layer


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"rootfs":{"diff_ids":["sha256:../x"]}}', b'{"rootfs":7}', b"\xff", b"[" * 5000]
)
def test_what_is_no_config_is_one_clear_error(text: bytes) -> None:
    with pytest.raises(BadArchive) as caught:
        decode(text, ImageConfig, what="config", error=BadArchive)
    assert "\n" not in str(caught.value)


def test_a_document_has_a_size_limit() -> None:
    with pytest.raises(InvalidArgument, match="larger"):
        decode(b" " * (DOCUMENT_LIMIT + 1), Manifest, what="manifest")


def test_a_descriptor_goes_out_as_it_came_in() -> None:
    descriptor = Descriptor("application/x", LAYER, 5)
    assert decode(encode(descriptor), Descriptor, what="descriptor") == descriptor


def test_null_means_not_given_and_a_list_may_be_empty() -> None:
    assert convert({"MaskedPaths": None}, HostConfig, what="host config").masked_paths is None
    assert convert({"MaskedPaths": []}, HostConfig, what="host config").masked_paths == ()


def test_status_is_the_word_itself() -> None:
    assert f"{Status.RUNNING}" == "running"


SPEC = runtime.Spec(
    root=runtime.Root("rootfs", readonly=True),
    process=runtime.Process(
        args=("sh", "-c", "true"),
        user=runtime.User(1, 2, umask=0o22, additional_gids=(3,)),
        console_size=runtime.ConsoleSize(24, 80),
        capabilities=runtime.Capabilities(bounding=("CAP_CHOWN",)),
        rlimits=(runtime.Rlimit("RLIMIT_CORE", 0, 0),),
    ),
    mounts=(runtime.Mount("/proc", "proc", "proc", ("nosuid",)),),
    linux=runtime.Linux(
        namespaces=(runtime.Namespace("network", "/proc/self/fd/9"),),
        uid_mappings=(runtime.IdMapping(0, 100000, 65536),),
        resources=runtime.Resources(
            devices=(runtime.DeviceRule(False),),
            memory=runtime.Memory(limit=1, disable_oom_killer=True),
            block_io=runtime.BlockIO(weight=10),
        ),
        seccomp=runtime.Seccomp("SCMP_ACT_ERRNO", syscalls=(runtime.SyscallRule(("read",), "SCMP_ACT_ALLOW"),)),
        masked_paths=("/proc/kcore",),
    ),
    annotations={"a": "b"},
)


def test_a_runtime_spec_survives_its_json_with_the_specs_names() -> None:
    document = json.loads(SPEC.to_json())
    assert document["linux"]["uidMappings"][0] == {"containerID": 0, "hostID": 100000, "size": 65536}
    assert document["linux"]["resources"]["memory"]["disableOOMKiller"] is True
    assert document["linux"]["resources"]["blockIO"] == {"weight": 10}
    assert document["process"]["user"]["additionalGids"] == [3]
    assert runtime.Spec.from_json(SPEC.to_json()) == SPEC


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (b"{", "not valid JSON"),
        (b"{}", "lacks a member"),
        (b'{"root":[]}', "config.json.root must be an object"),
        (b'{"root":{"path":"r"},"process":{"args":"sh"}}', "config.json.process.args must be a list"),
        (b'{"root":{"path":"r"},"process":{"args":["a\\u0000b"]}}', "args[0] must not contain a NUL byte"),
        (b'{"root":{"path":"r"},"process":{"user":{"uid":"0"}}}', "user.uid must be a int"),
        (b'{"root":{"path":"r"},"process":{"user":{"uid":true}}}', "user.uid must be a int"),
    ],
)
def test_a_wrong_member_is_named(text: bytes, where: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        runtime.Spec.from_json(text)
    assert where in str(caught.value)


@given(st.binary(max_size=200))
def test_random_bytes_are_never_more_than_an_invalid_spec(data: bytes) -> None:
    with pytest.raises(InvalidSpec):
        runtime.Spec.from_json(data)


@pytest.mark.parametrize("value", [1, True, [], {}, "sha256:x"])
def test_a_digest_that_is_none_is_told_not_stumbled_over(value: object) -> None:
    with pytest.raises(InvalidArgument, match="config is not acceptable"):
        convert({"rootfs": {"type": "layers", "diff_ids": [value]}}, ImageConfig, what="config")
