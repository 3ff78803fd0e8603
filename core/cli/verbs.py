"""Which verb lives where. A module is imported when its verb is asked for."""

from __future__ import annotations

from core.cli.parser import Command

COMMON = ("run", "exec", "ps", "build", "pull", "push", "images", "login", "logout", "search", "version", "info")
_HERE = "core.cli.verb"

# verb -> module:attribute
VERBS: dict[str, str] = {
    "attach": "attach:ATTACH",
    "build": "build:BUILD",
    "commit": "commit:COMMIT",
    "completion": "completion:COMPLETION",
    "cp": "cp:CP",
    "create": "create:CREATE",
    "diff": "commit:DIFF",
    "events": "events:EVENTS",
    "exec": "execs:EXEC",
    "export": "archives:EXPORT",
    "history": "history:HISTORY",
    "images": "images:IMAGES",
    "import": "archives:IMPORT",
    "info": "system:INFO",
    "inspect": "inspect:INSPECT",
    "kill": "lifecycle:KILL",
    "load": "archives:LOAD",
    "login": "login:LOGIN",
    "logout": "logout:LOGOUT",
    "logs": "logs:LOGS",
    "pause": "lifecycle:PAUSE",
    "port": "port:PORT",
    "ps": "ps:PS",
    "pull": "pull:PULL",
    "push": "push:PUSH",
    "rename": "lifecycle:RENAME",
    "restart": "lifecycle:RESTART",
    "rm": "removal:RM",
    "rmi": "removal:RMI",
    "run": "run:RUN",
    "save": "archives:SAVE",
    "search": "search:SEARCH",
    "start": "start:START",
    "stats": "stats:STATS",
    "stop": "lifecycle:STOP",
    "tag": "images:TAG",
    "top": "top:TOP",
    "undo": "undo:UNDO",
    "unpause": "lifecycle:UNPAUSE",
    "update": "update:UPDATE",
    "verify": "verify:VERIFY",
    "version": "system:VERSION",
    "wait": "lifecycle:WAIT",
}

_OF_CONTAINERS = (
    "attach", "commit", "cp", "create", "diff", "exec", "export", "kill", "logs", "pause", "port", "rename",
    "restart", "rm", "run", "start", "stats", "stop", "top", "unpause", "update", "wait",
)  # fmt: skip

# group -> (summary, {verb -> module:attribute, or a name of VERBS})
GROUPS: dict[str, tuple[str, dict[str, str]]] = {
    "builder": (
        "Manage builds",
        {
            "build": "build",
            "cancel": "builder:CANCEL",
            "du": "builder:DU",
            "history": "builder:HISTORY",
            "inspect": "builder:INSPECT",
            "logs": "builder:LOGS",
            "prune": "builder:PRUNE",
            "rm": "builder:RM",
            "shell": "builder:SHELL",
        },
    ),
    "container": (
        "Manage containers",
        {
            **{name: name for name in _OF_CONTAINERS},
            "inspect": "inspect:INSPECT_CONTAINER",
            "ls": "ps",
            "prune": "prune:PRUNE_CONTAINERS",
        },
    ),
    "engine": (
        "Run this machine's engine in the foreground, or manage it",
        {"run": "engine:RUN", "start": "engine:START", "status": "engine:STATUS", "stop": "engine:STOP"},
    ),
    "image": (
        "Manage images",
        {
            "build": "build",
            "history": "history",
            "import": "import",
            "inspect": "inspect:INSPECT_IMAGE",
            "load": "load",
            "ls": "images",
            "prune": "prune:PRUNE_IMAGES",
            "pull": "pull",
            "push": "push",
            "receive": "transfer:RECEIVE",
            "rm": "rmi",
            "save": "save",
            "send": "transfer:SEND",
            "tag": "tag",
        },
    ),
    "manifest": ("Look at image manifests in a registry", {"inspect": "manifest:INSPECT"}),
    "network": ("Manage networks", {"inspect": "inspect:INSPECT_NETWORK", "ls": "networks:LS"}),
    "system": (
        "Manage the engine",
        {
            "df": "df:DF",
            "events": "events",
            "info": "info",
            "policy": "policy:POLICY",
            "prune": "prune:PRUNE_SYSTEM",
        },
    ),
    "volume": (
        "Manage volumes",
        {
            "create": "volumes:CREATE",
            "inspect": "inspect:INSPECT_VOLUME",
            "ls": "volumes:LS",
            "prune": "prune:PRUNE_VOLUMES",
            "rm": "volumes:RM",
        },
    ),
}

ALIASES = {
    ("builder", "ls"): "history",
    ("container", "list"): "ls",
    ("container", "ps"): "ls",
    ("container", "remove"): "rm",
    ("image", "list"): "ls",
    ("image", "remove"): "rm",
    ("network", "list"): "ls",
    ("volume", "list"): "ls",
    ("volume", "remove"): "rm",
}


def load(where: str) -> Command:
    """The Command that a table entry names."""
    module, _, attribute = VERBS.get(where, where).partition(":")
    command = getattr(__import__(f"{_HERE}.{module}", fromlist=[attribute]), attribute)
    assert isinstance(command, Command)
    return command


def spellings(where: str) -> list[str]:
    """Every way to call the command of a table entry."""
    found = []
    for group, (_, verbs) in GROUPS.items():
        for name, entry in verbs.items():
            if entry == where:
                found.append(f"{group} {name}")
                found += [f"{group} {alias}" for (g, alias), verb in ALIASES.items() if (g, verb) == (group, name)]
    return [*found, where] if where in VERBS else found
