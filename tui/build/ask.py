"""What the build form asks for, and builds typed by hand: both become a Wish and the command that does the same."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.client.builds import Wish
from core.dockerfile.instructions import Arg, Dockerfile
from core.dockerfile.parser import parse
from core.errors import EngineError
from tui import commands
from tui.glyphs import Glyphs
from tui.screens.form import Form, Line, Look, Plan, Remark, Values
from tui.screens.forms import reference
from tui.state import World
from tui.text import count
from tui.widgets.fields import Option, Options

_TOGGLES = (Option("no_cache", "use no cache", "--no-cache"), Option("pull", "pull newer bases", "--pull"))
_ONE = {"-t": "tag", "--tag": "tag", "-f": "file", "--file": "file", "--target": "target", "--build-arg": "args"}
_SWITCHES = {"--no-cache": "no_cache", "--pull": "pull"}
_VERBS = (("build",), ("image", "build"), ("builder", "build"))


@dataclass(slots=True)
class Fields:
    """The fields as they were typed; `folder` is shown as typed, and taken from the working directory on."""

    folder: str = "."
    file: str = ""
    tag: list[str] = field(default_factory=list)
    args: list[str] = field(default_factory=list)
    target: str = ""
    no_cache: bool = False
    pull: bool = False

    def words(self) -> list[str]:
        """The command's words, bad ones as typed."""
        words = ["build"]
        words += [word for tag in self.tag for word in ("-t", tag)]
        words += ["-f", self.file] if self.file else []
        words += [word for arg in self.args for word in ("--build-arg", arg)]
        words += ["--target", self.target] if self.target else []
        words += [flag for flag, name in _SWITCHES.items() if getattr(self, name)]
        return [*words, self.folder or "FOLDER"]

    def line(self) -> str:
        """The command."""
        return commands.line(self.words())

    def wish(self, here: Path) -> Wish:
        """What the engine is asked for. NAME without a value means the value it has here, as in Docker."""
        pairs = [arg.partition("=") for arg in self.args]
        args = {name: value if sign else os.environ.get(name, "") for name, sign, value in pairs}
        args = {name: args[name] for name, sign, _ in pairs if sign or name in os.environ}
        return Wish(
            folder=str(at(here, self.folder)),
            dockerfile=str(at(here, self.file)) if self.file else "",
            names=tuple(self.tag),
            target=self.target,
            args=args,
            no_cache=self.no_cache,
            pull=self.pull,
        )


def at(here: Path, text: str) -> Path:
    """A path as a shell would mean it."""
    return Path(os.path.normpath(here / Path(text).expanduser()))


def typed(argv: Sequence[str]) -> Fields | None:
    """A build typed by hand; None for any other command, and for a build with flags that no form has."""
    verb = next((words for words in _VERBS if tuple(argv[: len(words)]) == words), None)
    if verb is None:
        return None
    found, operands = Fields(folder=""), []
    words = list(argv[len(verb) :])
    while words:
        word = words.pop(0)
        flag, sign, value = word.partition("=")
        if word in _SWITCHES:
            setattr(found, _SWITCHES[word], True)
        elif flag in _ONE:
            if not sign and not words:
                return None
            _put(found, _ONE[flag], value if sign else words.pop(0))
        elif word[:2] in ("-t", "-f") and not word.startswith("--"):
            _put(found, _ONE[word[:2]], word[2:])
        elif word.startswith("-"):
            return None  # the command line knows it; "-" alone reads the context from its input
        else:
            operands.append(word)
    if len(operands) > 1 or found.file == "-" or any("://" in operand for operand in operands):
        return None
    found.folder = operands[0] if operands else ""
    return found


def _put(found: Fields, name: str, value: str) -> None:
    if name in ("tag", "args"):
        getattr(found, name).append(value)
    else:
        setattr(found, name, value)


def of_values(values: Values) -> Fields:
    """The fields of the form."""
    try:
        args = shlex.split(values["args"])
    except ValueError:
        args = values["args"].split()
    return Fields(
        folder=values["folder"].strip(),
        file=values["file"].strip(),
        tag=values["tag"].split(),
        args=args,
        target=values["target"].strip(),
        no_cache=bool(values.get("no_cache")),
        pull=bool(values.get("pull")),
    )


class Reader:
    """Reads Dockerfiles off the loop while their names are typed, and keeps what the last one says."""

    def __init__(self, here: Path) -> None:
        self._here = here
        self._path = ""
        self._read: Dockerfile | None = None
        self.trouble = ""
        self.words = ""
        """Of the engine's own about what cannot be read, at length."""

    def path(self, fields: Fields) -> str:
        """The Dockerfile that is meant."""
        return str(at(self._here, fields.file) if fields.file else at(self._here, fields.folder) / "Dockerfile")

    def file(self, fields: Fields) -> Dockerfile | None:
        """What is in it, as far as it was read."""
        return self._read if self._path == self.path(fields) else None

    def seen(self, fields: Fields) -> bool:
        """It was read, or could not be."""
        return self._path == self.path(fields)

    async def look(self, values: Values) -> bool:
        """Read the Dockerfile that is meant now."""
        from core.aio import off_loop
        from core.client.builds import source

        path = self.path(of_values(values))
        read, trouble, words = None, "", ""
        try:
            read = await off_loop(_parsed, source, path)
        except OSError:
            trouble = "no Dockerfile here"
        except EngineError as error:
            where = getattr(error, "range", None)
            trouble, words = f"line {where} is wrong" if where else "it is wrong", error.message
        changed = (path, words or trouble, read) != (self._path, self.words or self.trouble, self._read)
        self._path, self._read, self.trouble, self.words = path, read, trouble, words
        return changed


def _parsed(source: object, path: str) -> Dockerfile:
    assert callable(source)
    return parse(source(path))


def form(world: World, first: Fields, here: Path, glyphs: Glyphs) -> Form:
    """Build an image: one page."""
    reader = Reader(here)
    fields: list[Line | Options] = [
        Line("folder", "context", first.folder),
        Line("tag", "tag", " ".join(first.tag), first=bool(first.folder)),
        Line("file", "file", first.file),
        Line("args", "args", shlex.join(first.args)),
        Line("target", "up to", first.target),
        Options("toggles", "", _TOGGLES, [n for n in ("no_cache", "pull") if getattr(first, n)], glyphs),
    ]
    look: Look = reader.look
    return Form(
        "Build an image", "from a Dockerfile", "Build", fields, lambda v: plan(world, reader, here, v), glyphs, look
    )


def plan(world: World, reader: Reader, here: Path, values: Values) -> Plan:
    """Remarks that judge what is typed, and the command."""
    found = of_values(values)
    file = reader.file(found)
    remarks: dict[str, Remark] = {
        "folder": _folder(here, found.folder),
        "tag": _tags(world, found.tag),
        "file": _dockerfile(reader, found, file),
        "args": _args(found.args, file),
        "target": _target(found.target, file),
    }
    bad = any(remark.bad for remark in remarks.values())
    known: dict[str, Sequence[str]] = {"folder": folders(here, found.folder)}
    if file is not None:
        known["target"] = [stage.start.name for stage in file.stages if stage.start.name]
        known["args"] = [f"{name}=" for name in _declared(file)]
    hint = reader.words if reader.seen(found) else ""
    if file is not None and file.hints:
        hint = f"line {file.hints[0].range}: {file.hints[0].text}"
    return Plan(found.line(), remarks, not bad, hint, known)


def _folder(here: Path, text: str) -> Remark:
    if not text:
        return Remark("a folder; . is where the app was started", bad=True)
    path = at(here, text)
    if not path.is_dir():
        return Remark("no such folder", bad=True)
    return Remark("what COPY can reach" if Path(text).is_absolute() else f"the folder {path.name or path}")


def _tags(world: World, tags: Sequence[str]) -> Remark:
    for tag in tags:
        judged = reference(tag)
        if judged.bad:
            return judged
        if any(
            image.reference == (tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest") for image in world.images
        ):
            return Remark("moves from the image that has it now")
    return Remark("free" if tags else "none: it is found by its id")


def _dockerfile(reader: Reader, fields: Fields, file: Dockerfile | None) -> Remark:
    if not reader.seen(fields):
        return Remark("")
    if file is None:
        return Remark(reader.trouble, bad=True)
    steps = sum(1 + len(stage.commands) for stage in file.stages)
    stages = f" in {len(file.stages)} stages" if len(file.stages) > 1 else ""
    return Remark(f"{count(steps, 'step')}{stages}")


def _declared(file: Dockerfile) -> Mapping[str, str | None]:
    inside = [one for stage in file.stages for one in stage.commands if isinstance(one, Arg)]
    return {name: value for arg in (*file.args, *inside) for name, value in arg.names}


def _args(args: Sequence[str], file: Dockerfile | None) -> Remark:
    names = [arg.partition("=")[0] for arg in args]
    if any(not name for name in names):
        return Remark("NAME=value, more with blanks between", bad=True)
    if file is not None:
        declared = _declared(file)
        unknown = next((name for name in names if name not in declared and not name.lower().endswith("proxy")), "")
        if unknown and unknown not in _PREDEFINED:
            return Remark(f"no ARG {unknown} in the Dockerfile")
        missing = [name for name, value in declared.items() if value is None and name not in (*names, *_PREDEFINED)]
        if missing:
            return Remark(f"without a value: {' '.join(missing)}")
        if declared and not args:
            return Remark(f"it has {' '.join(declared)}")
    return Remark("NAME=value, more with blanks between")


_PREDEFINED = ("SOURCE_DATE_EPOCH", *(f"{who}{what}" for who in ("TARGET", "BUILD") for what in (
    "PLATFORM", "OS", "ARCH", "VARIANT")))  # fmt: skip


def _target(target: str, file: Dockerfile | None) -> Remark:
    if file is None:
        return Remark("the last stage" if not target else "")
    if target:
        return Remark("the stage it ends with") if file.stage(target) else Remark("no such stage", bad=True)
    names = [stage.start.name for stage in file.stages if stage.start.name]
    return Remark(f"all, or a stage: {' '.join(names)}" if len(file.stages) > 1 and names else "the last stage")


def folders(here: Path, text: str) -> list[str]:
    """Folders that what is typed may become."""
    if text in (".", ".."):
        return []
    parent, name = os.path.split(text)
    try:
        with os.scandir(at(here, parent or ".")) as entries:
            found = sorted(
                e.name for e in entries if e.name.startswith(name) and (name or e.name[0] != ".") and e.is_dir()
            )
    except OSError:
        return []
    return [str(Path(parent) / one) + "/" for one in found[:50]]
