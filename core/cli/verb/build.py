"""`onggi build`: an image from a Dockerfile."""

from __future__ import annotations

import contextlib
import os
import sys

from core.cli.building import caches, flags, limits, view
from core.cli.context import Context
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command
from core.client import buildcontext, jsontext
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

    from core.cli.building.outputs import Output
    from core.client.buildsession import Session
    from core.client.transport import Response

_SECRET = {"id", "src", "source", "env", "type"}
_PROGRESS = ("auto", "plain", "tty", "quiet", "rawjson", "json")


def build(context: Context, given: Arguments) -> int:
    """Progress goes to stderr; with -q only the image's id comes, on stdout."""
    progress = "quiet" if given.on("quiet") else given.text("progress") or "auto"
    if progress not in _PROGRESS:
        raise CommandFailed(f"invalid progress: {progress}; it is one of {', '.join(_PROGRESS)}")
    flags.refuse(given)
    method = "check" if given.on("check") else given.text("call") or "build"
    if method != "build":
        return _call(given, method)
    wanted = _wanted(given)
    if given.on("detach") and wanted:
        raise CommandFailed("ERROR: a build in the background has no output: use save when it is done")
    held = caches.Held()
    asked = caches.query(given, held)
    if given.on("detach") and held:
        raise CommandFailed("ERROR: a build in the background cannot ask for a folder's cache or for --ssh")
    with contextlib.ExitStack() as undo:
        agents = undo.enter_context(_agents(held))
        named = undo.enter_context(_contexts(context, given))
        archive, dockerfile, source = _context(given, named)
        undo.enter_context(archive)
        query = _query(given, dockerfile, named) | asked
        if more := [output.name for output in wanted if output.name]:
            query["t"] = [*given.texts("tag"), *more]
        if given.texts("secret"):
            kept = context.engine.post("/onggi/v1/build/secrets", body=_secrets(given.texts("secret")))
            query["secrets"] = kept["Id"]
        headers = _credentials(source, given, named)
        if given.on("detach"):
            begun = context.engine.open("POST", "/build", query | {"detach": "1"}, archive, headers=headers)
            print(begun.json()["Id"])
            return 0
        if held:
            query["session"] = undo.enter_context(_session(context, held, agents)).id
        response = context.engine.open("POST", "/build", query, archive, headers=headers)
        image = _follow(context, response, progress, source, debug=given.on("debug"))
    if wanted or given.text("metadata-file") or given.text("iidfile"):
        from core.cli.building import afterwards

        afterwards.carry_out(context, given, image, wanted)
    if given.on("quiet"):
        print(image)
    return 0


def _wanted(given: Arguments) -> list[Output]:
    if not given.texts("output") and not given.on("push"):
        return []
    from core.cli.building import afterwards

    return afterwards.wanted(given)


def _call(given: Arguments, method: str) -> int:
    """Say something of the Dockerfile, and build nothing."""
    from core.cli.building import checks

    if method not in checks.CALLS:
        raise CommandFailed(f"ERROR: --call={method} is not supported: it is build, {' or '.join(checks.CALLS)}")
    archive, _, source = _context(given, {})
    archive.close()
    args = _build_args(given.texts("build-arg"))
    return checks.call(method, source, check=args.get("BUILDKIT_DOCKERFILE_CHECK", ""))


@contextlib.contextmanager
def _agents(held: caches.Held) -> Iterator[dict[str, str]]:
    """The sockets of agents by id. The default one is asked by what clones repositories here, too."""
    if not held.agents and not held.keys:
        yield {}
        return
    from core.cli.building import agents

    with agents.running(held.keys) as sockets:
        found = {**held.agents, **sockets}
        if "default" in found:
            os.environ["SSH_AUTH_SOCK"] = found["default"]
        yield found


@contextlib.contextmanager
def _session(context: Context, held: caches.Held, agents: dict[str, str]) -> Iterator[Session]:
    """What the engine may ask us for while it builds."""
    from core.client.buildsession import Session

    with Session(context.engine, held.folders, agents) as session:
        yield session


def _follow(context: Context, response: Response, progress: str, source: str, *, debug: bool) -> str:
    """Show what comes; the image's id. Raises CommandFailed with the last word, after a shell with `debug`."""
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
        reason = f"ERROR: failed to build: {shown.error or 'the engine ended before the image was done'}"
        if shown.failed is not None:
            from core.cli.building import inside

            inside.offer(context, shown, reason, response.headers.get("onggi-build", ""), enter=debug)
        raise CommandFailed(reason)
    return shown.image


def _context(given: Arguments, named: dict[str, str]) -> tuple[IO[bytes], str, str]:
    """The context's tar, where the Dockerfile is in it, and its text as far as we have it."""
    where, dockerfile = given.operands[0], given.text("file")
    try:
        if where == "-":
            return _from_stdin(dockerfile, named)
        if _is_afar(where):
            return _from_afar(where, dockerfile, named)
        if dockerfile == "-":
            data = sys.stdin.buffer.read()
            return _with_dockerfile(where, data, named)
        archive, name = buildcontext.pack(where, dockerfile, named)
    except EngineError as error:
        raise CommandFailed(f"ERROR: {error.message}") from error
    with open(dockerfile or os.path.join(where, "Dockerfile"), errors="replace") as file:  # noqa: PTH118
        return archive, name, file.read()


def _from_stdin(dockerfile: str, contexts: dict[str, str]) -> tuple[IO[bytes], str, str]:
    import io

    if sys.stdin.isatty():
        raise CommandFailed("ERROR: failed to read context from stdin: it is a terminal")
    stdin = sys.stdin.buffer
    head = stdin.peek(512)[:512] if isinstance(stdin, io.BufferedReader) else b""
    if buildcontext.is_archive(head):
        return stdin, dockerfile or "Dockerfile", ""
    data = stdin.read()
    return buildcontext.pack_text(data, contexts), buildcontext.ELSEWHERE, data.decode("utf-8", "replace")


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
    return buildcontext.pack_text(data, contexts), buildcontext.ELSEWHERE, data.decode("utf-8", "replace")


def _with_dockerfile(where: str, data: bytes, contexts: dict[str, str]) -> tuple[IO[bytes], str, str]:
    """`-f -`: the Dockerfile from stdin, the context from a folder."""
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="Dockerfile-") as file:
        file.write(data)
        file.flush()
        archive, name = buildcontext.pack(where, file.name, contexts)
    return archive, name, data.decode("utf-8", "replace")


def _query(given: Arguments, dockerfile: str, named: dict[str, str]) -> dict[str, Any]:
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
    if given.operands[0] != "-" and not _is_afar(given.operands[0]):
        query["packed"] = "1"
    if named:
        query["contexts"] = jsontext.dumps(buildcontext.numbered(named))
    if given.texts("no-cache-filter"):
        stages = [name for text in given.texts("no-cache-filter") for name in text.split(",")]
        query["nocachefilter"] = jsontext.dumps(stages)
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


def _contexts(context: Context, given: Arguments) -> contextlib.AbstractContextManager[dict[str, str]]:
    """`--build-context` by name, with what is elsewhere fetched."""
    if not given.texts("build-context"):
        return contextlib.nullcontext({})
    from core.cli.building import contexts

    return contexts.fetched(context.engine, given.texts("build-context"))


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


def _credentials(source: str, given: Arguments, contexts: dict[str, str]) -> dict[str, str]:
    """The header with the user's credentials. Who has none need not load what finds out which are needed."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")  # noqa: PTH111
    if not os.path.exists(f"{folder}/config.json"):  # noqa: PTH110
        return {}
    from core.cli.building import credentials

    more = credentials.named([*given.texts("cache-from"), *given.texts("cache-to")], contexts.values())
    return credentials.headers(source, _build_args(given.texts("build-arg")), more)


def _secrets(texts: list[str]) -> dict[str, str]:
    """`id=NAME[,src=FILE|,env=VARIABLE]`; without either the variable NAME, or the file NAME."""
    import base64

    found = {}
    for text in texts:
        fields = dict(_pair(field) for field in text.split(","))
        ident = fields.get("id", "")
        source = fields.get("src") or fields.get("source")
        kind = fields.get("type", "")
        if not ident:
            raise CommandFailed(f"ERROR: invalid secret {text}: it needs an id")
        if kind not in ("", "file", "env") or not fields.keys() <= _SECRET:
            raise CommandFailed(f"ERROR: invalid secret {text}: it is id=NAME[,src=FILE|,env=VARIABLE]")
        variable = fields.get("env") or ("" if source or kind == "file" else ident)
        if variable and variable not in os.environ and ("env" in fields or kind == "env"):
            raise CommandFailed(f"ERROR: failed to read secret {ident}: the variable {variable} is not set")
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
    flags.FLAGS,
    least=1,
    most=1,
)
