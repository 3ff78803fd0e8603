from __future__ import annotations

import pytest

from core.errors import InvalidArgument
from core.oci.image import Platform
from core.oci.platform import machine_platform, parse_platform, variant_of


@pytest.mark.parametrize(
    ("machine", "architecture", "variant"),
    [
        ("x86_64", "amd64", ""), ("aarch64", "arm64", ""), ("armv6l", "arm", "v6"), ("armv7l", "arm", "v7"),
        ("armv8l", "arm", "v7"), ("i686", "386", ""), ("riscv64", "riscv64", ""), ("loongarch64", "loong64", ""),
    ],
)  # fmt: skip
def test_machines_in_the_words_of_images(machine: str, architecture: str, variant: str) -> None:
    assert machine_platform(machine) == Platform("linux", architecture, variant)


def test_a_machine_and_what_a_user_calls_it_are_one() -> None:
    for machine, said in (("x86_64", "linux/amd64"), ("aarch64", "linux/arm64"), ("aarch64", "aarch64")):
        assert machine_platform(machine) == parse_platform(said)


def test_the_variant_that_is_meant_where_none_is_written() -> None:
    assert variant_of(parse_platform("linux/arm64/v8")) == variant_of(machine_platform("aarch64")) == "v8"
    assert variant_of(Platform("linux", "arm")) == "v7"
    assert variant_of(Platform("linux", "amd64")) == ""


def test_what_is_no_platform() -> None:
    for text in ("", "linux/", "a/b/c/d", "nowhere", "linux/arm 64"):
        with pytest.raises(InvalidArgument):
            parse_platform(text)
