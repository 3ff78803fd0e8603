"""Write `screenshots/*.svg` from the scenes of the snapshot tests: `python tests/tui/screenshots.py`."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

from scenes import PICTURES, SCENES, Scene  # noqa: E402
from stage import leave  # noqa: E402


async def take(scene: Scene, folder: Path) -> Path:
    """Play one scene and write its picture."""
    app = scene.app()
    async with app.run_test(size=scene.size) as pilot:
        await scene.play(pilot)
        path = folder / f"{scene.name}.svg"
        path.write_text(app.export_screenshot(title="onggi"), "utf-8")
    leave(app)
    return path


async def main(folder: Path) -> None:
    """Write every picture of the README."""
    folder.mkdir(exist_ok=True)
    for scene in SCENES:
        if scene.name in PICTURES:
            print(await take(scene, folder))


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    with TemporaryDirectory() as home:  # the app writes its settings there
        os.environ["XDG_CONFIG_HOME"] = home
        asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent.parent / "screenshots"))
