"""`onggi manifest inspect`: what a registry has under a name, without fetching it."""

from __future__ import annotations

import json

from core.cli import registries
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.output import line
from core.cli.parser import Arguments, Command, switch
from core.errors import NotFound
from core.oci.digest import Digest
from core.oci.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DOCKER = "application/vnd.docker."


def inspect(context: Context, given: Arguments) -> int:
    """The manifest as the registry has it; `--verbose` with where each comes from and what it is for."""
    name = given.operands[0]
    reference = registries.parse(name).with_default_tag()
    found = _fetch(context, reference, name)
    document = found["Manifest"]
    if given.on("verbose"):
        children = document.get("manifests") if isinstance(document, dict) else None
        if isinstance(children, list):
            document = [_child(context, reference, child) for child in children]
        else:
            document = _verbose(found, document, str(reference))
    line(json.dumps(document, indent="\t", ensure_ascii=False))
    return 0


def _fetch(context: Context, reference: Reference, name: str) -> dict[str, Any]:
    headers = registries.headers_for(reference.domain)
    query = {"name": str(reference)}
    try:
        found = context.engine.open("GET", "/onggi/v1/registry/manifest", query, headers=headers).json()
    except NotFound as error:
        raise CommandFailed(f"no such manifest: {name}") from error
    return dict(found)


def _child(context: Context, reference: Reference, entry: dict[str, Any]) -> dict[str, Any]:
    one = Reference(reference.domain, reference.path, None, Digest(str(entry["digest"])))
    found = _fetch(context, one, str(one))
    if "platform" in entry:
        found["Descriptor"]["platform"] = entry["platform"]
    shown = f"{reference}@{entry['digest']}" if not reference.digest else str(one)
    return _verbose(found, found["Manifest"], shown)


def _verbose(found: dict[str, Any], document: object, shown: str) -> dict[str, Any]:
    descriptor = found["Descriptor"]
    platforms: list[str] = found.get("Platforms") or []
    if "platform" not in descriptor and len(platforms) == 1:
        names = ("os", "architecture", "variant")
        descriptor = {**descriptor, "platform": dict(sorted(zip(names, platforms[0].split("/"), strict=False)))}
    kind = "SchemaV2Manifest" if descriptor["mediaType"].startswith(_DOCKER) else "OCIManifest"
    return {"Ref": shown, "Descriptor": descriptor, "Raw": found["Raw"], kind: document}


INSPECT = Command(
    inspect,
    "Display an image manifest, or manifest list",
    "MANIFEST",
    (
        switch("insecure", "", "Allow communication with an insecure registry (its host decides)"),
        switch("verbose", "v", "Output additional info including layers and platform"),
    ),
    least=1,
    most=1,
)
