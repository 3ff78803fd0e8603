"""The forms there are: run a container, load, import, save, export, tag."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from tui import commands, runspec
from tui.glyphs import Glyphs
from tui.runspec import BadField, RunSpec
from tui.screens.form import Form, Line, Plan, Remark, Values
from tui.state import World
from tui.text import size
from tui.widgets.fields import Option, Options

_TOGGLES: Final = (
    Option("background", "in the background", "-d"),
    Option("screen", "keyboard and screen", "-it"),
    Option("remove", "remove at exit", "--rm"),
)
_REFERENCE: Final = re.compile(r"[a-z0-9][a-z0-9._/:-]*[a-z0-9](?::[\w][\w.-]{0,127})?|[a-z0-9]", re.ASCII)


def run(world: World, image: str, command: tuple[str, ...], folder: Path, glyphs: Glyphs) -> Form:
    """Run a container: one page, no wizard."""
    first = runspec.suggested(image if _REFERENCE.fullmatch(image) else "", command)
    on = [name for name in ("background", "screen", "remove") if getattr(first, name)]
    restarts = [Option(name, name) for name in runspec.RESTARTS]
    fields: list[Line | Options] = [
        Line("image", "image", first.image),
        Line("name", "name"),
        Line("command", "command"),
        Options("toggles", "", _TOGGLES, on, glyphs),
        Line("ports", "ports"),
        Line("env", "env"),
        Line("volumes", "volumes"),
        Options("restart", "restart", restarts, ["no"], glyphs, single=True),
        Line("cpus", "cpu"),
        Line("memory", "memory"),
    ]
    about = f"from {image}" if image else ""
    return Form(
        "Run a container", about, "Run", fields, lambda v: run_plan(world, command, folder, spec_of(v)), glyphs
    )


def spec_of(values: Values) -> RunSpec:
    """The fields of the run form as a RunSpec."""
    texts = {
        n: values.get(n, "").strip()
        for n in ("image", "name", "command", "ports", "env", "volumes", "memory", "cpus")
    }
    flags = {n: bool(values.get(n)) for n in ("background", "screen", "remove")}
    return replace(RunSpec(**texts, restart=values.get("restart") or "no"), **flags)  # type: ignore[arg-type]


def run_plan(world: World, command: tuple[str, ...], folder: Path, spec: RunSpec) -> Plan:
    """Remarks that judge what is typed, and the command."""
    remarks = {
        "image": _image_remark(world, spec.image),
        "name": _name_remark(world, spec.name),
        "command": Remark(f"image's: {' '.join(command)}" if command and not spec.command else ""),
        "ports": _ports_remark(world, spec.ports),
        "env": Remark("NAME=value, more with blanks between"),
        "volumes": Remark("./here:/there or name:/there, :ro"),
        "cpus": Remark("no limit" if not spec.cpus else "cores"),
        "memory": Remark("no limit" if not spec.memory else ""),
    }
    ready = True
    try:
        spec.body(folder)
    except BadField as error:
        ready = False
        if error.field in remarks:
            remarks[error.field] = Remark(str(error), bad=True)
    bad = any(remarks[name].bad for name in ("name", "ports", "image"))
    hint = _hint(spec, command)
    return Plan(spec.line(), remarks, ready and not bad, hint)


def _hint(spec: RunSpec, command: tuple[str, ...]) -> str:
    words = commands.parse(spec.line()).argv if spec.image else ()
    said = commands.hint(" ".join(words))
    last = command[-1].rpartition("/")[2] if command and not spec.command else ""
    if not said and spec.background and not spec.screen and last in ("sh", "bash", "ash"):
        return "a shell without a terminal ends at once: turn on keyboard and screen"
    if spec.remove and spec.restart != "no":
        return "a container that is removed at exit cannot restart"
    return said


def _image_remark(world: World, image: str) -> Remark:
    if not image:
        return Remark("an image by its name or id", bad=True)
    wanted = image if ":" in image.rpartition("/")[2] else f"{image}:latest"
    for one in world.images:
        if one.reference in (image, wanted) or one.short_id.startswith(image):
            return Remark(f"here, {size(one.size)}")
    return Remark("not on this machine", bad=True)


def _name_remark(world: World, name: str) -> Remark:
    if not name:
        return Remark("one is made up")
    if any(one.name == name for one in world.containers.values()):
        return Remark("taken", bad=True)
    return Remark("free")


def _ports_remark(world: World, text: str) -> Remark:
    """`8080 is taken by web, 8081 is free`"""
    try:
        wanted = runspec.host_ports(text)
    except BadField:
        return Remark()
    taken = {p.public: one.name for one in world.containers.values() if one.up for p in one.ports if p.public}
    for port in wanted:
        if port in taken:
            free = next((n for n in range(port + 1, 65536) if n not in taken), 0)
            return Remark(f"{port} is taken by {taken[port]}, {free} is free", bad=True)
    return Remark("HOST:INSIDE, more with blanks between" if not wanted else "free")


def load(glyphs: Glyphs, folder: Path) -> Form:
    """Load an archive that save made."""

    def plan(values: Values) -> Plan:
        path = values["path"].strip()
        remark = readable(folder, path)
        return Plan(commands.line(("load", "-i"), (path or "FILE",)), {"path": remark}, not remark.bad)

    return Form("Load images", "from an archive", "Load", [Line("path", "file")], plan, glyphs)


def import_(glyphs: Glyphs, folder: Path) -> Form:
    """Make an image of a tar of a whole file system."""

    def plan(values: Values) -> Plan:
        path, name, changes = (values[key].strip() for key in ("path", "name", "changes"))
        remarks = {
            "path": readable(folder, path),
            "name": reference(name),
            "changes": Remark('as CMD ["/bin/sh"]; more with ; between'),
        }
        words = ["import", *(w for change in split_changes(changes) for w in ("-c", change)), path or "FILE"]
        bad = any(remark.bad for remark in remarks.values())
        return Plan(commands.line(words, (name,) if name else ()), remarks, not bad)

    fields = [Line("path", "file"), Line("name", "name"), Line("changes", "changes")]
    return Form("Import an image", "from a root file system", "Import", fields, plan, glyphs)


def split_changes(text: str) -> list[str]:
    """The changes of the import form, one instruction each."""
    return [change.strip() for change in text.split(";") if change.strip()]


def save(glyphs: Glyphs, folder: Path, names: Collection[str]) -> Form:
    """Save images with their layers, history and tags."""
    suggestion = file_name(next(iter(names), "image"))

    def plan(values: Values) -> Plan:
        path = values["path"].strip()
        remark = writable(folder, path)
        return Plan(commands.line(("save", "-o"), (path or "FILE", *names)), {"path": remark}, not remark.bad)

    return Form("Save", ", ".join(names), "Save", [Line("path", "file", suggestion)], plan, glyphs)


def export(glyphs: Glyphs, folder: Path, name: str) -> Form:
    """Export a container's files as one tar; volumes and settings are not in it."""

    def plan(values: Values) -> Plan:
        path = values["path"].strip()
        remark = writable(folder, path)
        hint = "its files only: no volumes, no settings, no history"
        return Plan(commands.line(("export", "-o"), (path or "FILE", name)), {"path": remark}, not remark.bad, hint)

    return Form("Export", name, "Export", [Line("path", "file", file_name(name))], plan, glyphs)


def file_name(name: str) -> str:
    """A file to suggest for `name`, in plain letters: an entry shows what is in it as it is."""
    return (re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._") or "archive")[:80] + ".tar"


def tag(glyphs: Glyphs, world: World, source: str) -> Form:
    """Give an image another name."""

    def plan(values: Values) -> Plan:
        name = values["name"].strip()
        remark = reference(name) if name else Remark("NAME:TAG", bad=True)
        if any(image.reference == name for image in world.images):
            remark = Remark("moves from the image that has it now")
        return Plan(commands.of("image_tag", [source, name or "NAME"]), {"name": remark}, not remark.bad)

    return Form("Another name", f"for {source}", "Tag", [Line("name", "name")], plan, glyphs)


def reference(name: str) -> Remark:
    """Judge an image name."""
    if not name:
        return Remark("none: it is found by its id")
    if name != name.lower() and ":" not in name:
        return Remark("lower case only", bad=True)
    return Remark() if _REFERENCE.fullmatch(name) else Remark("not a name of an image", bad=True)


def readable(folder: Path, text: str) -> Remark:
    """Judge a file to read."""
    if not text:
        return Remark("a .tar, packed or not", bad=True)
    path = folder / Path(text).expanduser()
    try:
        if path.is_dir():
            return Remark("a folder; name a file in it", bad=True)
        return Remark(size(path.stat().st_size))
    except OSError:
        return Remark("no such file", bad=True)


def writable(folder: Path, text: str) -> Remark:
    """Judge a file to write."""
    if not text:
        return Remark("where to", bad=True)
    path = folder / Path(text).expanduser()
    if path.is_dir():
        return Remark("a folder; name a file in it", bad=True)
    if not path.parent.is_dir():
        return Remark("no such folder", bad=True)
    return Remark("it is there and will be replaced") if path.exists() else Remark("new")


def values_of(spec: RunSpec) -> Mapping[str, str]:
    """A RunSpec as the values of the run form."""
    texts = {
        n: getattr(spec, n)
        for n in ("image", "name", "command", "ports", "env", "volumes", "memory", "cpus", "restart")
    }
    return texts | {n: "yes" if getattr(spec, n) else "" for n in ("background", "screen", "remove")}
