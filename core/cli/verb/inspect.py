"""`onggi inspect`, for every kind of thing."""

from __future__ import annotations

import sys

from core.cli import listing, output
from core.cli.context import Context, warn
from core.cli.failure import CommandFailed, engine_says
from core.cli.parser import Arguments, Command, Run, option, switch
from core.client.address import quote
from core.errors import EngineError, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

_PATHS = {
    "container": "/containers/{}/json",
    "image": "/images/{}/json",
    "network": "/networks/{}",
    "volume": "/volumes/{}",
}
_FORMAT = option("format", "f", "Format output using a custom template: 'json' or TEMPLATE")
_SIZE = switch("size", "s", "Display total file sizes if the type is container")


def inspect(context: Context, given: Arguments) -> int:
    """Whatever has that name: container, image, network or volume."""
    kind = given.text("type")
    if kind and kind not in _PATHS:
        known = ", ".join(f'"{name}"' for name in _PATHS)
        raise CommandFailed(f'unknown type: "{kind}": must be one of {known}')
    kinds = (kind,) if kind else tuple(_PATHS)

    def find(name: str) -> Any:
        for one in kinds:
            try:
                return _get(context, one, name, size=given.on("size"))
            except NotFound:
                if kind:
                    raise
        raise CommandFailed(f"Error: No such object: {name}")

    return _show(given.operands, find, given.text("format"))


def _of(kind: str) -> Run:
    def run(context: Context, given: Arguments) -> int:
        size = kind == "container" and given.on("size")
        return _show(given.operands, lambda name: _get(context, kind, name, size=size), given.text("format"))

    return run


def _get(context: Context, kind: str, name: str, *, size: bool) -> Any:
    query = {"size": True} if size and kind == "container" else None
    return context.engine.get(_PATHS[kind].format(quote(name)), query)


def _show(names: Sequence[str], find: Callable[[str], Any], template: str) -> int:
    found, errors = [], []
    for name in names:
        try:
            found.append(find(name))
        except EngineError as error:
            errors.append(engine_says(error))
    if template == "json":
        output.line(listing.document(found, template))
    elif template:
        _by_template(found, template)
    else:
        output.print_json(found)
    sys.stdout.flush()
    for text in errors:
        warn(text)
    return 1 if errors else 0


def _by_template(found: Sequence[Any], template: str) -> None:
    for value in found:
        try:
            output.line(listing.document(value, template))
        except CommandFailed as error:
            if error.exit_code == 1:  # it parsed: Docker ends the line it had begun
                print()
            raise


def _command(kind: str, usage: str) -> Command:
    flags = (_FORMAT, _SIZE) if kind == "container" else (_FORMAT,)
    return Command(
        _of(kind), f"Display detailed information on one or more {kind}s", usage, flags, least=1, most=None
    )


INSPECT = Command(
    inspect,
    "Return low-level information on objects",
    "NAME|ID [NAME|ID...]",
    (_FORMAT, _SIZE, option("type", "", "Only inspect objects of the given type")),
    least=1,
    most=None,
)
INSPECT_CONTAINER = _command("container", "CONTAINER [CONTAINER...]")
INSPECT_IMAGE = _command("image", "IMAGE [IMAGE...]")
INSPECT_NETWORK = _command("network", "NETWORK [NETWORK...]")
INSPECT_VOLUME = _command("volume", "VOLUME [VOLUME...]")
