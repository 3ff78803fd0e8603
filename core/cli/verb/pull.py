"""`onggi pull`: an image from a registry."""

from __future__ import annotations

from core.cli import registries
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, option, switch
from core.client.address import quote
from core.errors import NotFound

POLICIES = ("always", "missing", "never", "newer")


def pull(context: Context, given: Arguments) -> int:
    """Layers that are here already are not fetched again. Ends with the whole name on stdout.

    "always" and "newer" are one: what the registry has is asked for, and nothing comes that is here.
    """
    all_tags, quiet = given.on("all-tags"), given.on("quiet")
    policy = given.text("policy") or "always"
    if policy not in POLICIES:
        raise CommandFailed(f"invalid pull policy '{policy}': must be one of {', '.join(POLICIES)}", 125)
    if all_tags and policy in ("missing", "never"):
        raise CommandFailed(f"policy '{policy}' can't be used with --all-tags/-a: it asks for one image", 125)
    reference = registries.tagged(given.operands[0], all_tags=all_tags, quiet=quiet)
    if policy in ("missing", "never"):
        here = _is_here(context, reference.familiar, given.text("platform"))
        if here or policy == "never":
            if not here:
                raise CommandFailed(f"No such image: {reference.familiar}")
            if not quiet:
                print(f"Status: Image is here already: {reference.familiar}")
            print(reference)
            return 0
    registries.fetch(context, reference, platform=given.text("platform"), quiet=quiet)
    print(reference)
    return 0


def _is_here(context: Context, name: str, platform: str) -> bool:
    """Whether the engine has an image, and for the platform that is asked for, if one is."""
    try:
        found = context.engine.get(f"/images/{quote(name)}/json")
    except NotFound:
        return False
    own = (found.get("Os"), found.get("Architecture"), found.get("Variant") or "")
    asked = [*platform.lower().split("/"), ""][:3] if platform else []
    return all(not part or part == has for part, has in zip(asked, own, strict=False))


PULL = Command(
    pull,
    "Download an image from a registry",
    "NAME[:TAG|@DIGEST]",
    (
        switch("all-tags", "a", "Download all tagged images in the repository"),
        switch("disable-content-trust", "", "Skip image verification", default=True),
        option("platform", "", "Set platform if server is multi-platform capable"),
        option("policy", "", 'When to ask the registry ("always", "missing", "never", "newer")'),
        switch("quiet", "q", "Suppress verbose output"),
    ),
    least=1,
    most=1,
)
