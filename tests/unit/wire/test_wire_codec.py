"""Requests, filters, times and errors as JSON."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import errors
from core.client.failure import failure
from core.model.container import HostConfig, PortBinding
from core.model.events import Event, Progress
from core.wire import codec

# What `docker run` sends for members that were not given.
NULLS = b"""{
  "Image": "busybox", "Cmd": null, "Entrypoint": null, "Env": null, "Volumes": {}, "Labels": {},
  "HostConfig": {
    "Binds": null, "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "81/tcp": []},
    "RestartPolicy": {"Name": "", "MaximumRetryCount": 0}, "LogConfig": {"Type": "", "Config": {}},
    "NetworkMode": "default", "MaskedPaths": null, "ReadonlyPaths": [], "ConsoleSize": [24, 80],
    "UTSMode": "", "ContainerIDFile": "", "PidsLimit": 0, "Unknown": {"x": 1}
  },
  "NetworkingConfig": {"EndpointsConfig": {"default": null}}
}"""


def test_null_is_not_given_and_empty_is_empty() -> None:
    asked = codec.parse_create(NULLS)
    assert asked.config.cmd is None
    assert asked.host.masked_paths is None
    assert asked.host.readonly_paths == ()
    assert asked.host.restart_policy.name == "no"
    assert asked.host.log_config.type == "json-file"
    assert asked.host.port_bindings == {"80/tcp": (PortBinding("", "8080"),)}
    assert asked.host.console_size == (24, 80)
    assert asked.networks == ("default",)


def test_one_string_is_a_command_of_one_word() -> None:
    assert codec.parse_create(b'{"Image": "x", "Cmd": "ls"}').config.cmd == ("ls",)
    assert codec.parse_exec(b'{"Cmd": "ls"}').cmd == ("ls",)


def test_a_request_without_host_config_gets_the_defaults() -> None:
    assert codec.parse_create(b'{"Image": "x"}').host == HostConfig()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"Cmd": 5}',
        b'{"Cmd": [5]}',
        b'{"HostConfig": []}',
        b'{"HostConfig": {"Memory": "1m"}}',
        b'{"HostConfig": {"Memory": 1e400}}',
        b'{"Memory": ' + b"9" * 4000 + b"}",
        b'{"Labels": {"a": -' + b"9" * 30 + b"}}",
        b'{"HostConfig": {"PortBindings": {"80/tcp": [5]}}}',
        b"[" * 100_000,
        b'{"Env": ["\xff"]}',
    ],
)
def test_nonsense_is_the_clients_mistake(body: bytes) -> None:
    with pytest.raises(errors.InvalidArgument):
        codec.parse_create(body)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_parser(body: bytes) -> None:
    try:
        codec.parse_create(body)
    except errors.InvalidArgument:
        pass


def test_filters_come_in_two_forms() -> None:
    assert codec.parse_filters('{"status":["exited","dead"]}') == {"status": ("exited", "dead")}
    assert codec.parse_filters('{"status":{"exited":true,"dead":false}}') == {"status": ("exited",)}
    assert codec.parse_filters("") == {}
    with pytest.raises(errors.InvalidArgument):
        codec.parse_filters('{"status":"exited"}')


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1700000000", 1_700_000_000_000_000_000),
        ("1700000000.5", 1_700_000_000_500_000_000),
        ("1700000000.000000001", 1_700_000_000_000_000_001),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000_000_000),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123_456_789),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000_000_000),
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000_500_000_000),
        ("2023-11-14", 1_699_920_000_000_000_000),
    ],
)
def test_times_are_read_in_all_their_forms(text: str, nanoseconds: int) -> None:
    assert codec.parse_timestamp(text) == nanoseconds


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_a_written_time_reads_back(nanoseconds: int) -> None:
    assert codec.parse_timestamp(codec.timestamp(nanoseconds)) == nanoseconds


@pytest.mark.parametrize("text", ["", "yesterday", "12:00", "1.x"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        codec.parse_timestamp(text)


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidArgument("a"),
        errors.NotFound("b"),
        errors.Conflict("c"),
        errors.NotModified("d"),
        errors.Unsupported("e"),
        errors.Unavailable("f"),
        errors.EngineError("g"),
    ],
)
def test_an_error_comes_back_as_its_class(error: errors.EngineError) -> None:
    again = failure(error.status, codec.error_body(error))
    assert type(again) is type(error)
    assert again.message == error.message


def test_an_answer_that_is_no_error_body_is_shown_as_it_is() -> None:
    assert failure(502, b"bad gateway").message == "bad gateway"
    assert "502" in failure(502, b"").message


def test_an_event_also_speaks_to_old_clients() -> None:
    event = Event("container", "start", "abc", {"image": "busybox", "name": "n"}, 1_500_000_000)
    assert codec.event_json(event) == {
        "status": "start",
        "id": "abc",
        "from": "busybox",
        "Type": "container",
        "Action": "start",
        "Actor": {"ID": "abc", "Attributes": {"image": "busybox", "name": "n"}},
        "scope": "local",
        "time": 1,
        "timeNano": 1_500_000_000,
    }


def test_progress_names_bytes_only_where_it_has_them() -> None:
    assert codec.progress_json(Progress(status="Loading")) == {"status": "Loading"}
    assert codec.progress_json(Progress("abc", "Loading", 5, 10)) == {
        "status": "Loading",
        "id": "abc",
        "progressDetail": {"current": 5, "total": 10},
    }
    # Docker's client moves on to new lines after one that has an id and no detail.
    assert codec.progress_json(Progress("abc", "Pushed")) == {"status": "Pushed", "id": "abc", "progressDetail": {}}
    assert codec.progress_json(Progress("abc", "Waiting", 0, 9)) == {
        "status": "Waiting",
        "id": "abc",
        "progressDetail": {},
        "size": 9,
    }
    heading = Progress("1", "Pulling from library/x")
    assert codec.progress_json(heading) == {"status": "Pulling from library/x", "id": "1"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"HostConfig": {"Memory": 9223372036854775808}}',
        b'{"HostConfig": {"PidsLimit": -9223372036854775809}}',
        b'{"HostConfig": {"Binds": ["/a\\u0000b:/c"]}}',
        b'{"Labels": {"a\\u0000": "b"}}',
    ],
)
def test_what_neither_kernel_nor_database_can_say_is_refused(body: bytes) -> None:
    with pytest.raises(errors.InvalidArgument, match="create request is not acceptable"):
        codec.parse_create(body)


@pytest.mark.parametrize("text", ["9" * 30, "-" + "9" * 13, "\u00b2", "--5", "1.\u00b2"])
def test_a_time_beyond_time_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="invalid time"):
        codec.parse_timestamp(text)


@given(st.text())
def test_an_error_is_one_line(text: str) -> None:
    assert codec.one_line(text).isprintable()
    assert codec.one_line(text) == text or not text.isprintable()
