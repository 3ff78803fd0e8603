"""`onggi version` and `onggi info`"""

from __future__ import annotations

import platform

from core import __version__
from core.cli import listing, output, units
from core.cli.context import Context, warn
from core.cli.failure import engine_says
from core.cli.parser import Arguments, Command, option
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMAT = option("format", "f", "Format output using a custom template: 'json' or TEMPLATE")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def version(context: Context, given: Arguments) -> int:
    """This client and the engine; exit code 1 when there is no engine to ask."""
    machine = platform.machine()
    client = {"Version": __version__, "Os": "linux", "Arch": _MACHINES.get(machine, machine)}
    server, problem = None, None
    try:
        server = context.engine.get("/version")
    except EngineError as error:
        problem = error
    if given.text("format"):
        output.line(listing.document({"Client": client, "Server": server}, given.text("format")))
    else:
        print(f"Client:\n Version:           {client['Version']}\n OS/Arch:           linux/{client['Arch']}")
        print(f" Python version:    {platform.python_version()}")
        if server:
            print(f"\n{_server(server)}")
    if problem:
        warn(engine_says(problem))
        return 1
    return 0


def _server(server: dict[str, Any]) -> str:
    name = (server.get("Platform") or {}).get("Name")
    lines = [f"Server: {name}" if name else "Server:", " Engine:"]
    rows = [
        ("Version", server["Version"]),
        ("API version", f"{server['ApiVersion']} (minimum version {server['MinAPIVersion']})"),
        ("OS/Arch", f"{server['Os']}/{server['Arch']}"),
        ("Kernel", server.get("KernelVersion", "")),
    ]
    lines += [f"  {name + ':':<18}{value}" for name, value in rows]
    return output.shown("\n".join(lines))


def info(context: Context, given: Arguments) -> int:
    """What the engine says of itself and of this machine."""
    found = context.engine.get("/info")
    if given.text("format"):
        output.line(listing.document(found, given.text("format")))
        return 0
    print(f"Client:\n Version:    {__version__}\n\nServer:")
    for name, value in _facts(found):
        output.line(f" {name}: {value}")
    for text in found.get("Warnings") or ():
        warn(text)
    return 0


def _facts(found: dict[str, Any]) -> list[tuple[str, object]]:
    security = [text.partition(",")[0].removeprefix("name=") for text in found.get("SecurityOptions") or ()]
    return [
        ("Containers", found["Containers"]),
        (" Running", found["ContainersRunning"]),
        (" Paused", found["ContainersPaused"]),
        (" Stopped", found["ContainersStopped"]),
        ("Images", found["Images"]),
        ("Server Version", found["ServerVersion"]),
        ("Storage Driver", found["Driver"]),
        *((f" {name}", value) for name, value in found.get("DriverStatus") or ()),
        ("Logging Driver", found.get("LoggingDriver")),
        ("Cgroup Driver", found.get("CgroupDriver")),
        ("Cgroup Version", found.get("CgroupVersion")),
        ("Security Options", " ".join(security)),
        ("Kernel Version", found.get("KernelVersion")),
        ("Operating System", found.get("OperatingSystem")),
        ("OSType", found.get("OSType")),
        ("Architecture", found.get("Architecture")),
        ("CPUs", found.get("NCPU")),
        ("Total Memory", units.binary_size(found.get("MemTotal") or 0)),
        ("Name", found.get("Name")),
        ("ID", found.get("ID")),
        ("Docker Root Dir", found.get("DockerRootDir")),
    ]


VERSION = Command(version, "Show the version information", "", (_FORMAT,))
INFO = Command(info, "Display system-wide information", "", (_FORMAT,))
