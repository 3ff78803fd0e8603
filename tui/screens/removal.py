"""Questions before something is deleted or killed: what goes, what is spared and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tui import commands
from tui.glyphs import Glyphs
from tui.panes.containers import mark, reason
from tui.screens.confirm import Question, Victim
from tui.state import Container, Image, Volume, World
from tui.text import count


def containers(hit: Sequence[Container], now: float, key: str, glyphs: Glyphs) -> Question:
    """Remove containers: the running ones are spared unless force is asked for."""
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
        key=key,
        spared=spared,
        forced=commands.of("remove_force", [one.name for one in hit]) if running else "",
        note="Image and named volumes stay. What was written inside is gone for good.",
        marked=len(hit),
    )


def kill(hit: Sequence[Container], key: str, glyphs: Glyphs) -> Question:
    """Kill containers: their programs get no chance to finish."""
    victims = [Victim(mark(one, glyphs), one.name, one.status, "unsaved work") for one in hit]
    return Question(
        verb="Kill",
        what=count(len(hit), "container"),
        victims=victims,
        command=commands.of("kill", [one.name for one in hit]),
        key=key,
        note="Stop would ask it to end first; kill does not.",
        marked=len(hit),
    )


def images(hit: Sequence[Image], world: World, key: str, glyphs: Glyphs, undo: str) -> Question:
    """Remove images: those a container needs are spared."""
    victims, spared, seen = [], [], set()
    for image in hit:
        users = world.image_users(image.id)
        if users:
            more = f" and {len(users) - 1} more" if len(users) > 1 else ""
            spared.append(((glyphs.exited, "$exited"), image.name, f"{users[0].name}{more} needs it"))
            continue
        tags = [one for one in world.images if one.id == image.id]
        last = len(tags) == 1
        frees = image.size if last and image.id not in seen else 0
        seen.add(image.id)
        state = "its last name" if last and image.reference else "no name" if last else "one of its names"
        victims.append(
            Victim((glyphs.exited, "$exited"), image.name, state, "its layers" if last else "nothing", frees)
        )
    return Question(
        verb="Remove",
        what=count(len(victims) or len(hit), "image"),
        victims=victims,
        command=commands.of("image_remove", [v.name for v in victims] or [i.name for i in hit]),
        key=key,
        spared=spared,
        marked=len(hit),
        undo=undo,
    )


def prune(world: World, key: str, glyphs: Glyphs, undo: str) -> Question:
    """Remove images that nothing uses: those without a name, or all of them once `a` is pressed."""
    unused = _once([image for image in world.images if not world.image_users(image.id)])
    nameless = [image for image in unused if not image.reference]
    used = _once([image for image in world.images if world.image_users(image.id)])
    every = _pruned(unused, used, world, key, glyphs, undo, all_of=True)
    few = _pruned(nameless, used, world, key, glyphs, undo, all_of=False)
    few = replace(few, other=("a", f"all {len(unused)} that nothing uses", every))
    return replace(
        few,
        other=(
            "a",
            f"all {len(unused)} that nothing uses",
            replace(every, other=("a", "only those without a name", few)),
        ),
    )


def _once(images: Sequence[Image]) -> list[Image]:
    """One row an image, however many names it has."""
    return list({image.id: image for image in reversed(images)}.values())[::-1]


def _pruned(
    victims: Sequence[Image],
    used: Sequence[Image],
    world: World,
    key: str,
    glyphs: Glyphs,
    undo: str,
    *,
    all_of: bool,
) -> Question:
    mark = (glyphs.exited, "$exited")
    rows = [
        Victim(mark, image.name, "unused" if image.reference else "unused, no name", "its layers", image.size)
        for image in victims
    ]
    spared = [(mark, image.name, f"{world.image_users(image.id)[0].name} needs it") for image in used]
    nothing = "Every image has a name or is used." if not all_of else "Every image is used."
    return Question(
        verb="Prune",
        what=count(len(victims), "image") if victims else "nothing",
        victims=rows,
        command=commands.line(("image", "prune", "-a") if all_of else ("image", "prune")),
        key=key,
        spared=spared,
        note="Layers that a spared image has too stay." if victims else nothing,
        undo=undo,
    )


def volumes(hit: Sequence[Volume], world: World, key: str, glyphs: Glyphs) -> Question:
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
        key=key,
        spared=spared,
        note="What is in a volume is nowhere else; it is gone for good.",
        marked=len(hit),
    )
