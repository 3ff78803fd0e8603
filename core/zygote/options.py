"""What the zygote is told on its command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidArgument
from core.paths import DEFAULT_ROOT, DEFAULT_RUN, Paths

# The folder that holds `core`. Appended, never inserted: nothing beside `core` may shadow the stdlib.
SOURCE = str(Path(__file__).resolve().parents[2])


@dataclass(frozen=True, slots=True)
class Options:
    """`socket` is where the API listens, `group` who besides root may use it (which makes them root)."""

    paths: Paths
    socket: Path
    group: str = ""
    netns: str = ""
    background: bool = False
    confined: bool = False

    @classmethod
    def parse(cls, argv: Sequence[str]) -> Options:
        """`--root R --run N [--host unix://PATH] [--group G] [--netns PATH] [--foreground|--background]`.

        Raises InvalidArgument.
        """
        values = {"--root": DEFAULT_ROOT, "--run": DEFAULT_RUN, "--host": "", "--group": "", "--netns": ""}
        flags = {"--foreground": False, "--background": False, "--confined": False}
        rest = iter(argv)
        for word in rest:
            name, equals, value = word.partition("=")
            if word in flags:
                flags[word] = True
            elif name in values:
                values[name] = value if equals else next(rest, "")
            else:
                raise InvalidArgument(f"start engine: unknown option {word}")
        paths = Paths(Path(values["--root"]).absolute(), Path(values["--run"]).absolute())
        host = values["--host"]
        if host and not host.startswith("unix:///"):
            raise InvalidArgument(f"start engine: {host} is not unix:///PATH")
        socket = Path(host.removeprefix("unix://")) if host else paths.socket
        return cls(paths, socket, values["--group"], values["--netns"], flags["--background"], flags["--confined"])

    def arguments(self) -> list[str]:
        """The same as words."""
        words = ["--root", str(self.paths.root), "--run", str(self.paths.run), "--host", f"unix://{self.socket}"]
        words += ["--group", self.group] if self.group else []
        words += ["--netns", self.netns] if self.netns else []
        return words + (["--confined"] if self.confined else [])


def boot(module: str) -> str:
    """Code for `python -I -c` that runs `main` of one of our modules, whatever the current folder holds."""
    return f"import sys; sys.path.append({SOURCE!r}); from {module} import main; main()"


def zygote_command(options: Options) -> list[str]:
    """The zygote's argv. `-S`: the standard library is all it needs."""
    return [sys.executable, "-I", "-S", "-c", boot("core.zygote.server"), *options.arguments()]
