"""Paints a widget now. Textual paints at the next beat of a timer, up to 16 ms later: too late for a key."""

from __future__ import annotations

from collections.abc import Sequence

from textual.geometry import Region
from textual.widget import Widget


def paint(widget: Widget, regions: Sequence[Region]) -> None:
    """Repaint `regions` of `widget`, or all of it. Where more than a repaint is due the timer does everything."""
    screen = widget.screen
    waits = (
        screen._layout_required or screen._scroll_required or screen._repaint_required or screen._recompose_required
    )
    own = widget._layout_required or widget._scroll_required or widget._repaint_required
    if waits or own or widget.app._batch_count or not screen.is_current:
        widget.refresh(*regions)
        return
    widget._set_dirty(*regions)
    screen._compositor.update_widgets({widget})
    screen._compositor_refresh()
