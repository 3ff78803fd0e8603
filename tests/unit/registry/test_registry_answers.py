"""What registries say when they refuse, in one line of Docker's words."""

from __future__ import annotations

import pytest

from core.errors import DataLoss, Unavailable
from core.oci.digest import Digest
from core.oci.image import OCI_INDEX, Descriptor, Index, Platform
from core.oci.platform import parse_platform
from core.oci.reference import Reference
from core.registry.answers import redact, refusal
from core.registry.manifests import choose, parse
from core.registry.settings import Settings
from core.registry.transport import Transport
from core.registry.words import explain

NAME = Reference.parse("h:1/me/x:2")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}',
         "manifest for h:1/me/x:2 not found: manifest unknown: manifest unknown"),
        (403, b'{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}',
         "pull access denied for h:1/me/x, repository does not exist or may require 'docker login': "
         "denied: requested access to the resource is denied"),
        (401, b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}',
         "unauthorized: authentication required"),
        (500, b"<html>\n", "received unexpected HTTP status: 500 Internal Server Error"),
        (418, b'{"errors":[{"code":"T","message":"a\\nb\\u001b[31m"}]}', "t: a b [31m"),
    ],
)  # fmt: skip
def test_refusals(status: int, body: bytes, told: str) -> None:
    url = "https://u:secret@h:1/v2/me/x/manifests/2?token=secret"
    assert str(explain(refusal(status, body, url), NAME)) == told


def test_secrets_in_urls_are_not_told() -> None:
    assert redact("https://u:p@h:1/a?sig=s#f") == "https://h:1/a"


@pytest.mark.parametrize(
    "target",
    ["http://registry.example/x", "file:///etc/passwd", "https://u:p@registry.example/", "https://127.0.0.1/x"],
)
def test_redirects_that_are_not_followed(target: str) -> None:
    with pytest.raises(Unavailable, match="is refused"):
        Transport(Settings()).redirected("https://registry.example/v2/", target)


def test_redirects_that_are_followed() -> None:
    transport = Transport(Settings())
    assert transport.redirected("https://a.example/v2/x", "/y?z=1") == "https://a.example/y?z=1"
    assert transport.redirected("https://a.example/v2/x", "https://cdn.example/y") == "https://cdn.example/y"
    assert transport.redirected("http://127.0.0.1:1/v2/x", "http://127.0.0.1:2/y") == "http://127.0.0.1:2/y"


def test_arm_takes_the_nearest_older_variant() -> None:
    def entry(number: int, *platform: str) -> Descriptor:
        return Descriptor(OCI_INDEX, Digest(f"sha256:{number:064x}"), 1, Platform(*platform))

    five, six, eight = (entry(n, "linux", "arm", f"v{n}") for n in (5, 6, 8))
    index = Index(2, (five, six, eight, entry(1, "linux", "amd64")))
    assert choose(index, parse_platform("linux/arm/v7")) == six
    assert choose(index, parse_platform("arm/v6".replace("arm", "linux/arm"))) == six
    assert choose(index, parse_platform("s390x")) is None


def test_a_told_digest_must_be_the_right_one() -> None:
    with pytest.raises(DataLoss):
        parse(b"{}", "", expected=None, told="sha256:" + "0" * 64)
