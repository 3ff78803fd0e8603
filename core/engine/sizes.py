"""Sizes as people write them."""

from __future__ import annotations

from core.errors import InvalidArgument

_DIGITS = 18  # more do not fit into 64 bits


def parse_size(text: str) -> int:
    """`10m`, `1g`, `512k` or plain bytes as bytes; 0 and -1 = no limit. Raises InvalidArgument."""
    text = text.strip().lower().removesuffix("b")
    scale = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:], 0)
    number = text[:-1] if scale else text
    if number == "-1":
        return 0
    if not number.isascii() or not number.isdigit() or len(number) > _DIGITS:
        raise InvalidArgument(f"invalid size: '{text[:80]}'")
    return int(number) * (scale or 1)
