"""`commit` and `diff`: what a container has changed, kept as an image or listed."""

from __future__ import annotations

import sys

from core.cli import output
from core.cli.context import Context
from core.cli.output import shown
from core.cli.parser import Arguments, Command, option, several, switch
from core.client.address import Query, quote

_KINDS = "CAD"


def commit(context: Context, given: Arguments) -> int:
    """An image of a container as it is now; prints its id."""
    container, *reference = given.operands
    repository, tag = _split(reference[0]) if reference else ("", "")
    query: Query = {
        "container": container,
        "repo": repository or None,
        "tag": tag or None,
        "comment": given.text("message") or None,
        "author": given.text("author") or None,
        "changes": given.texts("change"),
        "pause": given.on("pause"),
    }
    print(context.engine.post("/commit", query)["Id"])
    return 0


def _split(reference: str) -> tuple[str, str]:
    head, colon, tail = reference.rpartition(":")
    return (head, tail) if colon and "/" not in tail and "@" not in head else (reference, "")


def diff(context: Context, given: Arguments) -> int:
    """A line for each path: added, changed or deleted."""
    if given.text("as"):
        from core.cli.building import drafts

        drafts.check_form(given.text("as"))
        output.text(drafts.of_container(context.engine, given.operands[0]))
        return 0
    found = context.engine.get(f"/containers/{quote(given.operands[0])}/changes")
    for change in found or ():
        sys.stdout.write(f"{_KINDS[change['Kind']]} {shown(change['Path'])}\n")
    return 0


COMMIT = Command(
    commit,
    "Create a new image from a container's changes",
    "CONTAINER [REPOSITORY[:TAG]]",
    (
        option("author", "a", 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")'),
        several("change", "c", "Apply Dockerfile instruction to the created image"),
        option("message", "m", "Commit message"),
        switch("pause", "p", "Pause container during commit", default=True),
    ),
    least=1,
    most=2,
)
DIFF = Command(
    diff,
    "Inspect changes to files or directories on a container's filesystem",
    "CONTAINER",
    (option("as", "", 'Write the changes as something else ("dockerfile": a draft of one)'),),
    least=1,
    most=1,
)
