"""Changing keys: what the user has changed so far, and what a key would clash with. Pure; the editor shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from tui import keymaps
from tui.actions import ACTIONS, BY_ID, LISTS, Action
from tui.keymaps import PRESETS, Keymap

_EVERY_LIST = "list"


@dataclass(frozen=True)
class Draft:
    """A preset and the user's own keys on top of it, by action id; no key at all is a choice too."""

    preset: str
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def keymap(self) -> Keymap:
        """The keys that follow from it."""
        return keymaps.keymap(self.preset, self.own)[0]

    def preset_keys(self, action_id: str) -> tuple[str, ...]:
        """What the preset has for an act."""
        return PRESETS[self.preset].get(action_id, ())

    def is_own(self, action_id: str) -> bool:
        """Whether the user has given it keys of their own."""
        return self.keymap.of(action_id) != self.preset_keys(action_id)

    @property
    def changed(self) -> int:
        """How many acts have other keys than the preset gives them."""
        return sum(self.is_own(action.id) for action in ACTIONS)

    def rivals(self, action_id: str, key: str) -> tuple[Action, ...]:
        """The acts of the same place that have the key now, and would lose it."""
        return tuple(BY_ID[one] for one in keymaps.rivals(self.keymap.keys, action_id, (key,)))

    def neighbours(self, action_id: str, key: str) -> tuple[Action, ...]:
        """The acts of wider or narrower places that have the key: in the narrower place its own act goes first."""
        scope = BY_ID[action_id].scope
        return tuple(other for other in ACTIONS if _nested(scope, other.scope) and key in self.keymap.of(other.id))

    def given(self, action_id: str, keys: tuple[str, ...]) -> Draft:
        """The act has these keys, and no act of the same place has any of them."""
        own = dict(self.own)
        for other in keymaps.rivals(self.keymap.keys, action_id, keys):
            own[other] = tuple(key for key in self.keymap.of(other) if key not in keys)
        own[action_id] = keys
        return replace(self, own=self._least(own))

    def with_key(self, action_id: str, key: str, *, further: bool = False) -> Draft:
        """The act has `key`, alone or besides those that it has (`further`)."""
        had = tuple(one for one in self.keymap.of(action_id) if one != key) if further else ()
        return self.given(action_id, (*had, key))

    def reset(self, action_id: str) -> Draft:
        """The act has the preset's keys again."""
        return self.given(action_id, self.preset_keys(action_id))

    def on(self, preset: str) -> Draft:
        """The same own keys on another preset."""
        return Draft(preset, self.own)

    def _least(self, own: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """Without what the preset says anyway."""
        return {one: keys for one, keys in own.items() if one not in BY_ID or keys != self.preset_keys(one)}


def _nested(one: str, two: str) -> bool:
    """Whether what works in one of these places works in the other too."""
    if one == two:
        return False
    if "everywhere" in (one, two):
        return True
    return _EVERY_LIST in (one, two) and (one in LISTS or two in LISTS)
