from __future__ import annotations

from pathlib import Path

import pytest

from tui import keymaps, keytable
from tui.actions import ACTIONS, BY_ID, Situation, applies, scopes_of
from tui.state import Container


@pytest.mark.parametrize("preset", keymaps.PRESETS)
def test_a_preset_has_no_clash_and_names_only_actions(preset: str) -> None:
    made, problems = keymaps.keymap(preset, {})
    assert problems == ()
    assert keymaps.clashes(made) == ()
    assert set(made.keys) <= set(BY_ID)


@pytest.mark.parametrize("preset", keymaps.PRESETS)
def test_every_act_has_a_key_that_is_no_chord(preset: str) -> None:
    made, _ = keymaps.keymap(preset, {})
    for action in ACTIONS:
        keys = made.of(action.id)
        assert keys, action.id
        if action.id != "retry":  # enter does it too while the engine is away
            assert any("+" not in key or key == "shift+tab" for key in keys), action.id


def test_delete_is_never_on_ctrl_d_by_default() -> None:
    made, _ = keymaps.keymap("lazydocker", {})
    dangerous = [action.id for action in ACTIONS if action.danger]
    assert all("ctrl+d" not in made.of(action) for action in dangerous)


def test_the_narrowest_scope_wins() -> None:
    made, _ = keymaps.keymap("lazydocker", {})
    assert [action.id for action in made.all_of("/", "logs")] == ["log_search"]
    assert [action.id for action in made.all_of("/", "containers")] == ["filter"]
    assert [action.id for action in made.all_of("s", "logs", "containers")] == ["stop"]
    assert made.all_of("§", "containers") == ()


def test_own_keys_go_on_top_and_what_is_wrong_is_said() -> None:
    made, problems = keymaps.keymap("emacs", {"stop": ("x",), "fly": ("f",)})
    assert made.name == "lazydocker"
    assert made.of("stop") == ("x",)
    assert made.of("export") == ()
    assert problems == (
        "keymap emacs is not known; lazydocker is used",
        "keys.fly names no action",
        "keys.stop takes a key from export",
    )


def test_two_own_keys_that_clash_are_reported() -> None:
    _, problems = keymaps.keymap("lazydocker", {"stop": ("Q",), "start": ("Q",)})
    assert any("keys.start" in problem and "keys.stop" in problem for problem in problems)


@pytest.mark.parametrize(
    ("status", "can"),
    [
        ("running", {"attach", "shell", "stop", "restart", "pause", "kill", "remove", "export"}),
        ("paused", {"stop", "restart", "unpause", "kill", "remove", "export"}),
        ("exited", {"start", "restart", "remove", "export"}),
        ("created", {"start", "restart", "remove", "export"}),
        ("restarting", {"stop", "restart", "kill", "remove", "export"}),
        ("removing", {"remove", "export"}),
    ],
)
def test_acts_follow_the_state_that_is_shown(status: str, can: set[str]) -> None:
    one = Container("1", "web", "nginx", status=status)
    offered = {a.id for a in ACTIONS if a.scope == "containers" and applies(a, Situation(one))}
    assert offered - {"run", "hide_stopped", "sort"} == can | {"commit", "logs"}


def test_scopes_from_narrow_to_wide() -> None:
    assert scopes_of("containers") == ("containers", "list", "everywhere")
    assert scopes_of("logs") == ("logs", "everywhere")
    assert scopes_of("logs", "containers") == ("logs", "containers", "everywhere")


def test_the_table_in_the_documentation_is_the_one_in_force() -> None:
    page = Path(__file__).parents[3] / "docs" / "keys.md"
    assert page.read_text("utf-8") == keytable.markdown(), "python -m tui.keytable > docs/keys.md"
    assert all(f"| `{action.id}` |" in keytable.markdown() for action in ACTIONS)
