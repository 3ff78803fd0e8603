"""The table of keys in the documentation, made from the actions: `python -m tui.keytable > docs/keys.md`."""

from __future__ import annotations

from typing import Final

from tui.actions import ACTIONS, Action
from tui.keymaps import PRESETS, keymap, shown

_PLACES: Final = {
    "containers": "The list of containers",
    "images": "The list of images",
    "volumes": "The list of volumes",
    "list": "Every list",
    "logs": "A log",
    "terminal": "Terminals, while none is typed into",
    "build": "A build",
    "layers": "Layers of an image",
    "files": "Files of a layer",
    "changes": "Changes of a container",
    "jobs": "Jobs",
    "everywhere": "Everywhere",
}
_HEAD: Final = """# Keys

Two keymaps come with onggi: `lazydocker` (the default) and `k9s`. In the app `,` shows every act with its keys and
changes them: what is pressed there holds at once and is kept in `~/.config/onggi/config.toml`. By hand it looks so:

```toml
keymap = "k9s"

[keys]
stop = "x"                  # one key,
page_down = ["J", "ctrl-f"] # several,
kill = []                   # or none
```

A key is the character it types, or a name: `enter`, `esc`, `tab`, `space`, `del`, `PgUp`, `f5`, `ctrl-d`. What
cannot be used is said when the app starts, and the keymap's own key holds. While a terminal has the keyboard no key
is the app's; Ctrl-P Ctrl-Q leaves it.
"""


def markdown() -> str:
    """The whole page."""
    parts = [_HEAD]
    for place, title in _PLACES.items():
        acts = [action for action in ACTIONS if action.scope == place]
        if acts:
            parts.append(f"## {title}\n\n| act | name in the file | {' | '.join(PRESETS)} |")
            parts.append(f"| --- | --- | {' | '.join('---' for _ in PRESETS)} |")
            parts += [_row(action) for action in acts]
            parts.append("")
    return "\n".join(parts)


def _row(action: Action) -> str:
    maps = [keymap(preset, {})[0] for preset in PRESETS]
    keys = [" ".join(f"`{shown(key)}`" for key in one.of(action.id)) for one in maps]
    return f"| {action.help} | `{action.id}` | {' | '.join(keys)} |"


if __name__ == "__main__":
    print(markdown(), end="")
