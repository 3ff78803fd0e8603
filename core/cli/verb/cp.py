"""`onggi cp`: files between a container, which need not run, and this machine."""

from __future__ import annotations

import base64
import os
import posixpath
import stat
import sys
import tarfile
import threading
from typing import IO, Any

from core.cli import units
from core.cli.context import Context
from core.cli.copying import Aim, Place, aim, asserts_directory, base_of, split
from core.cli.failure import CommandFailed
from core.cli.landing import Landing
from core.cli.parser import Arguments, Command, switch
from core.client import jsontext
from core.client.address import quote
from core.client.transport import Response
from core.errors import NotFound

_STAT = "x-docker-container-path-stat"
_DIRECTORY, _LINK = 1 << 31, 1 << 27  # of Go's io/fs.FileMode
_PIECE = 1 << 20


def cp(context: Context, given: Arguments) -> int:
    """As `cp -r` and Docker's rules have it; `-` is a tar on stdin or stdout."""
    (source, source_path), (target, target_path) = (split(argument) for argument in given.operands)
    if not source_path or not target_path:
        raise CommandFailed(f"{'destination' if source_path else 'source'} can not be empty")
    if source and target:
        raise CommandFailed("copying between containers is not supported")
    if not source and not target:
        raise CommandFailed("must specify at least one container source")
    if source:
        count = _fetch(context, given, source, source_path, target_path)
        where = target_path
    else:
        count = _send(context, given, source_path, target, target_path)
        where = f"{target}:{target_path}"
    quiet = given.on("quiet") if given.given("quiet") else not sys.stdout.isatty()
    if not quiet and where != "-":
        print(f"Successfully copied {units.human_size(count, 3)} to {where}", file=sys.stderr)
    return 0


def _archive(container: str) -> str:
    return f"/containers/{quote(container)}/archive"


def _stat_of(response: Response) -> dict[str, Any]:
    try:
        found = jsontext.loads(base64.b64decode(response.headers[_STAT]))
    except (KeyError, ValueError) as error:
        raise CommandFailed("the engine does not say what the path is") from error
    return found if isinstance(found, dict) else {}


def _stat(context: Context, container: str, path: str) -> dict[str, Any]:
    """What is at a path of a container. Raises NotFound."""
    response = context.engine.open("HEAD", _archive(container), {"path": path})
    response.close()
    return _stat_of(response)


class Counted:
    """A stream as a file that is read, which counts."""

    def __init__(self, response: Response) -> None:
        self._pieces = iter(response)
        self._rest = b""
        self.count = 0

    def read(self, size: int) -> bytes:
        """`size` bytes, fewer at the end."""
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        found, self._rest = self._rest[:size], self._rest[size:]
        self.count += len(found)
        return found


def _fetch(context: Context, given: Arguments, container: str, path: str, target: str) -> int:
    """Out of a container; the bytes of the tar."""
    name = base_of(path)
    if target != "-":
        _check_output(target)
    if given.on("follow-link"):
        path = _followed(context, container, path)
    response = context.engine.open("GET", _archive(container), {"path": path})
    found = _stat_of(response)
    if target == "-":
        for piece in response:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return 0
    real = os.path.realpath(target) if os.path.islink(target) else target  # noqa: PTH114
    place = Place(real, os.path.exists(real), os.path.isdir(real))  # noqa: PTH110, PTH112
    where = aim(name, bool(found.get("mode", 0) & _DIRECTORY), place)
    source = Counted(response)
    landing = Landing(where.folder, keep_owners=given.on("archive"))
    try:
        with tarfile.open(fileobj=source, mode="r|") as tar:  # type: ignore[call-overload]
            landing.unpack(tar, 1 if base_of(path) else 0, (where.name,) if where.name else ())
        while source.read(_PIECE):
            pass
    except tarfile.TarError as error:
        raise CommandFailed(f"the engine's archive is damaged: {error}") from error
    finally:
        landing.close()
    return source.count


def _check_output(target: str) -> None:
    folder = os.path.dirname(os.path.normpath(target))  # noqa: PTH120
    if folder and not os.path.isdir(folder):  # noqa: PTH112
        raise CommandFailed(f'invalid output path: directory "{target}" does not exist')
    if os.path.exists(target):  # noqa: PTH110
        mode = os.stat(target).st_mode  # noqa: PTH116
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            kind = "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "an irregular file"
            raise CommandFailed(
                f'invalid output path: "{target}" must be a directory or a regular file: got {kind}'
            )


def _followed(context: Context, container: str, path: str) -> str:
    """Where a link leads in the container; a path that is none, or is not there, as it is."""
    try:
        found = _stat(context, container, path)
    except NotFound:
        return path  # the engine says why when it is asked for the archive
    link = str(found.get("linkTarget") or "")
    if not found.get("mode", 0) & _LINK or not link:
        return path
    return link if link.startswith("/") else posixpath.join(posixpath.dirname(path), link)


def _send(context: Context, given: Arguments, source: str, container: str, path: str) -> int:
    """Into a container; the bytes of the tar."""
    place = _place(context, container, path)
    query = {"noOverwriteDirNonDir": "true", "copyUIDGID": given.on("archive") or None}
    if source == "-":
        if not place.is_directory:
            raise CommandFailed(f'destination "{container}:{path}" must be a directory')
        context.engine.open("PUT", _archive(container), {**query, "path": place.path}, sys.stdin.buffer).read()
        return 0
    name = base_of(source)
    if name == "..":
        name = base_of(os.path.realpath(source))
    subject = _source(source, follow=given.on("follow-link"))
    where = aim(name, os.path.isdir(subject) and not os.path.islink(subject), place)  # noqa: PTH112, PTH114
    reader, writer = os.pipe()
    packing = Packing(subject, where, writer)
    packing.start()
    sent = [0]
    try:
        with open(reader, "rb") as body:
            context.engine.open(
                "PUT", _archive(container), {**query, "path": where.folder}, body, progress=_keeper(sent)
            ).read()
    finally:
        packing.join()
    if packing.error is not None:
        raise packing.error
    return sent[0]


def _keeper(sent: list[int]) -> Any:
    def keep(count: int) -> None:
        sent[0] = count

    return keep


def _place(context: Context, container: str, path: str) -> Place:
    """What is at the destination, links followed; where nothing is, its folder may be."""
    path = path if path.startswith("/") else f"/{path}"
    try:
        found = _stat(context, container, path)
        if found.get("mode", 0) & _LINK:
            link = str(found.get("linkTarget") or "")
            path = link if link.startswith("/") else posixpath.join(posixpath.dirname(path), link)
            found = _stat(context, container, path)
    except NotFound as error:
        if "No such container" in error.message:
            raise
        return Place(path, False)
    return Place(path, True, bool(found.get("mode", 0) & _DIRECTORY))


def _source(path: str, *, follow: bool) -> str:
    """The thing to send: the last link is followed only when asked for, or by a slash. Raises CommandFailed."""
    subject = os.path.realpath(path) if follow or asserts_directory(path) else path
    try:
        found = os.lstat(subject)
    except OSError as error:
        raise CommandFailed(f"lstat {os.path.abspath(path)}: {(error.strerror or '').lower()}") from error  # noqa: PTH100
    if asserts_directory(path) and not stat.S_ISDIR(found.st_mode):
        raise CommandFailed(f"lstat {path}: not a directory")
    return subject


class Packing(threading.Thread):
    """Writes a tar of `subject` into a pipe."""

    def __init__(self, subject: str, where: Aim, writer: int) -> None:
        super().__init__(daemon=True)
        self._subject = subject
        self._name = where.name or "."
        self._writer = writer
        self.error: CommandFailed | None = None

    def run(self) -> None:
        """Until all is written, or nobody reads any more."""
        try:
            with open(self._writer, "wb") as file, _tar(file) as tar:
                tar.add(self._subject, self._name, filter=_plain)
        except BrokenPipeError:
            pass  # the engine has answered before it had read everything, and says why
        except OSError as error:
            self.error = CommandFailed(f"{error.filename or self._subject}: {(error.strerror or '').lower()}")


def _tar(file: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT)


def _plain(item: tarfile.TarInfo) -> tarfile.TarInfo:
    """Names of users mean nothing in a container, and its files have whole seconds."""
    item.uname = item.gname = ""
    item.mtime = int(item.mtime)
    return item


CP = Command(
    cp,
    "Copy files/folders between a container and the local filesystem",
    "CONTAINER:SRC_PATH DEST_PATH|-\n\tonggi cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    (
        switch("archive", "a", "Archive mode (copy all uid/gid information)"),
        switch("follow-link", "L", "Always follow symbol link in SRC_PATH"),
        switch("quiet", "q", "Suppress progress output during copy"),
    ),
    least=2,
    most=2,
)
