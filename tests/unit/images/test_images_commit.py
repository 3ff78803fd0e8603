"""The config of a committed image."""

from __future__ import annotations

import json

from store_kit import config_of, sha256

from core.images.commit import Commitment, config_bytes
from core.model.image import Image
from core.oci.digest import Digest
from core.oci.document import decode
from core.oci.image import Descriptor, ExecutionConfig, ImageConfig

BELOW, ABOVE = Digest("sha256:" + sha256(b"below")), Digest("sha256:" + sha256(b"above"))
WHEN = "2026-01-02T03:04:05.000000Z"


def parent(**members: object) -> Image:
    data = config_of([b"below"], **members)
    return Image(Digest.of(data), Descriptor(), decode(data, ImageConfig, what="config"), 1)


def committed(*diff_ids: Digest, on: Image | None = None, **members: object) -> dict[str, object]:
    wanted = Commitment(on or parent(), {}, ExecutionConfig(cmd=("sh",), env=("A=b",)), **members)  # type: ignore[arg-type]
    found: dict[str, object] = json.loads(config_bytes(wanted, diff_ids, created=WHEN))
    return found


def test_a_layer_and_a_step_are_added() -> None:
    found = committed(BELOW, ABOVE, command="sleep 1", comment="why", author="who")
    assert found == {
        "architecture": "amd64",
        "author": "who",
        "config": {"Cmd": ["sh"], "Env": ["A=b"]},
        "created": WHEN,
        "history": [
            {"created_by": "layer 0"},
            {"created": WHEN, "created_by": "sleep 1", "author": "who", "comment": "why"},
        ],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [BELOW, ABOVE]},
    }


def test_without_a_layer_the_step_says_so() -> None:
    found = committed(BELOW)
    assert found["rootfs"] == {"type": "layers", "diff_ids": [BELOW]}
    assert found["history"][-1] == {"created": WHEN, "empty_layer": True}  # type: ignore[index]


def test_the_platform_is_the_parents() -> None:
    found = committed(BELOW, on=parent(architecture="arm", variant="v7", os="linux"))
    assert (found["architecture"], found["variant"]) == ("arm", "v7")
    assert "author" not in found


def test_a_step_of_the_past_is_kept_as_it_is() -> None:
    steps = [{"created": "x", "created_by": "y", "empty_layer": True, "comment": "z"}, {"created_by": "layer"}]
    found = committed(BELOW, ABOVE, on=parent(history=steps))
    assert found["history"][:2] == steps  # type: ignore[index]
