"""Plans of Dockerfiles as people write them. `ONGGI_UPDATE_GOLDEN=1` writes these anew, to be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.build.plan import Asked, Plan, make_plan
from core.dockerfile.parser import parse
from core.oci.image import Platform

GOLDEN = Path(__file__).parents[2] / "golden" / "dockerfile"
SAMPLES = sorted(GOLDEN.glob("*.Dockerfile"))
ARM = Asked(platform=Platform("linux", "arm64"), machine=Platform("linux", "amd64"))


def printed(plan: Plan) -> str:
    lines = [f"arg {name}={value}" for name, value in sorted(plan.args.items())]
    for planned in plan.stages:
        base = planned.base_image or ("scratch" if planned.base_stage is None else f"stage {planned.base_stage}")
        platform = f" for {planned.platform}" if planned.platform else ""
        lines.append(f"stage {planned.stage.index} {planned.name} on {base}{platform}")
        if planned.needs:
            lines.append(f"  needs {' '.join(str(index) for index in sorted(planned.needs))}")
        lines += [f"  from {name}" for name in planned.images]
        lines += [f"  {type(command).__name__.lower()} at {command.range}" for command in planned.stage.commands]
    return "\n".join([*lines, f"{plan.steps} steps"]) + "\n"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_plans_are_as_recorded(sample: Path) -> None:
    found = printed(make_plan(parse(sample.read_bytes()), ARM))
    if os.environ.get("ONGGI_UPDATE_GOLDEN"):
        sample.with_suffix(".plan").write_text(found)
    assert found == sample.with_suffix(".plan").read_text()


def test_there_are_many_samples() -> None:
    assert len(SAMPLES) >= 30
