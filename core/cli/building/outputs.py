"""`--output`: what becomes of what was built. docs.docker.com/reference/cli/docker/buildx/build, "output"."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from core.cli.failure import CommandFailed
from core.client.address import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import IO

    from core.client.transport import Client

KINDS = ("cacheonly", "docker", "image", "local", "oci", "registry", "tar")
_FIELDS = frozenset({"type", "dest", "destination", "name", "push", "tar", "oci-mediatypes", "platform-split"})
_TRUE = ("true", "1", "")


class Output:
    """One `--output`: `kind` and where it goes, "-" = stdout, "" = it stays an image; `name` is one more of it."""

    def __init__(self, kind: str, dest: str, name: str = "", *, push: bool = False) -> None:
        self.kind = kind
        self.dest = dest
        self.name = name
        self.push = push


def parse_output(text: str) -> Output:
    """`type=KIND,dest=PATH`, or PATH alone for a folder, `-` for a tar. Raises CommandFailed."""
    if "=" not in text:
        return _checked(Output("tar", "-") if text == "-" else Output("local", text))
    fields = dict(field.partition("=")[::2] for field in text.split(","))
    kind, dest = fields.get("type", ""), fields.get("dest") or fields.get("destination") or ""
    if kind not in KINDS:
        raise CommandFailed(f"ERROR: invalid output type: {kind or text}; it is one of {', '.join(KINDS)}")
    for name in fields:
        if name not in _FIELDS:
            raise CommandFailed(f"ERROR: output option {name} is not supported")
    if fields.get("tar", "true").lower() not in _TRUE:
        raise CommandFailed("ERROR: output option tar=false is not supported: unpack the archive")
    if kind == "local" and dest in ("", "-"):
        raise CommandFailed("ERROR: output type local needs a dest=FOLDER")
    if kind in ("oci", "tar") and not dest:
        dest = "-"
    push = kind == "registry" or ("push" in fields and fields["push"].lower() in _TRUE)
    return _checked(Output(kind, dest, fields.get("name", ""), push=push))


def _checked(output: Output) -> Output:
    if output.dest == "-" and sys.stdout.isatty():
        raise CommandFailed("ERROR: dest file is required for this output: refusing to write to a terminal")
    return output


def write(engine: Client, image: str, names: Sequence[str], output: Output) -> None:
    """Write an image as asked; what stays in the engine is as it was."""
    if output.kind in ("docker", "oci"):
        if output.dest:
            query = {"names": list(names) or [image]}
            _to_file(engine.open("GET", "/images/get", query), output.dest)
    elif output.kind in ("local", "tar"):
        container = engine.post("/containers/create", body=_BODY | {"Image": image})["Id"]
        try:
            tree = engine.open("GET", f"/containers/{quote(container)}/export")
            if output.kind == "tar":
                _to_file(tree, output.dest)
            else:
                _to_folder(iter(tree), output.dest)
        finally:
            engine.delete(f"/containers/{quote(container)}", {"force": "1", "v": "1"})


_BODY = {"Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}


def _to_file(pieces: Iterable[bytes], dest: str) -> None:
    if dest == "-":
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
        return
    beside = Path(f"{dest}.part-{os.getpid()}")
    try:
        with beside.open("xb") as file:
            file.writelines(pieces)
        beside.replace(dest)
    except OSError as error:
        raise CommandFailed(f"ERROR: failed to write {dest}: {(error.strerror or '').lower()}") from error
    finally:
        beside.unlink(missing_ok=True)


def _to_folder(pieces: Iterator[bytes], dest: str) -> None:
    """Files land as the user's own, and set-id bits stay behind."""
    import tarfile

    from core.cli.landing import Landing

    Path(dest).mkdir(parents=True, exist_ok=True)
    landing = Landing(dest, keep_owners=False)
    try:
        with tarfile.open(fileobj=_file_of(pieces), mode="r|") as archive:
            landing.unpack(archive, 0, ())
    except OSError as error:
        raise CommandFailed(f"ERROR: failed to write {dest}: {(error.strerror or str(error)).lower()}") from error
    finally:
        landing.close()


def _file_of(pieces: Iterator[bytes]) -> IO[bytes]:
    return _Pieces(pieces)  # type: ignore[return-value]  # read is all that a stream of tarfile calls


class _Pieces:
    """Pieces as a file that can be read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, fewer only at the end."""
        while len(self._left) < size and (piece := next(self._pieces, None)) is not None:
            self._left += piece
        found, self._left = self._left[:size], self._left[size:]
        return found
