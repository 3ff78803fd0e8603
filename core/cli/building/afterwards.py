"""What becomes of an image that was built: files, archives, a registry, and what is written down of it."""

from __future__ import annotations

import contextlib
import os

from core.cli.building import outputs
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments
from core.client import jsontext
from core.client.address import quote
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_STAYS = ("docker", "image", "registry")


def wanted(given: Arguments) -> list[outputs.Output]:
    """What the command line asks for. Raises CommandFailed."""
    found = [outputs.parse_output(text) for text in given.texts("output")]
    if given.on("push"):
        found.append(outputs.Output("registry", "", push=True))
    if any(output.push for output in found) and not names(given, found):
        raise CommandFailed("ERROR: tag is needed when pushing to registry")
    return found


def names(given: Arguments, found: list[outputs.Output]) -> list[str]:
    """The names of the image: `--tag`, and what outputs call it."""
    return [*given.texts("tag"), *(output.name for output in found if output.name)]


def carry_out(context: Context, given: Arguments, image: str, found: list[outputs.Output]) -> None:
    """Write, push, note, and forget what was only asked for as files. Raises CommandFailed, EngineError."""
    called = names(given, found)
    for output in found:
        outputs.write(context.engine, image, called, output)
    if any(output.push for output in found):
        for name in called:
            _push(context, name, quiet=given.on("quiet"))
    if given.text("metadata-file"):
        _write(given.text("metadata-file"), jsontext.dumps(_metadata(context, image, called)))
    if given.text("iidfile"):
        _write(given.text("iidfile"), image)
    if found and not called and not any(output.kind in _STAYS for output in found):
        _forget(context, image)


def _push(context: Context, name: str, *, quiet: bool) -> None:
    from core.cli import progress, registries

    reference = registries.tagged(name, all_tags=False, quiet=True)
    response = context.engine.open(
        "POST", f"/images/{quote(reference.familiar_name)}/push", {"tag": reference.tag},
        headers=registries.headers_for(reference.domain),
    )  # fmt: skip
    progress.follow(response.values(), quiet=quiet, plain=True, to_stderr=True)


def _metadata(context: Context, image: str, called: list[str]) -> dict[str, Any]:
    """docs.docker.com/reference/cli/docker/buildx/build, "metadata-file"; without what belongs to BuildKit."""
    found = context.engine.get(f"/images/{quote(image)}/json")
    told: dict[str, Any] = {"containerimage.config.digest": image}
    digests = sorted({text.rpartition("@")[2] for text in found.get("RepoDigests") or ()})
    if digests:
        told["containerimage.digest"] = digests[-1]
    if called:
        from core.oci.reference import Reference

        told["image.name"] = ",".join(str(Reference.parse(name).with_default_tag()) for name in called)
    platform = {"os": found.get("Os"), "architecture": found.get("Architecture"), "variant": found.get("Variant")}
    told["containerimage.platform"] = {name: value for name, value in platform.items() if value}
    return told


def _write(path: str, text: str) -> None:
    beside = f"{path}.part-{os.getpid()}"
    try:
        with open(beside, "x") as file:
            file.write(text)
        os.replace(beside, path)  # noqa: PTH105
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)  # noqa: PTH108
        raise CommandFailed(f"ERROR: failed to write {path}: {(error.strerror or '').lower()}") from error


def _forget(context: Context, image: str) -> None:
    """What was only asked for as files is no image afterwards, unless it was one before."""
    found = context.engine.get(f"/images/{quote(image)}/json")
    if not found.get("RepoTags"):
        with contextlib.suppress(EngineError):
            context.engine.delete(f"/images/{quote(image)}")
