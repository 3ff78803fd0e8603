from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import keymaps
from tui.actions import ACTIONS, BY_ID
from tui.rebinding import Draft

IDS = st.sampled_from([action.id for action in ACTIONS])
KEYS = st.sampled_from([*"abcxyzQ?!", "enter", "escape", "ctrl+d", "f5", "space"])


def test_a_key_moves_from_one_act_to_another_of_the_same_place() -> None:
    draft = Draft("lazydocker")
    assert [action.id for action in draft.rivals("stop", "x")] == ["export"]
    draft = draft.with_key("stop", "x")
    assert draft.keymap.of("stop") == ("x",)
    assert draft.keymap.of("export") == ()
    assert dict(draft.own) == {"stop": ("x",), "export": ()}
    assert draft.changed == 2


def test_one_more_key_stands_beside_the_others_and_only_once() -> None:
    draft = Draft("k9s").with_key("kill", "Q", further=True).with_key("kill", "Q", further=True)
    assert draft.keymap.of("kill") == ("ctrl+k", "K", "Q")


def test_the_presets_keys_need_no_line_in_the_file() -> None:
    draft = Draft("lazydocker").with_key("stop", "x").with_key("stop", "s").reset("export")
    assert dict(draft.own) == {}
    assert not draft.is_own("stop")


def test_a_reset_takes_its_key_back() -> None:
    draft = Draft("lazydocker").with_key("stop", "x").reset("export")
    assert draft.keymap.of("export") == ("x",)
    assert draft.keymap.of("stop") == ()


def test_acts_that_are_never_there_together_may_share_a_key() -> None:
    draft = Draft("lazydocker").with_key("pause", "Q")
    assert not draft.rivals("unpause", "Q")
    assert keymaps.keymap("lazydocker", draft.with_key("unpause", "Q").own)[1] == ()


def test_who_shares_a_key_in_a_wider_or_narrower_place_is_named() -> None:
    draft = Draft("lazydocker")
    assert "quit" in {action.id for action in draft.with_key("stop", "q").neighbours("stop", "q")}
    assert {action.id for action in draft.neighbours("mark", "space")} <= {"build_fold"}
    assert "log_search" not in {action.id for action in draft.neighbours("image_run", "/")}


@given(st.sampled_from(list(keymaps.PRESETS)), st.lists(st.tuples(IDS, KEYS, st.booleans()), max_size=12))
def test_whatever_is_pressed_no_two_acts_of_a_place_share_a_key(
    preset: str, pressed: list[tuple[str, str, bool]]
) -> None:
    draft = Draft(preset)
    for act, key, further in pressed:
        draft = draft.with_key(act, key, further=further)
        assert key in draft.keymap.of(act)
    made, problems = keymaps.keymap(preset, draft.own)
    assert keymaps.clashes(made) == ()
    assert made == draft.keymap
    # What one key has taken from another act is written down, so that loading it again says nothing.
    assert problems == ()
    assert set(draft.own) <= set(BY_ID)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("x", "x"), ("?", "?"), ("question_mark", "?"), ("esc", "escape"), ("ctrl-d", "ctrl+d"),
        ("PgDn", "pagedown"), ("F5", "f5"), ("del", "delete"), ("S-tab", "shift+tab"), (" ", "space"), ("한", "한"),
        ("return", "enter"), ("banana", ""), ("\x1b", ""), ("\u202e", ""), ("<any>", ""),
        ("", ""), ("ab", ""),
    ],
)  # fmt: skip
def test_keys_have_the_names_that_the_screen_gives_them(said: str, meant: str) -> None:
    assert keymaps.key_named(said) == meant


def test_every_key_of_a_preset_is_one_by_its_name_and_as_it_is_shown() -> None:
    for preset in keymaps.PRESETS.values():
        for keys in preset.values():
            for key in keys:
                assert keymaps.key_named(key) == key
                assert keymaps.key_named(keymaps.shown(key)) == key


def test_what_is_no_key_is_said_and_the_presets_stays() -> None:
    made, problems = keymaps.keymap("lazydocker", {"stop": ("banana",), "start": ("Q", "banana")})
    assert made.of("stop") == ("s",)
    assert made.of("start") == ("Q",)
    assert problems == ("keys.stop: banana is no key", "keys.start: banana is no key")
