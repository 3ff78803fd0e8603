"""What would have kept wasted bytes out of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tui.layers.model import Layer, Waste

_CACHES: Final = (
    ("/var/lib/apt/lists", "remove it in the same RUN"),
    ("/var/cache/apt", "remove it in the same RUN"),
    ("/var/cache/apk", "apk add --no-cache"),
    ("/var/cache/dnf", "remove it in the same RUN"),
    ("/root/.cache/pip", "use --mount=type=cache"),
    ("/root/.cache/go-build", "use --mount=type=cache"),
    ("/root/.npm", "use --mount=type=cache"),
    ("/root/.cargo/registry", "use --mount=type=cache"),
    ("/root/.cache", "remove it in the same RUN"),
    ("/usr/share/doc", "leave it out in the same RUN"),
    ("/tmp", "remove it in the same RUN"),
    ("/var/log", "remove it in the same RUN"),
)
"""Folders that builds leave full, and what the line that fills them should say."""


def cures(waste: Waste, layers: Sequence[Layer], seen: Mapping[str, tuple[int, ...]]) -> list[tuple[str, int, str]]:
    """Path, bytes and what helps, the dearest first; what lies in one cache is one line.

    `seen` = the layers (by index) in which a path was written or removed, as far as they have been read.
    """
    sums: dict[str, tuple[int, str]] = {}
    numbers = {layer.index: layer.number for layer in layers if layer.index >= 0}
    for path, taken, times in waste.files:
        folder, advice = _cache(path)
        told = _where(tuple(numbers.get(index, 0) for index in seen.get(path, ())))
        said = f"layer {told[0]}: {advice}" if advice and told else advice
        if not said:
            said = _plain(told, times)
        place = folder or path
        before, first = sums.get(place, (0, said))
        sums[place] = (before + taken, first)
    return [(place, taken, said) for place, (taken, said) in sorted(sums.items(), key=lambda one: -one[1][0])]


def _cache(path: str) -> tuple[str, str]:
    for folder, advice in _CACHES:
        if path == folder or path.startswith(folder + "/"):
            return folder, advice
    return "", ""


def _where(numbers: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(number for number in numbers if number)


def _plain(numbers: tuple[int, ...], times: int) -> str:
    if len(numbers) > 1:
        return f"came in layer {numbers[0]}, hidden in {numbers[-1]}"
    return f"written {times} times" if times > 1 else "removed in a later layer"
