"""Questions before something is deleted or killed: what goes, what is spared and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tui import commands
from tui.glyphs import Glyphs
from tui.panes.containers import mark, reason
from tui.screens.confirm import Question, Victim
from tui.state import Container, Image, Json, Volume, World
from tui.text import count

Keys = tuple[str, ...]
"""The keys that opened the question, and that do it."""


def containers(hit: Sequence[Container], now: float, keys: Keys, glyphs: Glyphs, undo: str) -> Question:
    """Remove containers: the running ones are spared unless force is asked for."""
    lost = "" if undo else " What was written inside is gone for good."
    rest = [one for one in hit if not one.alive]
    running = [one for one in hit if one.alive]
    victims = [Victim(mark(one, glyphs), one.name, reason(one, now).plain, "its log and files") for one in rest]
    spared = [(mark(one, glyphs), one.name, "it runs; F stops it first and takes it too") for one in running]
    names = [one.name for one in (rest or running)]
    act = "remove" if rest else "remove_force"
    return Question(
        verb="Remove",
        what=count(len(rest or running), "container"),
        victims=victims,
        command=commands.of(act, names),
        keys=keys,
        spared=spared,
        forced=commands.of("remove_force", [one.name for one in hit]) if running else "",
        note=f"Image and volumes stay.{lost}",
        marked=len(hit),
        undo=undo,
    )


def kill(hit: Sequence[Container], keys: Keys, glyphs: Glyphs) -> Question:
    """Kill containers: their programs get no chance to finish."""
    victims = [Victim(mark(one, glyphs), one.name, one.status, "unsaved work") for one in hit]
    return Question(
        verb="Kill",
        what=count(len(hit), "container"),
        victims=victims,
        command=commands.of("kill", [one.name for one in hit]),
        keys=keys,
        note="Stop would ask it to end first; kill does not.",
        marked=len(hit),
    )


def images(hit: Sequence[Image], world: World, keys: Keys, glyphs: Glyphs, undo: str) -> Question:
    """Remove images: those a container needs are spared."""
    victims, spared = [], []
    going = Counter(image.id for image in hit)
    left = Counter(image.id for image in world.images)
    for image in hit:
        users = world.image_users(image.id)
        if users:
            more = f" and {len(users) - 1} more" if len(users) > 1 else ""
            spared.append(((glyphs.exited, "$exited"), image.name, f"{users[0].name}{more} needs it"))
            continue
        going[image.id] -= 1
        left[image.id] -= 1
        last = not going[image.id] and not left[image.id]
        frees = max(0, image.size - image.shared) if last else 0
        state = "its last name" if last and image.reference else "no name" if last else "one of its names"
        victims.append(
            Victim((glyphs.exited, "$exited"), image.name, state, "its layers" if last else "nothing", frees)
        )
    return Question(
        verb="Remove",
        what=count(len(victims) or len(hit), "image"),
        victims=victims,
        command=commands.of("image_remove", [v.name for v in victims] or [i.name for i in hit]),
        keys=keys,
        spared=spared,
        marked=len(hit),
        undo=undo,
    )


def prune(few: Json, every: Json, world: World, keys: Keys, glyphs: Glyphs, undo: str) -> Question:
    """Prune images by the plan `few` of those without a name, or by `every` once `a` is pressed."""
    words = f"all {len(every.get('Images') or ())} that nothing uses"
    first = _pruned(few, world, keys, glyphs, undo, all_of=False)
    wide = _pruned(every, world, keys, glyphs, undo, all_of=True)
    back = ("a", "only those without a name", replace(first, other=("a", words, wide)))
    return replace(first, other=("a", words, replace(wide, other=back)))


def plan_of(world: World, *, all_of: bool) -> Json:
    """The plan of an engine that tells none, as far as the lists know."""
    found = [one for one in world.images if not world.image_users(one.id) and (all_of or not one.reference)]
    names: dict[str, list[str]] = {}
    for one in found:
        names.setdefault(one.id, []).extend([one.reference] if one.reference else [])
    sizes = {one.id: one.size for one in found}
    return {"Images": [{"Id": key, "Names": tags, "Size": sizes[key]} for key, tags in names.items()]}


def _pruned(plan: Json, world: World, keys: Keys, glyphs: Glyphs, undo: str, *, all_of: bool) -> Question:
    mark = (glyphs.exited, "$exited")
    rows = []
    for item in plan.get("Images") or ():
        names, ident = [str(name) for name in item.get("Names") or ()], str(item.get("Id", ""))
        name = names[0] if names else ident.removeprefix("sha256:")[:12]
        more = f", {len(names)} names" if len(names) > 1 else "" if names else ", no name"
        rows.append(Victim(mark, name, f"unused{more}", "its layers", int(item.get("Size") or 0)))
    used = {image.id: image for image in world.images if world.image_users(image.id)}
    spared = [(mark, image.name, f"{world.image_users(image.id)[0].name} needs it") for image in used.values()]
    nothing = "Every image is used." if all_of else "Every image has a name or is used."
    return Question(
        verb="Prune",
        what=count(len(rows), "image") if rows else "",
        victims=rows,
        command=prune_command(all_of=all_of),
        keys=keys,
        spared=spared,
        note="" if rows else nothing,
        undo=undo,
        frees=int(plan.get("SpaceReclaimed", -1)),
    )


def prune_command(*, all_of: bool) -> str:
    """The command that prunes."""
    return commands.line(("image", "prune", "-a") if all_of else ("image", "prune"))


def volumes(hit: Sequence[Volume], world: World, keys: Keys, glyphs: Glyphs, undo: str) -> Question:
    """Remove volumes with everything in them; those that are mounted are spared."""
    victims, spared = [], []
    for volume in hit:
        users = world.volume_users(volume.name)
        if users:
            spared.append(((glyphs.exited, "$exited"), volume.name, f"{users[0].name} needs it"))
        else:
            victims.append(
                Victim((glyphs.exited, "$exited"), volume.name, "unused", "everything in it", volume.size)
            )
    return Question(
        verb="Remove",
        what=count(len(victims) or len(hit), "volume"),
        victims=victims,
        command=commands.of("volume_remove", [v.name for v in victims] or [v.name for v in hit]),
        keys=keys,
        spared=spared,
        note="" if undo else "What is in a volume is nowhere else; it is gone for good.",
        marked=len(hit),
        undo=undo,
    )
