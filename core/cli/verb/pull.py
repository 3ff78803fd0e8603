"""`onggi pull`: an image from a registry."""

from __future__ import annotations

from core.cli import registries
from core.cli.context import Context
from core.cli.parser import Arguments, Command, option, switch


def pull(context: Context, given: Arguments) -> int:
    """Layers that are here already are not fetched again. Ends with the whole name on stdout."""
    all_tags, quiet = given.on("all-tags"), given.on("quiet")
    reference = registries.tagged(given.operands[0], all_tags=all_tags, quiet=quiet)
    registries.fetch(context, reference, platform=given.text("platform"), quiet=quiet)
    print(reference)
    return 0


PULL = Command(
    pull,
    "Download an image from a registry",
    "NAME[:TAG|@DIGEST]",
    (
        switch("all-tags", "a", "Download all tagged images in the repository"),
        switch("disable-content-trust", "", "Skip image verification", default=True),
        option("platform", "", "Set platform if server is multi-platform capable"),
        switch("quiet", "q", "Suppress verbose output"),
    ),
    least=1,
    most=1,
)
