"""What every screen looks like: keys in, SVG out, on a stage whose clock stands still."""

from __future__ import annotations

from typing import Any

import pytest
from scenes import SCENES, Scene
from stage import leave


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_scene(scene: Scene, snap_compare: Any) -> None:
    app = scene.app()
    try:
        assert snap_compare(app, terminal_size=scene.size, run_before=scene.play)
    finally:
        leave(app)
