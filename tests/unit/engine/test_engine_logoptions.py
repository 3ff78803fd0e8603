"""`--log-driver` and `--log-opt`: what they come to, and Docker's words for what cannot be."""

from __future__ import annotations

import pytest

from core.engine.logoptions import Rotation, rotation
from core.errors import InvalidArgument
from core.model.container import LogConfig

MB = 1 << 20


@pytest.mark.parametrize(
    ("driver", "options", "kept"),
    [
        ("json-file", {}, Rotation(20 * MB, 5, True)),
        ("json-file", {"tag": "x", "labels": "a", "env-regex": "^B"}, Rotation(20 * MB, 5, True)),
        ("json-file", {"max-size": "10m"}, Rotation(10 * MB, 1, False)),
        ("json-file", {"max-size": "1.5m", "max-file": "3"}, Rotation(3 * MB // 2, 3, False)),
        ("json-file", {"max-size": "10 kB", "max-file": "3", "compress": "1"}, Rotation(10240, 3, True)),
        ("json-file", {"max-file": "3"}, Rotation(20 * MB, 3, True)),
        ("json-file", {"max-file": "1"}, Rotation(20 * MB, 1, False)),
        ("json-file", {"compress": "false"}, Rotation(20 * MB, 5, False)),
        ("json-file", {"max-size": "-1"}, Rotation(0, 1, False)),
        ("json-file", {"mode": "non-blocking", "max-buffer-size": "4m"}, Rotation(20 * MB, 5, True)),
        ("local", {}, Rotation(20 * MB, 5, True)),
        ("local", {"max-size": "1GiB", "max-file": "1", "compress": "F"}, Rotation(1 << 30, 1, False)),
        ("none", {}, Rotation()),
    ],
)
def test_options(driver: str, options: dict[str, str], kept: Rotation) -> None:
    assert rotation(LogConfig(driver, options)) == kept


@pytest.mark.parametrize(
    ("driver", "options", "reason"),
    [
        ("syslog", {}, 'logger: no log driver named "syslog" is registered'),
        ("json-file", {"foo": "1"}, "unknown log opt 'foo' for json-file log driver"),
        ("local", {"tag": "x"}, "unknown log opt 'tag' for log driver local"),
        ("json-file", {"mode": "foo"}, "logger: logging mode not supported: foo"),
        (
            "local",
            {"max-buffer-size": "1m"},
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
        (
            "local",
            {"mode": "non-blocking", "max-buffer-size": "zz"},
            "error parsing option max-buffer-size: invalid size: 'zz'",
        ),
    ],
)
def test_what_no_driver_takes(driver: str, options: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidArgument) as failed:
        rotation(LogConfig(driver, options))
    assert str(failed.value) == reason


@pytest.mark.parametrize(
    ("driver", "options", "reason"),
    [
        ("json-file", {"max-size": "abc"}, "invalid size: 'abc'"),
        ("json-file", {"max-size": ""}, "invalid size: ''"),
        ("json-file", {"max-size": "-5"}, "invalid size: '-5'"),
        ("json-file", {"max-size": "9" * 5000}, f"invalid size: '{'9' * 80}'"),
        ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
        ("json-file", {"max-size": "1m", "max-file": "0"}, "max-file cannot be less than 1"),
        ("json-file", {"max-file": "x"}, 'strconv.Atoi: parsing "x": invalid syntax'),
        ("json-file", {"compress": "maybe"}, 'strconv.ParseBool: parsing "maybe": invalid syntax'),
        (
            "json-file",
            {"max-size": "1m", "compress": "true"},
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
        ("local", {"max-size": "abc"}, "invalid value for max-size: abc: invalid size: 'abc'"),
        ("local", {"max-file": "1"}, "compression cannot be enabled when max file count is 1"),
        ("local", {"max-file": "0"}, "compression cannot be enabled when max file count is 1"),
        (
            "local",
            {"compress": "x"},
            'error reading compress log option: strconv.ParseBool: parsing "x": invalid syntax',
        ),
    ],
)
def test_what_a_driver_cannot_be_told(driver: str, options: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidArgument) as failed:
        rotation(LogConfig(driver, options))
    assert str(failed.value) == f"failed to initialize logging driver: {reason}"
