"""What keys of the build view do besides looking: edit, copy, a shell in a step, palette, help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.build.builder import Builder
    from tui.build.screen import BuildScreen
    from tui.screens.main import MainScreen
    from tui.screens.palette import Found


class ViewActs:
    """The acts of one view. Their code is loaded when they are done."""

    def __init__(self, main: MainScreen, builder: Builder, view: BuildScreen) -> None:
        self._main = main
        self._builder = builder
        self._view = view
        self.table: dict[str, Callable[[], None]] = {
            "build_cancel": lambda: builder.cancel(view.build),
            "build_layers": lambda: builder.layers(view.build),
            "build_again": lambda: builder.again(view.build),
            "build_edit": self._edit,
            "build_shell": self._shell,
            "yank": self._yank,
            "palette": self._palette,
            "help": self._help,
        }

    def _edit(self) -> None:
        from tui.build.editing import edit

        edit(self._builder, self._view)

    def _shell(self) -> None:
        from tui.build.inside import open_shell

        if (step := self._view.chosen) is not None:
            open_shell(self._builder, self._view, step)

    def _yank(self) -> None:
        from tui.build.editing import copy

        copy(self._view)

    def _palette(self) -> None:
        from tui.screens.palette import Palette

        main, view = self._main, self._view
        palette = Palette(main.world, "build", view.situation, main.onggi.keymap, main.onggi.glyphs)
        view.app.push_screen(palette, self._picked)

    def _picked(self, found: Found | None) -> None:
        if found is None:
            return
        if found.kind == "action" and found.of in ("build", "everywhere"):
            self._view.do(found.value)
            return
        self._view.leave()
        self._main.acts.general.picked(found)

    def _help(self) -> None:
        from tui.screens.help import Help

        self._view.app.push_screen(Help("build", self._main.onggi.keymap, self._main.onggi.glyphs))
