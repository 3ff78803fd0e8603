"""`save`, `load`, `export`, `import`: images and file systems as tar archives."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, nullcontext

from core.cli import hints, progress
from core.cli.context import Context, warn
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, option, several, switch
from core.client.address import Query, quote
from core.client.transport import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

_REFUSAL = "cowardly refusing to save to a terminal. Use the -o flag or redirect"
_OUTPUT = option("output", "o", "Write to a file, instead of STDOUT")


def save(context: Context, given: Arguments) -> int:
    """Images with their layers, names and history."""
    _refuse_terminal(given)
    path = _output_path(given, "failed to save image")
    query: Query = {"names": given.operands}
    if path and not _is_special(path) and context.host.startswith("unix://"):
        with _beside(path) as file:
            if not _handed_over(context, "/onggi/v1/images/save", query, file, quiet=False, vanishes=True):
                file.writelines(_counted(context.engine.open("GET", "/images/get", query), "Saving"))
        return 0
    _keep(context.engine.open("GET", "/images/get", query), path, "Saving")
    return 0


def export(context: Context, given: Arguments) -> int:
    """The file system of a container, flat: no volumes, no configuration."""
    _refuse_terminal(given)
    path = _output_path(given, "failed to export container")
    _keep(context.engine.open("GET", f"/containers/{quote(given.operands[0])}/export"), path, "Exporting")
    return 0


def _refuse_terminal(given: Arguments) -> None:
    if not given.text("output") and sys.stdout.isatty():
        raise CommandFailed(_REFUSAL)


def _output_path(given: Arguments, failure: str) -> str:
    path = given.text("output")
    folder = os.path.dirname(path)  # noqa: PTH120
    if folder and not os.path.isdir(folder):  # noqa: PTH112
        raise CommandFailed(f"{failure}: invalid output path: stat {folder}: no such file or directory")
    return path


def _keep(response: Response, path: str, doing: str) -> None:
    """The body to a file, which appears whole or not at all, or to stdout."""
    if not path:
        # Where another program reads, it may have the terminal: a password is asked for there.
        to_file = stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode)
        for piece in _counted(response, doing) if to_file else response:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    if _is_special(path):
        with open(path, "wb") as file:
            file.writelines(response)
        return
    with _beside(path) as file:
        file.writelines(_counted(response, doing))


def _counted(response: Response, doing: str) -> Iterator[bytes]:
    """The body, with a bar beside it. Our own engine says how long it will be."""
    told = response.headers.get("onggi-size", "")
    done = 0
    with progress.meter(doing, int(told) if told.isascii() and told.isdigit() else 0) as moved:
        for piece in response:
            yield piece
            done += len(piece)
            moved(done)


def _is_special(path: str) -> bool:
    """A device or a pipe, which is never replaced by a file."""
    return os.path.exists(path) and not os.path.isfile(path)  # noqa: PTH110, PTH113


@contextmanager
def _beside(path: str) -> Iterator[IO[bytes]]:
    """A file that becomes `path` when all went well, and goes when not."""
    beside = f"{path}.part-{os.getpid()}"
    try:
        with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:  # as Docker's
            yield file
        os.replace(beside, path)  # noqa: PTH105
    except BaseException as error:
        if os.path.exists(beside):  # noqa: PTH110
            os.unlink(beside)  # noqa: PTH108
        if isinstance(error, OSError) and error.errno and not error.filename:
            raise CommandFailed(f"write {path}: {os.strerror(error.errno).lower()}") from error
        raise


@contextmanager
def _source(path: str) -> Iterator[IO[bytes]]:
    if path in ("", "-"):
        yield sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: SIM115
    except OSError as error:
        raise CommandFailed(f"open {path}: {os.strerror(error.errno or 0).lower()}") from error
    with file:
        if os.path.isdir(path):  # noqa: PTH112
            raise CommandFailed(f"read {path}: is a directory")
        yield file


def load(context: Context, given: Arguments) -> int:
    """Images from an archive of `save`, of Docker or of skopeo."""
    path = given.text("input")
    if not path and sys.stdin.isatty():
        raise CommandFailed("requested load from stdin, but stdin is empty")
    query: Query = {"quiet": given.on("quiet") or not sys.stdout.isatty()}
    with _source(path) as file:
        if not _handed_over(context, "/onggi/v1/images/load", query, file, quiet=given.on("quiet")):
            _send(context, "/images/load", query, file, quiet=given.on("quiet"))
    return 0


def _handed_over(
    context: Context, path: str, query: Query, file: IO[bytes], *, quiet: bool, vanishes: bool = False
) -> bool:
    """Let the engine read or write the file itself, where it is on this machine and knows how; False where not."""
    from core.client.transport import hand_over
    from core.errors import EngineError

    if not context.host.startswith("unix://") or not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or file.tell():
        return False
    try:
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
        response = context.engine.open("POST", path, query, headers=headers)
    except EngineError:
        return False  # another engine, or an older one; or it says the same to the usual call
    hand_over(response.sock, file.fileno())
    if not _follow(response, quiet=quiet, vanishes=vanishes):
        raise CommandFailed("the engine closed the connection inside an answer")
    return True


def import_(context: Context, given: Arguments) -> int:
    """One image of one layer from a flat file system; or the starter image of this machine."""
    if given.on("starter"):
        if given.operands:
            raise CommandFailed("--starter makes its own image: it takes no archive")
        response = context.engine.open("POST", "/onggi/v1/images/starter")
        for made in progress.follow(response.values()):
            print(made.get("Reference") or made.get("ID"))
        return 0
    if not given.operands:
        raise IMPORT.miscounted(given.path, 1)
    source, *reference = given.operands
    remote = source.startswith(("http://", "https://"))
    query: Query = {
        "fromSrc": "-",
        "repo": reference[0] if reference else None,
        "message": given.text("message") or (f"Imported from {source}" if remote else None),
        "changes": given.texts("change"),
    }
    if remote:
        from core.client.remotecontext import downloaded
        from core.errors import Unavailable

        try:
            with progress.meter(f"Downloading from {source}") as moved:
                file, _ = downloaded(source, moved)
        except Unavailable as error:
            raise CommandFailed(error.message) from error
        with file:
            _send(context, "/images/create", query, file, quiet=False)
        return 0
    with _source(source) as file:
        if not _handed_over(context, "/onggi/v1/images/import", query, file, quiet=False):
            _send(context, "/images/create", query, file, quiet=False)
    return 0


def _send(context: Context, path: str, query: Query, file: IO[bytes], *, quiet: bool) -> None:
    status = os.fstat(file.fileno())
    size = max(status.st_size - file.tell(), 0) if stat.S_ISREG(status.st_mode) else 0
    with nullcontext() if quiet else progress.meter("Sending archive", size) as moved:
        response = context.engine.open("POST", path, query, file, progress=moved)
    _follow(response, quiet=quiet)


def _follow(response: Response, *, quiet: bool, vanishes: bool = False) -> list[dict[str, Any]]:
    try:
        return progress.follow(response.values(), quiet=quiet, to_stderr=vanishes, vanishes=vanishes)
    except CommandFailed as error:
        hint = hints.archive(error.message)
        if hint:
            warn(error.message)
            raise CommandFailed(hint) from error
        raise


SAVE = Command(
    save,
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    "IMAGE [IMAGE...]",
    (_OUTPUT,),
    least=1,
    most=None,
)
EXPORT = Command(
    export, "Export a container's filesystem as a tar archive", "CONTAINER", (_OUTPUT,), least=1, most=1
)
LOAD = Command(
    load,
    "Load an image from a tar archive or STDIN",
    "",
    (
        option("input", "i", "Read from tar archive file, instead of STDIN"),
        switch("quiet", "q", "Suppress the load output"),
    ),
)
IMPORT = Command(
    import_,
    "Import the contents from a tarball to create a filesystem image",
    "file|URL|- [REPOSITORY[:TAG]]",
    (
        several("change", "c", "Apply Dockerfile instruction to the created image"),
        option("message", "m", "Set commit message for imported image"),
        switch("starter", "", "Make a small image from this machine's own tools, without any archive or network"),
    ),
    most=None,
)
