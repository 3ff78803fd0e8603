"""`build --label`: a LABEL for each at the end of the target, as Docker's builder does it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from core.dockerfile.instructions import Dockerfile, Label


def with_labels(file: Dockerfile, labels: Mapping[str, str], target: str) -> Dockerfile:
    """The file with LABELs appended to stage `target`, "" = the last. An unknown one is the plan's to refuse."""
    stage = file.stage(target) if target else file.stages[-1]
    if not labels or stage is None:
        return file
    where = (stage.commands[-1] if stage.commands else stage.start).range
    added = tuple(
        Label(range=where, text=f"LABEL {name}={value}", pairs=((_literal(name), _literal(value)),))
        for name, value in sorted(labels.items())
    )
    changed = replace(stage, commands=(*stage.commands, *added))
    return replace(file, stages=tuple(changed if item is stage else item for item in file.stages))


def _literal(text: str) -> str:
    """Quoted so that nothing in it is expanded."""
    return "'" + text.replace("'", "'\"'\"'") + "'" if text else ""
