"""The user's credentials that go along with a build: those of the registries that its Dockerfile names."""

from __future__ import annotations

from core.cli import registries
from core.dockerfile.parser import parse
from core.dockerfile.words import Expander
from core.errors import EngineError
from core.oci.reference import Reference
from core.wire.credentials import CONFIG_HEADER, encode_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.model.registry import Credentials


def headers(source: str, args: Mapping[str, str]) -> dict[str, str]:
    """The header of a build of the Dockerfile `source`; what cannot be read is told later."""
    found: dict[str, Credentials] = {}
    for base in _bases(source, args):
        try:
            domain = Reference.parse(base).domain
            credentials = registries.stored(domain)
        except EngineError:
            continue
        if credentials is not None:
            found[domain] = credentials
    return {CONFIG_HEADER: encode_all(found)}


def _bases(source: str, args: Mapping[str, str]) -> list[str]:
    try:
        file = parse(source.encode())
        variables = {name: value or "" for arg in file.args for name, value in arg.names} | dict(args)
        return [Expander(variables).word(stage.start.base) for stage in file.stages]
    except EngineError:
        return []
