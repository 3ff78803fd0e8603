"""Figures as a markdown table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_SCALE = {
    "ms": (1000.0, "{:.1f} ms"),
    "MB": (1 / 1e6, "{:.2f} MB"),
    "%": (100.0, "{:.2f} %"),
    "lines/s": (1.0, "{:,.0f}/s"),
}


def render(names: Sequence[str], rows: Sequence[tuple[str, str, str, Mapping[str, float | str]]]) -> str:
    """A row is title, goal, unit, and for each name a number or why there is none. Ratios are to the first name."""
    first, *others = names
    head = ["", "goal", first, *(cell for name in others for cell in (name, f"× {first}"))]
    lines = [_line(head), _line(["---"] * len(head))]
    for title, goal, unit, values in rows:
        cells = [title, goal, show(values.get(first, "–"), unit)]
        for name in others:
            value = values.get(name, "–")
            cells += [show(value, unit), _ratio(value, values.get(first, "–"))]
        lines.append(_line(cells))
    return "\n".join(lines)


def show(value: float | str, unit: str) -> str:
    """A number with its unit, in the scale of that; a text as it is."""
    if isinstance(value, str):
        return value
    scale, form = _SCALE[unit]
    return form.format(value * scale)


def _ratio(value: float | str, first: float | str) -> str:
    if isinstance(value, str) or isinstance(first, str) or not first:
        return "–"
    return f"{value / first:.1f}" if value >= first / 10 else f"{value / first:.2f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
