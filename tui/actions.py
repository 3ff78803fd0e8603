"""Everything the app can do, as data. Keys, footer, help, palette and tests are made from this one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from tui.state import Container

Scope = Literal[
    "everywhere",
    "list",
    "containers",
    "images",
    "volumes",
    "networks",
    "projects",
    "logs",
    "text",
    "terminal",
    "layers",
    "files",
    "changes",
    "jobs",
    "build",
]
Group = Literal["Here", "Move", "Find", "Mark", "Take", "Everywhere"]

LISTS: Final = ("containers", "images", "volumes", "networks", "projects")


@dataclass(frozen=True, slots=True)
class Action:
    """One act.

    `verb` stands in the footer, `help` on the help screen, `scope` is where it works. `danger` acts ask before
    they touch anything. `rank` orders the footer, 0 = not shown there. `own` acts are done by the focused
    widget itself and stand here so that they are named.
    """

    id: str
    verb: str
    scope: Scope
    help: str
    group: Group = "Here"
    danger: bool = False
    rank: int = 0
    own: bool = False


ACTIONS: Final = (
    Action("open", "open", "list", "open the detail", rank=10),
    Action("inspect", "config", "list", "its configuration"),
    Action("logs", "logs", "containers", "its logs"),
    Action("attach", "attach", "containers", "attach", rank=20),
    Action("shell", "shell", "containers", "shell inside", rank=30),
    Action("run", "run", "containers", "run a new one", rank=40),
    Action("stop", "stop", "containers", "stop", rank=50),
    Action("start", "start", "containers", "start", rank=51),
    Action("restart", "restart", "containers", "restart", rank=82),
    Action("pause", "pause", "containers", "pause", rank=90),
    Action("unpause", "go on", "containers", "go on after a pause", rank=45),
    Action("kill", "kill", "containers", "kill", danger=True),
    Action("remove", "delete", "containers", "delete", danger=True, rank=60),
    Action("export", "export", "containers", "export its files"),
    Action("commit", "commit", "containers", "make an image of it", rank=84),
    Action("hide_stopped", "hide stopped", "containers", "hide the stopped"),
    Action("sort", "sort", "containers", "sort by …"),
    Action("image_run", "run", "images", "run a container", rank=20),
    Action("image_pull", "pull", "images", "pull, or pull newer", rank=30),
    Action("image_push", "push", "images", "push to a registry", rank=40),
    Action("image_load", "load", "images", "load an archive", rank=45),
    Action("image_build", "build", "images", "build from a Dockerfile", rank=47),
    Action("image_tag", "tag", "images", "give another name", rank=50),
    Action("image_save", "save", "images", "save to a file", rank=60),
    Action("image_remove", "delete", "images", "delete", danger=True, rank=70),
    Action("image_copy", "copy to", "images", "copy to another registry", rank=86),
    Action("image_prune", "prune", "images", "delete what nothing uses", danger=True, rank=88),
    Action("image_import", "import", "images", "import a root file system", rank=89),
    Action("image_starter", "starter", "images", "make the starter image", rank=90),
    Action("login", "log in", "images", "log in to a registry", rank=92),
    Action("volume_remove", "delete", "volumes", "delete", danger=True, rank=40),
    Action("layer_open", "its files", "layers", "look at its files", rank=10),
    Action("layer_up_to", "all up to here", "layers", "all layers up to here, or one", rank=15),
    Action("file_open", "open", "files", "unfold, or show what is in it", rank=10),
    Action("file_shut", "fold", "files", "fold", rank=12),
    Action("file_unfold", "unfold", "files", "unfold"),
    Action("file_up_to", "all up to here", "files", "all layers up to here, or one", rank=15),
    Action("file_order", "order", "files", "order by size or name", rank=18),
    Action("change_open", "open", "changes", "unfold or fold", rank=10),
    Action("change_shut", "fold", "changes", "fold"),
    Action("change_unfold", "unfold", "changes", "unfold"),
    Action("job_open", "open", "jobs", "show its parts, or not", rank=10),
    Action("job_pause", "pause", "jobs", "pause", rank=15),
    Action("job_resume", "go on", "jobs", "go on", rank=16),
    Action("job_cancel", "cancel", "jobs", "cancel", rank=20),
    Action("job_clear", "clear done", "jobs", "forget what is over", rank=30),
    Action("build_layers", "its layers", "build", "the layers of what was built", rank=5),
    Action("build_fold", "fold", "build", "fold or unfold the step", rank=10),
    Action("build_failure", "failure", "build", "to the failed step", rank=12),
    Action("build_follow", "follow", "build", "follow what runs", rank=14),
    Action("build_edit", "edit Dockerfile", "build", "edit the Dockerfile, then build again", rank=20),
    Action("build_again", "again", "build", "build again", rank=25),
    Action("build_shell", "shell in this step", "build", "a shell in the step's file system", rank=30),
    Action("build_leave", "background", "build", "leave it to the background", rank=40),
    Action("build_cancel", "cancel", "build", "cancel the build", rank=50),
    Action("build_wrap", "wrap", "build", "wrap long lines", rank=60),
    Action("back", "back", "everywhere", "back, close", group="Move"),
    Action("down", "down", "everywhere", "down", group="Move", own=True),
    Action("up", "up", "everywhere", "up", group="Move", own=True),
    Action("first", "first", "everywhere", "first", group="Move", own=True),
    Action("last", "last", "everywhere", "last", group="Move", own=True),
    Action("page_down", "half page down", "everywhere", "half a page down", group="Move", own=True),
    Action("page_up", "half page up", "everywhere", "half a page up", group="Move", own=True),
    Action("pane_left", "left", "everywhere", "pane left", group="Move"),
    Action("pane_right", "right", "everywhere", "pane right", group="Move"),
    Action("next_pane", "next pane", "everywhere", "next pane", group="Move"),
    Action("previous_pane", "previous pane", "everywhere", "previous pane", group="Move"),
    Action("tab_left", "tab left", "everywhere", "tab left", group="Move"),
    Action("tab_right", "tab right", "everywhere", "tab right", group="Move"),
    Action("zoom", "zoom", "everywhere", "zoom, and back", group="Move", rank=95),
    Action("list_1", "containers", "everywhere", "the containers", group="Move"),
    Action("list_2", "images", "everywhere", "the images", group="Move"),
    Action("list_3", "volumes", "everywhere", "the volumes", group="Move"),
    Action("list_4", "networks", "everywhere", "the networks", group="Move"),
    Action("list_5", "projects", "everywhere", "the projects", group="Move"),
    Action("mark", "mark", "list", "mark the row", group="Mark", rank=85),
    Action("mark_all", "mark all", "list", "mark all shown", group="Mark"),
    Action("filter", "filter", "list", "filter, ! inverts", group="Find", rank=80),
    Action("palette", "command", "everywhere", "command or object", group="Find"),
    Action("log_search", "search", "logs", "search in the log", group="Find", rank=10, own=True),
    Action("log_keep", "keep", "logs", "keep only what matches", group="Find", rank=20, own=True),
    Action("log_next", "next hit", "logs", "next, previous hit", group="Find", rank=5, own=True),
    Action("log_follow", "follow", "logs", "follow the end", rank=30, own=True),
    Action("log_wrap", "wrap", "logs", "wrap long lines", rank=40, own=True),
    Action("log_time", "time", "logs", "show the time", rank=50, own=True),
    Action("log_invert", "invert", "logs", "keep what does not match", group="Find", rank=25, own=True),
    Action("log_jump", "go to time", "logs", "go to a time", group="Find", rank=58, own=True),
    Action("log_run", "this run", "logs", "where it was started last", group="Find", rank=66, own=True),
    Action("log_mute", "mute", "logs", "mute a container of several", rank=35, own=True),
    Action("log_solo", "alone", "logs", "hear one container alone", rank=36, own=True),
    Action("log_unfold", "unfold", "logs", "unfold JSON", rank=55, own=True),
    Action("log_select", "select", "logs", "select lines, y copies them", group="Take", rank=60, own=True),
    Action("log_save", "save", "logs", "save what is shown", group="Take", rank=62, own=True),
    Action("log_wipe", "clear", "logs", "put away what is here, esc brings it back", rank=64, own=True),
    Action("enter_terminal", "type in it", "terminal", "give it the keyboard", rank=10),
    Action("session_next", "next session", "terminal", "next session", rank=20),
    Action("session_new", "new shell", "terminal", "a new shell", rank=30),
    Action("session_close", "close", "terminal", "leave and close the session", rank=40),
    Action("yank", "copy", "everywhere", "copy id, name, IP …", group="Take", rank=97),
    Action("undo", "undo", "everywhere", "take a removal back", group="Everywhere", rank=81),
    Action("registries", "registries", "everywhere", "look into registries", group="Everywhere"),
    Action("builds", "builds", "everywhere", "builds that were", group="Everywhere"),
    Action("help", "help", "everywhere", "this help", group="Everywhere"),
    Action("jobs", "jobs", "everywhere", "jobs", group="Everywhere"),
    Action("theme", "theme", "everywhere", "next theme", group="Everywhere"),
    Action("keys", "keys", "everywhere", "see and change the keys", group="Everywhere"),
    Action("details", "details", "everywhere", "the last error", group="Everywhere"),
    Action("retry", "try now", "everywhere", "try the engine now", group="Everywhere"),
    Action("quit", "quit", "everywhere", "quit, all keeps on", group="Everywhere"),
)

BY_ID: Final = {action.id: action for action in ACTIONS}


def scopes_of(place: str, about: str = "") -> tuple[Scope, ...]:
    """The scopes whose acts work in `place`, the narrowest first; `about` = the list whose object it shows.

    Among the jobs no act is about that object: the eye is elsewhere.
    """
    narrow: tuple[Scope, ...] = (place,)  # type: ignore[assignment]  # a place is a scope by its name
    shown: tuple[Scope, ...] = (about,) if about in LISTS and place != "jobs" else ()  # type: ignore[assignment]
    middle: tuple[Scope, ...] = ("list",) if place in LISTS else shown
    return (*narrow, *middle, "everywhere")


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides which acts make sense: the container under the cursor, the state of the job under it (`going` =
    it runs and cannot pause), whether the log is being searched, and how the build that is shown is (`following` =
    it runs and the view follows it, `unread` = it failed before its first step)."""

    container: Container | None = None
    job: str = ""
    searching: bool = False
    merged: bool = False
    build: str = ""


_CONTAINER_NEEDS: Final[dict[str, Callable[[Container], bool]]] = {
    "attach": lambda c: c.status == "running",
    "shell": lambda c: c.status == "running",
    "stop": lambda c: c.alive,
    "start": lambda c: not c.alive and c.status != "removing",
    "restart": lambda c: c.status != "removing",
    "pause": lambda c: c.status == "running",
    "unpause": lambda c: c.status == "paused",
    "kill": lambda c: c.alive,
}
_ANY_JOB: Final = ("running", "going", "paused", "done", "failed", "cancelled")
_JOB_NEEDS: Final = {
    "job_open": _ANY_JOB,
    "job_clear": _ANY_JOB,
    "job_pause": ("running",),
    "job_resume": ("paused",),
    "job_cancel": ("running", "going", "paused"),
}
_BUILD_RUNS: Final = ("running", "following")
_BUILD_OVER: Final = ("failed", "cancelled", "lost")
_BUILD_NEEDS: Final = {
    "build_layers": ("done",),
    "build_fold": (*_BUILD_RUNS, *_BUILD_OVER, "done"),
    "build_failure": ("failed",),
    "build_follow": ("running",),
    "build_shell": (*_BUILD_RUNS, *_BUILD_OVER, "done"),
    "build_leave": _BUILD_RUNS,
    "build_cancel": _BUILD_RUNS,
    "build_again": (*_BUILD_OVER, "done", "unread"),
}
_ANY_CONTAINER: Final = ("run", "hide_stopped", "sort")


def applies(action: Action, now: Situation) -> bool:
    """Whether the act makes sense in this situation, by the state that is shown."""
    if action.id in _JOB_NEEDS:
        return now.job in _JOB_NEEDS[action.id]
    if action.id in _BUILD_NEEDS:
        return now.build in _BUILD_NEEDS[action.id]
    if action.id in ("log_next", "log_invert"):
        return now.searching
    if action.id in ("log_mute", "log_solo"):
        return now.merged
    if action.scope != "containers" or action.id in _ANY_CONTAINER:
        return True
    if now.container is None:
        return False
    need = _CONTAINER_NEEDS.get(action.id)
    return need is None or need(now.container)
