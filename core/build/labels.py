"""`build --label`: one more LABEL at the end of the target, as Docker's builder does it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from core.dockerfile.instructions import Dockerfile, Label


def with_labels(file: Dockerfile, labels: Mapping[str, str], target: str) -> Dockerfile:
    """The file with a LABEL appended to stage `target`, "" = the last. An unknown one is the plan's to refuse."""
    stage = file.stage(target) if target else file.stages[-1]
    if not labels or stage is None:
        return file
    where = (stage.commands[-1] if stage.commands else stage.start).range
    pairs = tuple((_literal(name), _literal(value)) for name, value in sorted(labels.items()))
    text = "LABEL " + " ".join(f"{name}={value}" for name, value in sorted(labels.items()))
    label = Label(range=where, text=text, pairs=pairs)
    changed = replace(stage, commands=(*stage.commands, label))
    return replace(file, stages=tuple(changed if item is stage else item for item in file.stages))


def _literal(text: str) -> str:
    """Quoted so that nothing in it is expanded."""
    return "'" + text.replace("'", "'\"'\"'") + "'" if text else ""
