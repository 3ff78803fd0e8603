"""`onggi push`: an image to a registry."""

from __future__ import annotations

from core.cli import progress, registries
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, option, switch
from core.client.address import quote


def push(context: Context, given: Arguments) -> int:
    """Layers that the registry has already are not sent again."""
    all_tags, quiet = given.on("all-tags"), given.on("quiet")
    reference = registries.tagged(given.operands[0], all_tags=all_tags, quiet=quiet)
    if reference.digest:
        raise CommandFailed("cannot push a digest reference")
    response = context.engine.open(
        "POST",
        f"/images/{quote(reference.familiar_name)}/push",
        {"tag": reference.tag, "platform": given.text("platform") or None},
        headers=registries.headers_for(reference.domain),
    )
    progress.follow(response.values(), quiet=quiet, plain=True)
    if quiet:
        print(reference)
    return 0


PUSH = Command(
    push,
    "Upload an image to a registry",
    "NAME[:TAG]",
    (
        switch("all-tags", "a", "Push all tags of an image to the repository"),
        switch("disable-content-trust", "", "Skip image signing", default=True),
        option("platform", "", "Push a platform-specific manifest"),
        switch("quiet", "q", "Suppress verbose output"),
    ),
    least=1,
    most=1,
)
