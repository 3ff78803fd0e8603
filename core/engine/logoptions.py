"""`--log-driver` and `--log-opt` as what a shim does. Pure; Docker's words, told at create instead of at start.

Docker's json-file keeps one file without end unless it is told otherwise. Here a log rotates: without options it is
as Docker's `local` has it, and `max-size=-1` lets it grow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import InvalidArgument
from core.model.container import LogConfig

FILE_DRIVERS = ("json-file", "local")
DRIVERS = (*FILE_DRIVERS, "none")
MAX_SIZE = 20 * 1024 * 1024  # bytes; moby daemon/logger/local
MAX_FILE = 5

_KNOWN = {
    "json-file": {"max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"},
    "local": {"max-size", "max-file", "compress"},
}
_GENERAL = {"mode", "max-buffer-size"}  # of any driver; ours never blocks a container for long, whichever is asked
# docker/go-units, RAMInBytes
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE)
_SCALES = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}
_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a log is kept: segments of `max_size` bytes (0 = one, without end), `max_file` of them in all."""

    max_size: int = MAX_SIZE
    max_file: int = MAX_FILE
    compress: bool = True


def rotation(config: LogConfig) -> Rotation:
    """What the options come to. Raises InvalidArgument for what cannot be, an unknown driver too."""
    if config.type not in DRIVERS:
        raise InvalidArgument(f'logger: no log driver named "{config.type[:80]}" is registered')
    options = config.config
    _check_mode(options)
    if config.type == "none":
        return Rotation()
    for name in options:
        if name not in _KNOWN[config.type] | _GENERAL:
            what = f"{config.type} log driver" if config.type == "json-file" else f"log driver {config.type}"
            raise InvalidArgument(f"unknown log opt '{name[:80]}' for {what}")
    try:
        return _local(options) if config.type == "local" else _json_file(options)
    except ValueError as error:
        raise InvalidArgument(f"failed to initialize logging driver: {error}") from error


def _check_mode(options: Mapping[str, str]) -> None:
    mode = options.get("mode", "")
    if mode not in ("", "blocking", "non-blocking"):
        raise InvalidArgument(f"logger: logging mode not supported: {mode[:80]}")
    if "max-buffer-size" in options:
        if mode != "non-blocking":
            raise InvalidArgument("logger: max-buffer-size option is only supported with 'mode=non-blocking'")
        try:
            _size(options["max-buffer-size"])
        except ValueError as error:
            raise InvalidArgument(f"error parsing option max-buffer-size: {error}") from error


def _json_file(options: Mapping[str, str]) -> Rotation:
    sized, counted = "max-size" in options, "max-file" in options
    endless = options.get("max-size") == "-1"
    size = 0 if endless else _size(options["max-size"]) if sized else MAX_SIZE
    if sized and not endless and not size:
        raise ValueError("max-size must be a positive number")
    count = _count(options["max-file"]) if counted else 1 if sized else MAX_FILE
    if count < 1:
        raise ValueError("max-file cannot be less than 1")
    compress = _flag(options["compress"]) if "compress" in options else not sized and count > 1
    if compress and (count < 2 or endless):
        raise ValueError("compress cannot be true when max-file is less than 2 or max-size is not set")
    for name in ("labels-regex", "env-regex"):
        _check_pattern(options.get(name, ""))
    return Rotation(size, count, compress)


def _local(options: Mapping[str, str]) -> Rotation:
    size = MAX_SIZE
    if "max-size" in options:
        try:
            size = _size(options["max-size"])
        except ValueError as error:
            raise ValueError(f"invalid value for max-size: {options['max-size'][:80]}: {error}") from error
    count = _count(options["max-file"]) if "max-file" in options else MAX_FILE
    try:
        compress = _flag(options["compress"]) if "compress" in options else True
    except ValueError as error:
        raise ValueError(f"error reading compress log option: {error}") from error
    if compress and count <= 1:
        raise ValueError("compression cannot be enabled when max file count is 1")
    if size <= 0:
        raise ValueError("max size should be a positive number")
    if count < 1:
        raise ValueError("max file count cannot be less than 1")
    return Rotation(size, count, compress)


def _size(text: str) -> int:
    """Bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid size: '{text[:80]}'")
    number, unit = match.groups()
    if unit == "" and "." not in number:
        return int(number)
    return int(float(number) * (1 << _SCALES[unit.lower()]))


def _count(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,4}", text):
        raise ValueError(f'strconv.Atoi: parsing "{text[:80]}": invalid syntax')
    return int(text)


def _flag(text: str) -> bool:
    if text not in _TRUE + _FALSE:
        raise ValueError(f'strconv.ParseBool: parsing "{text[:80]}": invalid syntax')
    return text in _TRUE


def _check_pattern(text: str) -> None:
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"error parsing regexp: {error}: `{text[:80]}`") from error
