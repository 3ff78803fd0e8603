"""`WWW-Authenticate`: what a registry wants to see before it answers. RFC 9110, section 11.6.1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LIMIT = 8192  # characters of one header
_SCHEME = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9_-]*)(?=\s|,|$)")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way in: `scheme` in lower case, and its parameters by their lower case names."""

    scheme: str
    parameters: Mapping[str, str]


def parse(headers: Sequence[str]) -> tuple[Challenge, ...]:
    """Every challenge of the headers; what does not parse is left out."""
    found: list[Challenge] = []
    for header in headers:
        text, position = header[:_LIMIT], 0
        while match := _SCHEME.match(text, position):
            position = match.end()
            parameters: dict[str, str] = {}
            while parameter := _PARAMETER.match(text, position):
                position = parameter.end()
                quoted, token = parameter[2], parameter[3]
                parameters[parameter[1].lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found.append(Challenge(match[1].lower(), parameters))
    return tuple(found)


def pick(challenges: Sequence[Challenge]) -> Challenge | None:
    """The one to answer: Bearer before Basic, none of the others."""
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme:
                return challenge
    return None
