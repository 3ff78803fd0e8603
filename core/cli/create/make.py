"""`POST /containers/create` for `run` and `create`, with the pull in front of it."""

from __future__ import annotations

import os

from core.cli.context import OWN_ID, Context, warn
from core.cli.failure import PROGRAM, CommandFailed
from core.cli.parser import Arguments
from core.client import jsontext
from core.client.address import quote
from core.errors import EngineError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PULL = ("always", "missing", "never")
_COMMAND_LIMIT = 16 * 1024  # bytes of a header, of which the engine takes no more than 64 KiB


def make(context: Context, given: Arguments, request: dict[str, Any]) -> str:
    """Create the container and return its id. Raises EngineError, CommandFailed."""
    pull = given.text("pull") or "missing"
    if pull not in PULL:
        raise CommandFailed(f'invalid pull option: \'{pull}\': must be one of "always", "missing" or "never"', 125)
    cidfile = given.text("cidfile")
    if cidfile and os.path.exists(cidfile):  # noqa: PTH110
        message = f"container ID file found, make sure the other container isn't running or delete {cidfile}"
        raise CommandFailed(message, 125)
    image = given.operands[0]
    if pull == "always":
        fetch(context, image, platform=given.text("platform"), quiet=given.on("quiet"))
    try:
        made = _post(context, given, request)
    except NotFound as error:
        if pull != "missing" or not _is_image(error.message):
            raise
        if not given.on("quiet"):
            warn(f"Unable to find image '{familiar(image)}' locally")
        _fetch_with_hint(context, given)
        made = _post(context, given, request)
    for warning in made.get("Warnings") or ():
        warn(f"WARNING: {warning}")
    if cidfile:
        with open(cidfile, "w", encoding="ascii") as file:
            file.write(made["Id"])
    return str(made["Id"])


def _is_image(message: str) -> bool:
    return message.lower().startswith("no such image")


def _post(context: Context, given: Arguments, request: dict[str, Any]) -> dict[str, Any]:
    command = quote(jsontext.dumps([PROGRAM, *context.argv]))
    headers = {OWN_ID: os.urandom(32).hex()}
    if len(command) <= _COMMAND_LIMIT:
        headers["Onggi-Command"] = command
    query = {"name": given.text("name") or None, "platform": given.text("platform").lower() or None}
    made = context.engine.call("POST", "/containers/create", query, request, headers=headers)
    if not isinstance(made, dict) or "Id" not in made:
        raise CommandFailed("the engine made a container and did not say which", 125)
    return made


def _fetch_with_hint(context: Context, given: Arguments) -> None:
    try:
        fetch(context, given.operands[0], platform=given.text("platform"), quiet=given.on("quiet"))
    except EngineError:
        from core.cli import hints

        meant = hints.image(given.operands[0], given.operands, context.argv)
        if meant:
            warn(meant)
        raise


def fetch(context: Context, image: str, *, platform: str = "", quiet: bool) -> None:
    """Pull an image, telling on stderr. Raises CommandFailed with the registry's or the engine's reason."""
    from core.cli import registries

    reference = registries.parse(image).with_default_tag()
    registries.fetch(context, reference, platform=platform, quiet=quiet, to_stderr=True)


def familiar(image: str) -> str:
    """`busybox` as `busybox:latest`; what has a tag or digest stays."""
    last = image.rsplit("/", 1)[-1]
    return image if ":" in last or "@" in last else f"{image}:latest"
