"""`onggi build`: an image from a Dockerfile."""

from __future__ import annotations

import contextlib
import os
import sys

from core.cli.building import caches, limits, view
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, option, several, switch
from core.client import buildcontext, jsontext
from core.client.address import quote
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

    from core.cli.building.outputs import Output
    from core.client.buildsession import Session

_PROGRESS = ("auto", "plain", "tty", "quiet", "rawjson", "json")


def build(context: Context, given: Arguments) -> int:
    """Progress goes to stderr; with -q only the image's id comes, on stdout."""
    progress = "quiet" if given.on("quiet") else given.text("progress") or "auto"
    if progress not in _PROGRESS:
        raise CommandFailed(f"invalid progress: {progress}; it is one of {', '.join(_PROGRESS)}")
    wanted = _outputs(given.texts("output"))
    if given.on("detach") and wanted:
        raise CommandFailed("ERROR: a build in the background has no output: use save when it is done")
    held = caches.Held()
    asked = caches.query(given, held)
    if given.on("detach") and held:
        raise CommandFailed("ERROR: a build in the background cannot ask for a folder's cache or for --ssh")
    archive, dockerfile, source = _context(given)
    with contextlib.ExitStack() as undo:
        undo.enter_context(archive)
        query = _query(given, dockerfile) | asked
        if given.texts("secret"):
            kept = context.engine.post("/onggi/v1/build/secrets", body=_secrets(given.texts("secret")))
            query["secrets"] = kept["Id"]
        headers = _credentials(source, given)
        if given.on("detach"):
            begun = context.engine.open("POST", "/build", query | {"detach": "1"}, archive, headers=headers)
            print(begun.json()["Id"])
            return 0
        if held:
            query["session"] = undo.enter_context(_session(context, held)).id
        response = context.engine.open("POST", "/build", query, archive, headers=headers)
        image = _follow(response, progress, source)
    names = given.texts("tag")
    for output in wanted:
        _write(context, image, names, output)
    if wanted and not names and not any(output.kind in ("docker", "image") for output in wanted):
        _forget(context, image)
    if given.text("iidfile"):
        with open(given.text("iidfile"), "w") as file:
            file.write(image)
    if given.on("quiet"):
        print(image)
    return 0


def _outputs(texts: list[str]) -> list[Output]:
    if not texts:
        return []
    from core.cli.building import outputs

    return [outputs.parse_output(text) for text in texts]


def _write(context: Context, image: str, names: list[str], output: Output) -> None:
    from core.cli.building import outputs

    outputs.write(context.engine, image, names, output)


@contextlib.contextmanager
def _session(context: Context, held: caches.Held) -> Iterator[Session]:
    """What the engine may ask us for while it builds."""
    from core.cli.building import agents
    from core.client.buildsession import Session

    with (
        agents.running(held.keys) as sockets,
        Session(context.engine, held.folders, {**held.agents, **sockets}) as session,
    ):
        yield session


def _forget(context: Context, image: str) -> None:
    """What was only asked for as files is no image afterwards, unless it was one before."""
    found = context.engine.get(f"/images/{quote(image)}/json")
    if not found.get("RepoTags"):
        with contextlib.suppress(EngineError):
            context.engine.delete(f"/images/{quote(image)}")


def _follow(response: Any, progress: str, source: str) -> str:
    """Show what comes; the image's id. Raises CommandFailed with the last word."""
    if progress in ("rawjson", "json"):
        shown: view.Build = view.Build(sys.stderr)
    else:
        shown = view.make_view(progress)
    for event in response.values():
        if progress in ("rawjson", "json"):
            print(jsontext.dumps(event), flush=True)
        shown.take(event)
    shown.close()
    if shown.error or not shown.image:
        for line in view.explain(shown, source):
            shown.say(line)
        raise CommandFailed(
            f"ERROR: failed to build: {shown.error or 'the engine ended before the image was done'}"
        )
    return shown.image


def _context(given: Arguments) -> tuple[IO[bytes], str, str]:
    """The context's tar, where the Dockerfile is in it, and its text as far as we have it."""
    where, dockerfile = given.operands[0], given.text("file")
    try:
        if where == "-":
            return _from_stdin(dockerfile)
        if _is_afar(where):
            return _from_afar(where, dockerfile, _contexts(given))
        if dockerfile == "-":
            data = sys.stdin.buffer.read()
            return _with_dockerfile(where, data, _contexts(given))
        archive, name = buildcontext.pack(where, dockerfile, _contexts(given))
    except EngineError as error:
        raise CommandFailed(f"ERROR: {error.message}") from error
    with open(dockerfile or os.path.join(where, "Dockerfile"), errors="replace") as file:  # noqa: PTH118
        return archive, name, file.read()


def _from_stdin(dockerfile: str) -> tuple[IO[bytes], str, str]:
    import io

    if sys.stdin.isatty():
        raise CommandFailed("ERROR: failed to read context from stdin: it is a terminal")
    stdin = sys.stdin.buffer
    head = stdin.peek(512)[:512] if isinstance(stdin, io.BufferedReader) else b""
    if buildcontext.is_archive(head):
        return stdin, dockerfile or "Dockerfile", ""
    data = stdin.read()
    return buildcontext.pack_text(data), buildcontext.ELSEWHERE, data.decode("utf-8", "replace")


def _from_afar(where: str, dockerfile: str, contexts: dict[str, str]) -> tuple[IO[bytes], str, str]:
    """A repository, an archive, or a Dockerfile by itself."""
    from core.client import remotecontext

    if remotecontext.is_git(where):
        with remotecontext.cloned(where) as folder:
            path = os.path.realpath(os.path.join(folder, dockerfile or "Dockerfile"))  # noqa: PTH118
            if not path.startswith(f"{folder}/"):
                raise CommandFailed(f"ERROR: the Dockerfile {dockerfile} leads out of the repository")
            archive, name = buildcontext.pack(folder, path, contexts)
            with open(path, errors="replace") as text:
                return archive, name, text.read()
    file, is_archive = remotecontext.downloaded(where)
    if is_archive:
        return file, dockerfile or "Dockerfile", ""
    with file:
        data = file.read()
    return buildcontext.pack_text(data), buildcontext.ELSEWHERE, data.decode("utf-8", "replace")


def _with_dockerfile(where: str, data: bytes, contexts: dict[str, str]) -> tuple[IO[bytes], str, str]:
    """`-f -`: the Dockerfile from stdin, the context from a folder."""
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="Dockerfile-") as file:
        file.write(data)
        file.flush()
        archive, name = buildcontext.pack(where, file.name, contexts)
    return archive, name, data.decode("utf-8", "replace")


def _query(given: Arguments, dockerfile: str) -> dict[str, Any]:
    query: dict[str, Any] = {
        "onggi": "1",
        "dockerfile": dockerfile,
        "t": given.texts("tag"),
        "target": given.text("target"),
        "platform": given.text("platform"),
        "buildargs": jsontext.dumps(_build_args(given.texts("build-arg"))),
        "labels": jsontext.dumps(dict(_pair(text) for text in given.texts("label"))),
        "place": _place(given.operands[0]),
    }
    query |= limits.query(given)
    if given.texts("build-context"):
        query["contexts"] = jsontext.dumps(buildcontext.numbered(_contexts(given)))
    query |= {
        name: "1"
        for flag, name in (("no-cache", "nocache"), ("pull", "pull"), ("squash", "squash"))
        if given.on(flag)
    }
    return {name: value for name, value in query.items() if value not in ("", [])}


def _place(where: str) -> str:
    """What names builds of the same thing."""
    if where == "-":
        return ""
    return where if _is_afar(where) else os.path.realpath(where)


def _is_afar(where: str) -> bool:
    """Whether it is a repository or something to download."""
    if ":" not in where and not where.startswith("github.com/"):
        return False
    from core.client import remotecontext

    return remotecontext.is_git(where) or remotecontext.is_url(where)


def _contexts(given: Arguments) -> dict[str, str]:
    """`--build-context NAME=FOLDER` or `NAME=docker-image://REFERENCE`."""
    found = dict(_pair(text) for text in given.texts("build-context"))
    for name, where in found.items():
        if not name or not where:
            raise CommandFailed("ERROR: invalid build context: it is NAME=FOLDER or NAME=docker-image://REFERENCE")
    return found


def _build_args(texts: list[str]) -> dict[str, str]:
    """`NAME=VALUE`, or `NAME` for the value it has here; a name that has none here is not given at all."""
    args = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if equals:
            args[name] = value
        elif name in os.environ:
            args[name] = os.environ[name]
    return args


def _credentials(source: str, given: Arguments) -> dict[str, str]:
    """The header with the user's credentials. Who has none need not load what finds out which are needed."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")  # noqa: PTH111
    if not os.path.exists(f"{folder}/config.json"):  # noqa: PTH110
        return {}
    from core.cli.building import credentials

    return credentials.headers(source, _build_args(given.texts("build-arg")))


def _secrets(texts: list[str]) -> dict[str, str]:
    """`id=NAME[,src=FILE|,env=VARIABLE]`; without either the variable NAME, or the file NAME."""
    import base64

    found = {}
    for text in texts:
        fields = dict(_pair(field) for field in text.split(","))
        ident = fields.get("id", "")
        source = fields.get("src") or fields.get("source")
        variable = fields.get("env") or ("" if source else ident)
        if not ident:
            raise CommandFailed(f"ERROR: invalid secret {text}: it needs an id")
        if variable and variable in os.environ:
            value = os.environb[os.fsencode(variable)]
        else:
            value = _file(source or ident, ident)
        found[ident] = base64.b64encode(value).decode()
    return found


def _file(path: str, ident: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise CommandFailed(
            f"ERROR: failed to read secret {ident}: {path}: {(error.strerror or '').lower()}"
        ) from error


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


BUILD = Command(
    build,
    "Build an image from a Dockerfile",
    "PATH | URL | -",
    (
        *limits.FLAGS,
        several("build-arg", "", "Set build-time variables"),
        several("build-context", "", "Additional build contexts (e.g., name=path)"),
        several(
            "cache-from", "", 'External cache sources (an image, "type=registry,ref=NAME", "type=local,src=FOLDER")'
        ),
        several(
            "cache-to",
            "",
            'Cache export destinations ("type=inline", "type=registry,ref=NAME[,mode=max]", '
            '"type=local,dest=FOLDER[,mode=max]")',
        ),
        switch("detach", "d", "Build in the background and print the build's ID (see `builder logs`)"),
        option("file", "f", 'Name of the Dockerfile (default: "PATH/Dockerfile"; "-" reads it from stdin)'),
        switch("force-rm", "", "Always remove intermediate containers (there are none)"),
        option("iidfile", "", "Write the image ID to a file"),
        several("label", "", "Set metadata for an image"),
        switch("no-cache", "", "Do not use cache when building the image"),
        several("output", "o", 'Output destination (format: "type=local,dest=path"; local, tar, docker, oci)'),
        option("platform", "", "Set target platform for build"),
        option("progress", "", 'Set type of progress output ("auto", "plain", "tty", "quiet", "rawjson")'),
        switch("pull", "", "Always attempt to pull all referenced images"),
        switch("quiet", "q", "Suppress the build output and print image ID on success"),
        several(
            "secret",
            "",
            'Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")',
            metavar="list",
        ),
        switch("rm", "", "Remove intermediate containers (there are none)", default=True),
        switch("squash", "", "Squash newly built layers into a single new layer"),
        several(
            "ssh",
            "",
            'SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")',
        ),
        several("tag", "t", 'Name and optionally a tag (format: "name:tag")', metavar="list"),
        option("target", "", "Set the target build stage to build"),
    ),
    least=1,
    most=1,
)
