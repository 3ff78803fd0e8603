"""`onggi images` and `onggi tag`"""

from __future__ import annotations

from core.cli import listing, preferences, units, values, words
from core.cli.context import Context
from core.cli.failure import NO_REFERENCE, CommandFailed, engine_says
from core.cli.parser import Arguments, Command, option, several, switch
from core.client.address import quote
from core.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

NONE = "<none>"
HEADERS = {
    "ID": "IMAGE ID", "Repository": "REPOSITORY", "Tag": "TAG", "Digest": "DIGEST", "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT", "Size": "SIZE", "Containers": "CONTAINERS", "VirtualSize": "VIRTUAL SIZE",
    "SharedSize": "SHARED SIZE", "UniqueSize": "UNIQUE SIZE", "LastUsed": "LAST USED",
}  # fmt: skip
COLUMNS = ("Repository", "Tag", "ID", "CreatedSince", "Size")
_WITH_DIGEST = ("Repository", "Tag", "Digest", "ID", "CreatedSince", "Size")


def images(context: Context, given: Arguments) -> int:
    """List images, one row a name."""
    filters = values.filters(given.texts("filter"))
    if given.operands:
        filters.setdefault("reference", []).append(given.operands[0])
    found = context.engine.get("/images/json", {"all": given.on("all") or None, "filters": filters})
    template = given.text("format") if given.on("tree") else preferences.template(given, "images")
    if given.on("tree"):
        import sys

        from core.cli.verb import imagetree

        if template or given.on("quiet"):
            raise CommandFailed("--tree shows a table of its own: it goes with neither --format nor --quiet")
        sys.stdout.write(imagetree.show(context, found, full=given.on("no-trunc")))
        return 0
    digests = given.on("digests") or ".Digest" in template
    rows = [row for image in found for row in rows_of(image, full=given.on("no-trunc"), digests=digests)]
    if ".LastUsed" in template:  # ours alone: not in what `json` shows, which is Docker's
        times = {words.short_id(image["Id"]): image.get("LastUsed") for image in found}
        for row in rows:
            used = times.get(words.short_id(row["ID"]))
            row["LastUsed"] = words.ago(used) if used else "N/A"
    if given.on("quiet") and not template:
        listing.show_ids(rows)
        return 0
    listing.show(rows, HEADERS, _WITH_DIGEST if given.on("digests") else COLUMNS, template)
    return 0


def rows_of(image: Mapping[str, Any], *, full: bool, digests: bool) -> Iterator[dict[str, Any]]:
    """One row for each name of an image; with `digests`, for each name and digest."""
    for repository, tag, digest in _names(image.get("RepoTags") or (), image.get("RepoDigests") or (), digests):
        created, size, shared = image["Created"], image["Size"], image.get("SharedSize", -1)
        yield {
            "Containers": _count(image.get("Containers")),
            "CreatedAt": words.calendar(created),
            "CreatedSince": words.ago(created) if created > 0 else "N/A",
            "Digest": digest,
            "ID": image["Id"] if full else words.short_id(image["Id"]),
            "Repository": repository,
            "SharedSize": _bytes(shared),
            "Size": units.human_size(size, 3),
            "Tag": tag,
            "UniqueSize": _bytes(size - shared if shared >= 0 else -1),
            "VirtualSize": units.human_size(image.get("VirtualSize") or size),
        }


def _names(tags: Iterable[str], digests: Iterable[str], with_digests: bool) -> list[tuple[str, str, str]]:
    of_repository: dict[str, list[str]] = {}
    for text in digests:
        repository, _, digest = text.partition("@")
        of_repository.setdefault(repository, []).append(digest)
    of_repository.pop(NONE, None)
    found = []
    named = set()
    for text in tags:
        repository, _, tag = text.rpartition(":")
        if repository == NONE:
            continue
        named.add(repository)
        known = of_repository.get(repository) or [NONE]
        found += [(repository, tag, digest) for digest in (known if with_digests else known[:1])]
    for repository, known in of_repository.items():
        if repository not in named:
            found += [(repository, NONE, digest) for digest in known]
    return found or [(NONE, NONE, NONE)]


def _count(value: int | None) -> str:
    return "N/A" if value is None or value < 0 else str(value)


def _bytes(value: int | None) -> str:
    return "N/A" if value is None or value < 0 else units.human_size(value)


def tag(context: Context, given: Arguments) -> int:
    """Give an image one more name."""
    source, target = given.operands
    last = target.rsplit("/", 1)[-1]
    repository, name = target, ""
    if ":" in last and not last.endswith(":"):  # "a:" goes as it is: the engine refuses it
        repository, _, name = target.rpartition(":")
    try:
        context.engine.post(f"/images/{quote(source)}/tag", {"repo": repository, "tag": name or None})
    except InvalidArgument as error:
        message = f'Error parsing reference: "{target}" is not a valid repository/tag: {error}'
        raise CommandFailed(message if error.message.startswith(NO_REFERENCE) else engine_says(error)) from error
    return 0


IMAGES = Command(
    images,
    "List images",
    "[REPOSITORY[:TAG]]",
    (
        switch("all", "a", "Show all images (default hides intermediate images)"),
        switch("digests", "", "Show digests"),
        several(
            "filter", "f", "Filter output based on conditions provided", metavar="filter", parse=values.filter_
        ),
        option(
            "format", "", "Format output using a custom template: 'table', 'table TEMPLATE', 'json' or TEMPLATE"
        ),
        switch("no-trunc", "", "Don't truncate output"),
        switch("quiet", "q", "Only show image IDs"),
        switch("tree", "", "Show which image stands on which, and what each adds"),
    ),
    most=1,
)
TAG = Command(
    tag,
    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    least=2,
    most=2,
)
