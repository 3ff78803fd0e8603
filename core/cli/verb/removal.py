"""`onggi rm` and `onggi rmi`"""

from __future__ import annotations

from core.cli import many, output
from core.cli.context import Context, warn
from core.cli.failure import engine_says
from core.cli.parser import Arguments, Command, switch
from core.client.address import quote
from core.errors import EngineError, NotFound


def rm(context: Context, given: Arguments) -> int:
    """Remove containers. With --force one that does not exist is told and is no failure."""
    query = {
        "force": given.on("force") or None,
        "v": given.on("volumes") or None,
        **many.as_one("rm", given.operands),
    }
    missing: set[str] = set()

    def remove(name: str) -> object:
        try:
            return context.engine.delete(f"/containers/{quote(name.strip('/'))}", query)
        except NotFound:
            missing.add(name)
            raise

    failed = many.each(given.operands, remove)
    if given.on("force"):
        failed = [name for name in failed if name not in missing]
    return 1 if failed else 0


def rmi(context: Context, given: Arguments) -> int:
    """Remove names, and images that have none left."""
    query = {
        "force": given.on("force") or None,
        "noprune": given.on("no-prune") or None,
        **many.as_one("rmi", given.operands),
    }
    code = 0
    for name in given.operands:  # one after the other: names of one image count each other
        try:
            changes = context.engine.delete(f"/images/{quote(name)}", query)
        except NotFound as error:
            warn(engine_says(error))
            code = code if given.on("force") else 1
        except EngineError as error:
            warn(engine_says(error))
            code = 1
        else:
            for change in changes or ():
                for what, which in change.items():
                    output.line(f"{what}: {which}")
    return code


RM = Command(
    rm,
    "Remove one or more containers",
    "CONTAINER [CONTAINER...]",
    (
        switch("force", "f", "Force the removal of a running container (uses SIGKILL)"),
        switch("volumes", "v", "Remove anonymous volumes associated with the container"),
    ),
    least=1,
    most=None,
)
RMI = Command(
    rmi,
    "Remove one or more images",
    "IMAGE [IMAGE...]",
    (
        switch("force", "f", "Force removal of the image"),
        switch("no-prune", "", "Do not delete untagged parents"),
    ),
    least=1,
    most=None,
)
