"""JSON documents <-> frozen structs: decoding is validation.

A member that is `null` counts as not given (Go writes them everywhere); unknown members are kept out.
Sizes are bounded because documents come from images, registries and clients.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from core.errors import EngineError, InvalidArgument
from core.oci.digest import Digest

T = TypeVar("T")

DOCUMENT_LIMIT = 4 * 1024 * 1024  # bytes; the largest manifest a registry must accept (distribution-spec)


def decode(data: bytes, kind: type[T], *, what: str, error: type[EngineError] = InvalidArgument) -> T:
    """`data` as a `kind`. `what` names the document in the message of `error`."""
    if len(data) > DOCUMENT_LIMIT:
        raise error(f"{what} is larger than {DOCUMENT_LIMIT} bytes")
    try:
        return convert(msgspec.json.decode(data), kind, what=what, error=error)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as cause:
        raise error(f"{what} is not valid JSON: {cause}") from cause


def convert(value: Any, kind: type[T], *, what: str, error: type[EngineError] = InvalidArgument) -> T:
    """Plain JSON data as a `kind`, nulls dropped."""
    try:
        return msgspec.convert(drop_nulls(value), kind, dec_hook=_decode_hook)
    except (msgspec.ValidationError, RecursionError) as cause:
        raise error(f"{what} is not acceptable: {cause}") from cause


def encode(value: Any) -> bytes:
    """`value` (structs, dicts, lists, scalars) as compact JSON."""
    return msgspec.json.encode(value, enc_hook=_encode_hook)


def plain(value: Any) -> Any:
    """`value` as dicts, lists and scalars, under the names it has in JSON."""
    return msgspec.to_builtins(value, enc_hook=_encode_hook)


def drop_nulls(value: Any) -> Any:
    """`value` without members that are null, at every depth; list items stay."""
    if isinstance(value, dict):
        return {key: drop_nulls(member) for key, member in value.items() if member is not None}
    if isinstance(value, list):
        return [drop_nulls(item) for item in value]
    return value


def _decode_hook(kind: type, value: Any) -> Any:
    if kind is Digest:
        if not isinstance(value, str):
            raise ValueError("a digest must be a string")
        try:
            return Digest(value)
        except InvalidArgument as cause:
            raise ValueError(str(cause)) from cause
    raise NotImplementedError(kind)


def _encode_hook(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    raise NotImplementedError(type(value))
