"""Who has the keyboard: the rule that keeps the app's own keys away from a terminal in focus."""

from __future__ import annotations

from typing import Any

from textual.app import App


def allows_action(app: App[Any], action: str) -> bool:
    """False for an action that a priority binding could run while a terminal has the keyboard.

    Textual runs priority bindings (Ctrl-Q, Ctrl-P) before the focused widget sees the key. Call this from
    `App.check_action`; `action` is the bare name given there.
    """
    if not getattr(app.focused, "captures_keys", False):
        return True
    return action not in _priority_actions(app)


def _priority_actions(app: App[Any]) -> set[str]:
    return {
        binding.action.partition("(")[0].rpartition(".")[2]
        for _namespace, bindings in app.screen._binding_chain
        for same_key in bindings.key_to_bindings.values()
        for binding in same_key
        if binding.priority
    }
