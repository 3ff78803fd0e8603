"""Dockerfiles out of what is there: of an image by its history, of a container by what has changed in it."""

from __future__ import annotations

import posixpath

from core.cli.failure import CommandFailed
from core.client import dockerfiles
from core.client.address import quote
from core.client.transport import Client
from core.errors import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

_FILE_LIMIT = 1 << 20
_NAMED = 40  # files that are listed one by one
_NOISE = (
    "/dev", "/proc", "/run", "/sys", "/tmp", "/var/cache", "/var/lib/apt/lists", "/var/log", "/var/run", "/var/tmp",
    "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/ld.so.cache", "/etc/.pwd.lock",
)  # fmt: skip
_TYPED = ("/root/.bash_history", "/root/.ash_history", "/root/.python_history", "/.ash_history")
_DPKG, _APK = "/var/lib/dpkg/", "/lib/apk/"


def check_form(form: str) -> None:
    """Raises CommandFailed for any other than `dockerfile`."""
    if form != "dockerfile":
        raise CommandFailed(f'invalid form: {form}; it can only be "dockerfile"')


def of_image(engine: Client, name: str) -> str:
    """A Dockerfile that would make an image like this. On the base that is here and has the most of its layers."""
    image = engine.get(f"/images/{quote(name)}/json")
    history = engine.get(f"/images/{quote(name)}/history")
    base, skip = _base(engine, image)
    return dockerfiles.as_dockerfile(history, image.get("Config") or {}, base=base, skip=skip)


def _base(engine: Client, image: dict[str, Any]) -> tuple[str, int]:
    """The named image with the longest stack of layers that `image` goes on, and the steps of its history."""
    layers, best = (image.get("RootFS") or {}).get("Layers") or [], ("", 0, 0)
    for other in engine.get("/images/json"):
        names = [name for name in other.get("RepoTags") or () if name != "<none>:<none>"]
        if not names or other["Id"] == image["Id"]:
            continue
        found = (engine.get(f"/images/{quote(other['Id'])}/json").get("RootFS") or {}).get("Layers") or []
        if best[2] < len(found) <= len(layers) and layers[: len(found)] == found:
            steps = _common_steps(engine, image["Id"], other["Id"])
            if steps:
                best = names[0], steps, len(found)
    return best[0], best[1]


def _common_steps(engine: Client, image: str, base: str) -> int:
    """How many steps `base` has, where they are the first of `image`; else 0."""
    ours, theirs = (
        [(step["Created"], step["CreatedBy"]) for step in engine.get(f"/images/{quote(name)}/history")[::-1]]
        for name in (image, base)
    )
    return len(theirs) if ours[: len(theirs)] == theirs and len(ours) > len(theirs) else 0


def of_container(engine: Client, name: str) -> str:
    """A draft: packages that came, what was removed, files to copy, and what was set when it was created."""
    container = engine.get(f"/containers/{quote(name)}/json")
    changes = engine.get(f"/containers/{quote(name)}/changes") or []
    image = container["Config"]["Image"]
    before = _config_of(engine, container.get("Image") or image)
    reader = _Reader(engine, name)
    packages, theirs = _packages(reader, changes)
    gone = [change["Path"] for change in changes if change["Kind"] == 2 and not _noise(change["Path"])]
    files = [path for path in _files(changes) if path not in theirs]
    lines = [
        f"# A draft of what has changed in {container['Name'].lstrip('/')}: read it before you build it.",
        f"FROM {image}", *packages,
    ]  # fmt: skip
    if gone:
        lines.append(" \\\n    ".join(["RUN rm -rf", *(_word(path) for path in _tops(gone))]))
    lines += _copies(name, files)
    lines += dockerfiles.config_lines(container["Config"], before)
    lines += _typed(reader, changes)
    return "\n".join(lines) + "\n"


def _config_of(engine: Client, image: str) -> dict[str, Any]:
    try:
        return engine.get(f"/images/{quote(image)}/json").get("Config") or {}
    except EngineError:
        return {}


class _Reader:
    """Small files of the container."""

    def __init__(self, engine: Client, name: str) -> None:
        self._engine = engine
        self._name = name

    def text(self, path: str) -> str:
        """Its text; "" where it is none, not there or large."""
        import io
        import tarfile

        try:
            archive = b""
            for piece in self._engine.open("GET", f"/containers/{quote(self._name)}/archive", {"path": path}):
                archive += piece
                if len(archive) > _FILE_LIMIT:
                    return ""
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                member = tar.next()
                file = tar.extractfile(member) if member and member.isreg() else None
                return file.read().decode("utf-8", "replace") if file else ""
        except (EngineError, tarfile.TarError, OSError):
            return ""


def _packages(reader: _Reader, changes: Sequence[dict[str, Any]]) -> tuple[list[str], set[str]]:
    """The lines that install what a package manager has brought, and the files that came with it."""
    lines, theirs = [], set[str]()
    added = [change["Path"] for change in changes if change["Kind"] == 1]
    lists = [path for path in added if path.startswith(f"{_DPKG}info/") and path.endswith(".list")]
    if lists:
        names = sorted({posixpath.basename(path).removesuffix(".list").partition(":")[0] for path in lists})
        for path in lists:
            theirs.update(reader.text(path).split("\n"))
        install = " \\\n    ".join(["apt-get install -y --no-install-recommends", *names])
        lines.append(f"RUN apt-get update && {install} \\\n && rm -rf /var/lib/apt/lists/*")
    if any(change["Path"] == "/etc/apk/world" for change in changes):
        lines.append(
            f"# as in /etc/apk/world\nRUN apk add --no-cache {' '.join(reader.text('/etc/apk/world').split())}"
        )
    wheels = [posixpath.basename(path) for path in added if path.endswith(".dist-info")]
    if wheels:
        pairs = sorted(wheel.removesuffix(".dist-info").rpartition("-")[::2] for wheel in wheels)
        lines.append(
            " \\\n    ".join(["RUN pip install --no-cache-dir", *(f"{name}=={version}" for name, version in pairs)])
        )
    return lines, theirs


def _files(changes: Sequence[dict[str, Any]]) -> list[str]:
    """Paths to copy: no folders that only hold changed things, nothing that a start or a package manager writes."""
    paths = [change["Path"] for change in changes if change["Kind"] in (0, 1)]
    holding = {posixpath.dirname(change["Path"]) for change in changes}
    added = {change["Path"] for change in changes if change["Kind"] == 1}
    whole = [path for path in paths if (path in added or path not in holding) and not _noise(path)]
    return _tops(path for path in whole if not path.startswith((_DPKG, _APK)) and "site-packages/" not in path)


def _tops(paths: Iterable[str]) -> list[str]:
    """`paths` without those below another of them."""
    found: list[str] = []
    for path in sorted(paths, key=lambda path: path.split("/")):
        if not found or not path.startswith(f"{found[-1]}/"):
            found.append(path)
    return found


def _noise(path: str) -> bool:
    return path in _TYPED or any(path == place or path.startswith(f"{place}/") for place in _NOISE)


def _copies(container: str, files: Sequence[str]) -> list[str]:
    if not files:
        return []
    lines = ["# Bring the files into the build context first:"]
    for path in files[:_NAMED]:
        folder = posixpath.dirname(f"rootfs{path}")
        lines.append(f"#   mkdir -p {_word(folder)} && onggi cp -a {container}:{_word(path)} {_word(folder)}/")
    if len(files) > _NAMED:
        lines.append(f"#   and {len(files) - _NAMED} more: see `onggi diff {container}`")
    return [*lines, "COPY rootfs/ /"]


def _typed(reader: _Reader, changes: Sequence[dict[str, Any]]) -> list[str]:
    """What was typed in a shell there: the reader knows which of it belongs into a RUN."""
    lines: list[str] = []
    for path in (change["Path"] for change in changes if change["Path"] in _TYPED and change["Kind"] != 2):
        typed = [line for line in reader.text(path).split("\n") if line.strip() and not line.startswith("#")]
        lines += [
            f"# typed, from {path}:",
            *(f"#   {''.join(c for c in line if c.isprintable())}" for line in typed[-_NAMED:]),
        ]
    return lines


def _word(path: str) -> str:
    """A path as a shell takes it, on one line."""
    import shlex

    return shlex.quote("".join(char if char.isprintable() else "?" for char in path))
