"""The user's credentials that go along with a build: those of the registries that its Dockerfile names."""

from __future__ import annotations

from core.cli import registries
from core.client.buildcontext import IMAGE
from core.dockerfile.instructions import Copy, Run
from core.dockerfile.parser import parse
from core.dockerfile.words import Expander
from core.errors import EngineError
from core.oci.reference import Reference
from core.wire.credentials import CONFIG_HEADER, encode_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from core.model.registry import Credentials


def headers(source: str, args: Mapping[str, str], more: Sequence[str] = ()) -> dict[str, str]:
    """The header of a build of the Dockerfile `source`, and of the images `more`; errors are told later."""
    found: dict[str, Credentials] = {}
    for base in (*_bases(source, args), *more):
        try:
            domain = Reference.parse(base).domain
            credentials = registries.stored(domain)
        except EngineError:
            continue
        if credentials is not None:
            found[domain] = credentials
    return {CONFIG_HEADER: encode_all(found)}


def named(caches: Iterable[str], contexts: Iterable[str]) -> list[str]:
    """The images among caches (a name, or `type=registry,ref=NAME`) and named contexts."""
    images = [text.removeprefix(IMAGE) for text in contexts if text.startswith(IMAGE)]
    found = [name for name in images if not name.startswith("sha256:")]
    for text in caches:
        fields = dict(field.partition("=")[::2] for field in text.split(","))
        found += [fields["ref"]] if "ref" in fields else [text] if "=" not in text else []
    return found


def _bases(source: str, args: Mapping[str, str]) -> list[str]:
    try:
        file = parse(source.encode())
        variables = {name: value or "" for arg in file.args for name, value in arg.names} | dict(args)
        found = [Expander(variables).word(stage.start.base) for stage in file.stages]
        for command in (command for stage in file.stages for command in stage.commands):
            if isinstance(command, Copy) and command.from_:
                found.append(command.from_)
            elif isinstance(command, Run):
                found += [name for mount in command.mounts if (name := mount.get("from"))]
        return found
    except EngineError:
        return []
