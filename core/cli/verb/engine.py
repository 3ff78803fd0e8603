"""`onggi engine`: run this machine's engine, start, stop, ask about it."""

from __future__ import annotations

import fcntl
import os
import time

from core.cli.context import Context, Engine
from core.cli.failure import CommandFailed
from core.cli.parser import Arguments, Command, option
from core.client.spawn import command, ensure_engine, environment
from core.errors import EngineError, EngineUnreachable
from core.paths import Paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

STOP_PATIENCE = 10.0  # seconds
_PAUSE = 0.02

_PLACE = (
    option("group", "", "Let this group use the engine, which makes its members root"),
    option("netns", "", "Network namespace to run in (a path such as /run/netns/NAME)"),
    option("root", "", "Where images, containers and volumes lie (default ONGGI_ROOT, else /var/lib/onggi)"),
    option("run", "", "Where the socket and what runs lie (default ONGGI_RUN, else /run/onggi)"),
)


def run(context: Context, given: Arguments) -> NoReturn:
    """The engine in the foreground, until it is stopped; containers go on without it."""
    _place(given)
    paths = Paths.from_environment()
    host = "" if context.own or given.given("run") else context.host
    argv = command(paths, host=host, netns=given.text("netns"), group=given.text("group"))
    if os.geteuid() != 0:
        raise CommandFailed("start engine: it needs root, try sudo")
    os.chdir("/")
    os.execve(argv[0], argv, environment())


def _place(given: Arguments) -> None:
    for name, variable in (("root", "ONGGI_ROOT"), ("run", "ONGGI_RUN")):
        if given.text(name):
            os.environ[variable] = os.path.abspath(given.text(name))  # noqa: PTH100


def start(context: Context, given: Arguments) -> int:
    """An engine in the background, if none answers; prints where it listens."""
    _place(given)
    paths = Paths.from_environment()
    host = "" if context.own or given.given("run") else context.host
    print(ensure_engine(paths, host, netns=given.text("netns")))
    return 0


def stop(context: Context, given: Arguments) -> int:
    """End the engine and leave containers running. No engine is no failure."""
    engine = context.running_engine()
    try:
        engine.post("/onggi/v1/engine/stop")
    except EngineUnreachable:
        print("no engine is running")
        return 0
    deadline = time.monotonic() + STOP_PATIENCE
    while time.monotonic() < deadline:
        if not _alive(context, engine):
            return 0
        time.sleep(_PAUSE)
    raise CommandFailed(f"the engine at {context.host} was told to stop and still answers")


def _alive(context: Context, engine: Engine) -> bool:
    """Whether anything of the engine is left; of this machine's own one, whether it holds its lock (flock(2))."""
    if not context.own:
        try:
            engine.get("/_ping")
        except EngineError:
            return False
        return True
    try:
        with open(Paths.from_environment().run / "lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def status(context: Context, given: Arguments) -> int:
    """What is known of the engine; exit code 1 when none runs."""
    engine = context.running_engine()
    try:
        version = engine.get("/version")
        info = engine.get("/info")
    except EngineUnreachable:
        print(f"no engine is running at {context.host}")
        return 1
    print(f"engine {version['Version']} at {context.host}")
    print(f"  API:         {version['ApiVersion']} (minimum {version['MinAPIVersion']})")
    print(f"  root:        {info.get('DockerRootDir', '')}")
    print(f"  containers:  {info['ContainersRunning']} running, {info['Containers']} in all")
    print(f"  images:      {info['Images']}")
    for text in info.get("Warnings") or ():
        print(f"  warning:     {text}")
    return 0


RUN = Command(run, "Run the engine in the foreground", "", _PLACE)
START = Command(start, "Start the engine in the background", "", _PLACE[1:])
STATUS = Command(status, "Show whether an engine runs, and where")
STOP = Command(stop, "Stop the engine; containers go on running")
