"""`onggi push`: an image to a registry, or images to the engine of another machine."""

from __future__ import annotations

from core.cli import progress, registries
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, switch
from core.client.address import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SSH = "ssh://"


def push(context: Context, given: Arguments) -> int:
    """Layers that the other side has already are not sent again."""
    if given.operands[0].startswith(_SSH):
        from core.cli.verb.transfer import push_ssh

        return push_ssh(context, given.operands[0], given.operands[1:], quiet=given.on("quiet"))
    all_tags, quiet = given.on("all-tags"), given.on("quiet")
    reference = registries.tagged(given.operands[0], all_tags=all_tags, quiet=quiet)
    if reference.digest:
        raise CommandFailed("cannot push a digest reference")
    response = context.engine.open(
        "POST",
        f"/images/{quote(reference.familiar_name)}/push",
        {"tag": reference.tag},
        headers=registries.headers_for(reference.domain),
    )
    progress.follow(response.values(), quiet=quiet, plain=True)
    if quiet:
        print(reference)
    return 0


class _Push(Command):
    """An address of a machine takes images after it; a name is alone."""

    def parse(self, path: str, argv: Sequence[str]) -> Arguments | None:
        """See `Command.parse`."""
        to_machine = any(word.startswith(_SSH) for word in argv)
        self.least, self.most = (2, None) if to_machine else (1, 1)
        return super().parse(path, argv)


PUSH = _Push(
    push,
    "Upload an image to a registry, or images to the engine of another machine",
    "NAME[:TAG] | ssh://[USER@]HOST[:PORT] IMAGE...",
    (
        switch("all-tags", "a", "Push all tags of an image to the repository"),
        switch("disable-content-trust", "", "Skip image signing", default=True),
        switch("quiet", "q", "Suppress verbose output"),
    ),
    least=1,
    most=1,
)
