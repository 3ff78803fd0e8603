"""Small texts among the flags of `run`: ulimits, hosts, files of variables, modes."""

from __future__ import annotations

import os

from core.cli.failure import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_ULIMITS = frozenset({
    "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
})  # fmt: skip
_SYSCTLS = frozenset({
    "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax",
    "kernel.shmmni", "kernel.shm_rmid_forced",
})  # fmt: skip
_SECURITY_KEYS = ("seccomp", "apparmor", "label", "no-new-privileges", "systempaths", "writable-cgroups")


def ulimit(text: str) -> dict[str, object]:
    """`nofile=SOFT[:HARD]` as an entry of `HostConfig.Ulimits`. Raises ValueError."""
    name, equals, limits = text.partition("=")
    if not equals:
        raise ValueError(f"invalid ulimit argument: {text}")
    if name not in _ULIMITS:
        raise ValueError(f"invalid ulimit type: {name}")
    soft, colon, hard = limits.partition(":")
    low = _limit(soft)
    high = _limit(hard) if colon else low
    if high != -1 and (low == -1 or low > high):
        raise ValueError(f"ulimit soft limit must be less than or equal to hard limit: {low} > {high}")
    return {"Name": name, "Soft": low, "Hard": high}


def _limit(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def extra_host(text: str) -> str:
    """`--add-host NAME:IP` (or `NAME=IP`) in the form the API takes. Raises ValueError."""
    name, separator, address = text.partition("=" if "=" in text else ":")
    if not separator or not name:
        raise ValueError(f'bad format for add-host: "{text}"')
    if address != "host-gateway":
        try:
            ip_address(address.strip("[]"))
        except ValueError:
            raise ValueError(f'invalid IP address in add-host: "{address}"') from None
    return f"{name}:{address}"


def ip_address(text: str) -> str:
    """An IPv4 or IPv6 address. Raises ValueError."""
    import socket

    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):
        raise ValueError(f"IP address is not correctly formatted: {text}") from None
    return text


def sysctl(text: str) -> str:
    """`name=value` of a sysctl that belongs to a namespace. Raises ValueError."""
    name, equals, _ = text.partition("=")
    if not equals or not (name in _SYSCTLS or name.startswith(("net.", "fs.mqueue."))):
        raise ValueError(f"sysctl '{text}' is not allowed")
    return text


def pairs(texts: list[str]) -> dict[str, str]:
    """`name=value` and `name` as a mapping."""
    return {name: value for name, _, value in (text.partition("=") for text in texts)}


def restart_policy(text: str) -> dict[str, object]:
    """`--restart NAME[:RETRIES]`. Raises CommandFailed."""
    name, colon, retries = text.partition(":")
    if not name and colon:
        raise CommandFailed("invalid restart policy format: no policy provided before colon", 125)
    count = 0
    if colon:
        try:
            count = int(retries)
        except ValueError:
            message = "invalid restart policy format: maximum retry count must be an integer"
            raise CommandFailed(message, 125) from None
    return {"Name": name or "no", "MaximumRetryCount": count}


def variables_of_file(path: str, environment: Mapping[str, str]) -> list[str]:
    """The lines of an `--env-file`: `NAME=value` as it is, quotes too; `NAME` with its value in `environment`.

    Raises CommandFailed.
    """
    found = []
    for line in _lines(path):
        text = line.lstrip()
        if not text or text.startswith("#"):
            continue
        name, equals, _ = text.partition("=")
        if not name:
            raise CommandFailed(f"invalid env file ({path}): no variable name on line '{text}'", 125)
        if any(char.isspace() for char in name):
            raise CommandFailed(f"invalid env file ({path}): variable '{name}' contains whitespaces", 125)
        if equals:
            found.append(text)
        elif name in environment:
            found.append(f"{name}={environment[name]}")
    return found


def labels_of_file(path: str) -> list[str]:
    """The lines of a `--label-file`. Raises CommandFailed."""
    return [text for line in _lines(path) if (text := line.strip()) and not text.startswith("#")]


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return file.read().splitlines()
    except OSError as error:
        raise CommandFailed(f"open {path}: {os.strerror(error.errno or 0).lower()}", 125) from None
    except UnicodeDecodeError:
        raise CommandFailed(f"invalid env file ({path}): it is not UTF-8", 125) from None


def variables(texts: list[str], environment: Mapping[str, str]) -> list[str]:
    """`-e NAME=value`, and `-e NAME` with the caller's value; where there is none, the bare name unsets it."""
    return [text if "=" in text or text not in environment else f"{text}={environment[text]}" for text in texts]


def security_options(texts: list[str]) -> list[str]:
    """`--security-opt`; a seccomp profile is sent as its content. Raises CommandFailed."""
    found = []
    for text in texts:
        key, separator, value = text.partition("=" if "=" in text else ":")
        if text != "no-new-privileges" and (not separator or key not in _SECURITY_KEYS):
            raise CommandFailed(f'Invalid --security-opt: "{text}"', 125)
        if key == "seccomp" and value not in ("unconfined", "builtin"):
            text = f"seccomp={_profile(value)}"
        if key != "systempaths":
            found.append(text)
    return found


def _profile(path: str) -> str:
    import json

    try:
        with open(path, encoding="utf-8") as file:
            return json.dumps(json.load(file), separators=(",", ":"))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise CommandFailed(f"opening seccomp profile ({path}) failed: open {path}: {reason}", 125) from None
    except ValueError as error:
        raise CommandFailed(f"compacting json for seccomp profile ({path}) failed: {error}", 125) from None


def mode(flag: str, text: str, names: tuple[str, ...]) -> str:
    """A namespace mode: one of `names` or `container:NAME`. Raises CommandFailed."""
    if text in names or (text.startswith("container:") and len(text) > len("container:")):
        return text
    what = {"pid": "PID", "uts": "UTS", "userns": "USER"}[flag]
    raise CommandFailed(f"--{flag}: invalid {what} mode", 125)
