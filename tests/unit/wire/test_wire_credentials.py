"""Credentials in headers and bodies: what Docker's clients send is understood, and nothing is told of secrets."""

from __future__ import annotations

import base64
import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidArgument
from core.model.registry import Credentials
from core.wire import credentials
from core.wire.credentials import decode, encode, join_pair, parse, proved, split_pair

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(TEXT, TEXT, TEXT)
def test_what_is_encoded_is_decoded(user: str, password: str, server: str) -> None:
    asked = Credentials(username=user, password=password, server_address=server)
    assert decode(encode(asked)) == asked
    # RFC 4648, section 5: nothing that a header or a URL would change
    assert set(encode(asked)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"username": "u", "password": "p"}, Credentials(username="u", password="p")),
        ({"auth": base64.b64encode(b"u:p:q").decode()}, Credentials(username="u", password="p:q")),
        ({"identitytoken": "t", "serveraddress": "r:1"}, Credentials(identity_token="t", server_address="r:1")),
        ({"registrytoken": "t", "email": "x@y"}, Credentials(registry_token="t")),
    ],
)
def test_a_header_of_other_clients(document: dict[str, str], found: Credentials) -> None:
    data = json.dumps(document).encode()
    for text in (
        base64.urlsafe_b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode().rstrip("="),
        base64.b64encode(data).decode(),
    ):
        assert decode(text) == found


@pytest.mark.parametrize(
    "header",
    ["", "e30=", "bnVsbA==", "W10=", "!!!!", "x", "é", base64.b64encode(b'{"username": 1}').decode(), "A" * 65536],
)
def test_a_header_that_says_nothing_is_nobody(header: str) -> None:
    assert decode(header) is None


@given(st.text())
def test_any_header_is_somebody_or_nobody(header: str) -> None:
    decode(header)


@given(st.binary())
def test_any_body_is_understood_or_refused(body: bytes) -> None:
    try:
        parse(body)
    except InvalidArgument:
        pass


@pytest.mark.parametrize(
    "body", [b'{"password": ["hunter2"]}', b'{"auth": "aHVudGVyMg=="}', b"hunter2", b'["hunter2"]']
)
def test_a_refusal_tells_no_secret(body: bytes) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(body)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_value_in_a_log_tells_no_secret() -> None:
    secret = Credentials(username="sam", password="hunter2", identity_token="hunter2", registry_token="hunter2")
    for text in (repr(secret), str(secret), f"{secret}", repr([secret])):
        assert "hunter2" not in text and "sam" in text


def test_an_identity_token_takes_the_place_of_the_password() -> None:
    asked = Credentials(username="u", password="p", server_address="s")
    assert proved(asked, {"Status": "Login Succeeded", "IdentityToken": ""}) is asked
    assert proved(asked, {"IdentityToken": "t"}) == Credentials(
        username="u", identity_token="t", server_address="s"
    )


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=":\0"), min_size=1), TEXT)
def test_a_pair_is_split_at_its_first_colon(user: str, password: str) -> None:
    assert split_pair(join_pair(user, password)) == (user, password)


@pytest.mark.parametrize("auth", ["", "dXNlcg==", "OnA=", "ünicode", "dXNlcjpw!", "/w=="])
def test_what_is_no_pair(auth: str) -> None:
    with pytest.raises(InvalidArgument):
        split_pair(auth)


def test_the_header_is_docker_s() -> None:
    assert credentials.HEADER == "X-Registry-Auth"
