"""The forms about registries: pull, push, copy, log in; and the one that makes an image of a container."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from core.errors import EngineError
from core.oci.reference import HUB
from tui import commands
from tui.glyphs import Glyphs
from tui.remote.registry import PLATFORMS, Registries, repository_of, server_of, shown_server
from tui.screens.form import Form, Line, Plan, Remark, Values
from tui.screens.forms import reference, split_changes
from tui.state import World
from tui.text import count
from tui.transfers import split_reference
from tui.widgets.fields import Option, Options

Users = Mapping[str, str]
"""Registry -> the user who is logged in there."""

_PLATFORM: Final = re.compile(r"[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?")
_NAMED: Final = 4


class Lookup:
    """The tags of repositories, asked for once while a form is open."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries
        self._tags: dict[str, tuple[str, ...] | str] = {}

    def tags(self, repository: str) -> tuple[str, ...]:
        """What is known to be there."""
        found = self._tags.get(repository, ())
        return found if isinstance(found, tuple) else ()

    def trouble(self, repository: str) -> str:
        """Why nothing is known; "" = nothing has been asked, or all is well."""
        found = self._tags.get(repository, "")
        return found if isinstance(found, str) else ""

    async def ask(self, repository: str) -> bool:
        """Ask the registry, unless it has been; True when something new is known."""
        if not repository or repository in self._tags:
            return False
        try:
            self._tags[repository] = tuple(await self._registries.tags(repository))
        except (EngineError, OSError) as error:
            self._tags[repository] = str(error)
        return True


def pull(world: World, users: Users, lookup: Lookup, name: str, glyphs: Glyphs) -> Form:
    """Pull an image; `name` is the one under the cursor."""
    known = [image.reference for image in world.images if image.reference]
    toggles = (Option("all", "every tag", "-a"),)
    base, tag = split_reference(name) if name and "@" not in name else (name, "")
    stale = [tag] if tag else []

    def plan(values: Values) -> Plan:
        target = pulled_name(values)
        platform, every = values["platform"].strip(), bool(values.get("all"))
        words = [*(("-a",) if every else ()), *(("--platform", platform) if platform else ()), target or "NAME"]
        repository = repository_of(target)
        remarks = {
            "name": _name_remark(world, users, target),
            "tag": _tag_remark(values, lookup, repository, every=every),
            "platform": _platform_remark(platform),
        }
        bad = any(remark.bad for remark in remarks.values())
        known_tags = {"tag": lookup.tags(repository)}
        clear: tuple[str, ...] = ()
        if stale and values["name"].strip() != base:
            clear = ("tag",)  # it was the other image's, and nobody has typed it
            stale.clear()
        return Plan(commands.line(("pull",), words), remarks, not bad, known=known_tags, clear=clear)

    async def look(values: Values) -> bool:
        return await lookup.ask(repository_of(values["name"].strip()))

    fields: list[Line | Options] = [
        Line("name", "image", base, known=[split_reference(one)[0] for one in known], first=True),
        Line("tag", "tag", tag),
        Line("platform", "platform", known=PLATFORMS),
        Options("toggles", "", toggles, [], glyphs),
    ]
    return Form("Pull an image", "from a registry", "Pull", fields, plan, glyphs, look)


def _platform_remark(platform: str) -> Remark:
    if not platform:
        return Remark("this machine's")
    return Remark() if _PLATFORM.fullmatch(platform) else Remark("OS/ARCH, as linux/arm64", bad=True)


def pulled_name(values: Values) -> str:
    """The reference that the fields of the pull form name."""
    name, tag = values["name"].strip(), values["tag"].strip()
    if not name or "@" in name or split_reference(name)[1] or values.get("all"):
        return name
    return f"{name}:{tag}" if tag else name


def _name_remark(world: World, users: Users, name: str) -> Remark:
    if not name:
        return Remark("nginx, or host:port/name", bad=True)
    if (judged := reference(name)).bad or not server_of(name):
        return judged if judged.bad else Remark("not a name of an image", bad=True)
    tagged = name if split_reference(name)[1] or "@" in name else f"{name}:latest"
    here = "here; " if any(one.reference == tagged for one in world.images) else ""
    return Remark(here + _account(users, server_of(name)))


def _account(users: Users, server: str) -> str:
    user = users.get(server, "")
    return f"{shown_server(server)}{f' as {user}' if user else ''}"


def _tag_remark(values: Values, lookup: Lookup, repository: str, *, every: bool) -> Remark:
    own = split_reference(values["name"].strip())[1]
    tag = values["tag"].strip()
    if every:
        return Remark("all that are there")
    if own:
        return Remark(f"{own}, in the name")
    there, trouble = lookup.tags(repository), lookup.trouble(repository)
    if tag and there:
        near = [one for one in there if one.startswith(tag)][-_NAMED:]
        return (
            Remark("is there")
            if tag in there
            else Remark(f"not there; {' '.join(near)} are" if near else "not there", bad=True)
        )
    if there:
        more = " …" if len(there) > _NAMED else ""
        return Remark(f"{count(len(there), 'tag')}: {' '.join(there[-_NAMED:])}{more}")
    if trouble:
        return Remark(("latest; " if not tag else "") + "its tags cannot be listed")
    return Remark("" if tag else "latest")


def push(world: World, users: Users, source: str, glyphs: Glyphs) -> Form:
    """Push an image under its own name or another, which it is given first."""

    def plan(values: Values) -> Plan:
        target = values["target"].strip()
        judged = _target_remark(users, target)
        return Plan(
            push_command(source, target or "NAME"), {"target": judged}, not judged.bad, _push_hint(users, target)
        )

    known = [f"{server}/{source.rpartition('/')[2]}" for server in users if server != HUB]
    return Form("Push", source, "Push", [Line("target", "to", source, known=known)], plan, glyphs)


def push_command(source: str, target: str) -> str:
    """The commands that push an image under a name."""
    pushing = commands.line(("push",), (target,))
    return pushing if source == target else f"{commands.of('image_tag', [source, target])} && {pushing}"


def _target_remark(users: Users, target: str) -> Remark:
    if not target:
        return Remark("host:port/name:tag", bad=True)
    if (judged := reference(target)).bad or not server_of(target):
        return judged if judged.bad else Remark("not a name of an image", bad=True)
    return Remark(f"to {_account(users, server_of(target))}")


def _push_hint(users: Users, target: str) -> str:
    server = server_of(target)
    if server == HUB and HUB not in users:
        return "Docker Hub takes images only from its users: log in first, or put a registry before the name"
    return ""


def copy(world: World, users: Users, source: str, glyphs: Glyphs) -> Form:
    """Copy from one registry to another: pull, tag, push."""

    def plan(values: Values) -> Plan:
        first, target = values["source"].strip(), values["target"].strip()
        remarks = {"source": _name_remark(world, users, first), "target": _target_remark(users, target)}
        if first and first == target:
            remarks["target"] = Remark("the same place", bad=True)
        bad = any(remark.bad for remark in remarks.values())
        hint = _push_hint(users, target)
        return Plan(copy_command(first or "FROM", target or "TO"), remarks, not bad, hint)

    known = [image.reference for image in world.images if image.reference]
    short = source.rpartition("/")[2] or "NAME"
    fields = [
        Line("source", "from", source, known=known),
        Line("target", "to", known=[f"{server}/{short}" for server in users if server != HUB]),
    ]
    return Form("Copy to another registry", "", "Copy", fields, plan, glyphs)


def copy_command(source: str, target: str) -> str:
    """The commands that copy an image between registries."""
    return f"{commands.line(('pull',), (source,))} && {push_command(source, target)}"


def login(users: Users, server: str, glyphs: Glyphs) -> Form:
    """Log in. The password is hidden, and goes to the engine only: never to a command line."""

    def plan(values: Values) -> Plan:
        place, user = values["server"].strip(), values["user"].strip()
        name = place or HUB
        words = ("-u", user or "USER", "--password-stdin", *((place,) if place else ()))
        as_now = users.get(name, "")
        remarks = {
            "server": Remark("Docker Hub" if not place else f"now as {as_now}" if as_now else ""),
            "user": Remark("", bad=not user),
            "password": Remark("or a token; it stays hidden", bad=False),
        }
        if place and not _SERVER.fullmatch(place):
            remarks["server"] = Remark("HOST or HOST:PORT", bad=True)
        ready = bool(user and values["password"]) and not remarks["server"].bad
        return Plan(commands.line(("login",), words), remarks, ready)

    fields = [
        Line("server", "registry", "" if server == HUB else server, known=[one for one in users if one != HUB]),
        Line("user", "user", users.get(server, "")),
        Line("password", "password", secret=True),
    ]
    return Form("Log in", "to a registry", "Log in", fields, plan, glyphs)


_SERVER: Final = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?")


def commit(world: World, container: str, running: bool, glyphs: Glyphs) -> Form:
    """Make an image of a container as it is now."""
    toggles = (Option("pause", "paused meanwhile", "--pause"),)

    def plan(values: Values) -> Plan:
        name = values["name"].strip()
        remark = reference(name)
        if any(image.reference == name for image in world.images):
            remark = Remark("moves from the image that has it now")
        remarks = {"name": remark, "changes": Remark("CMD [...], ENV A=b; more with ;")}
        return Plan(commands.line(("commit",), commit_words(container, values)), remarks, not remark.bad)

    fields: list[Line | Options] = [
        Line("name", "name"),
        Line("message", "message"),
        Line("author", "author"),
        Line("changes", "changes"),
    ]
    if running:
        fields.append(Options("toggles", "", toggles, ["pause"], glyphs))
    return Form("Make an image", f"of {container}", "Commit", fields, plan, glyphs)


def commit_words(container: str, values: Values) -> Sequence[str]:
    """The arguments of `commit` that say what the fields say."""
    words: list[str] = []
    for flag, key in (("-m", "message"), ("-a", "author")):
        if values[key].strip():
            words += [flag, values[key].strip()]
    for change in split_changes(values["changes"]):
        words += ["-c", change]
    if values.get("pause") == "":
        words.append("--pause=false")
    name = values["name"].strip()
    return [*words, container, *((name,) if name else ())]
