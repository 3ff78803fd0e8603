"""A terminal inside the app: emulator, keys, and the widget that shows them.

From bytes to screen (no Textual): `attrs` and `cells` are the data, `grid`, `motion`, `editing`, `rectangles`,
`modal`, `report` (with `settings` and `colours`) the layers of `screen.FastScreen`, `stream.FastStream` the parser,
`flood` what it may skip, `scrollback` what has scrolled away, `reflow` how it wraps at another width. `source` is
where bytes come from, `pump` moves them, `session` holds one session together.

On the screen (Textual): `view.TerminalView` with `messages`, `paint`, `frames`, `keys`, `mouse`, `pointed`.
`atonce` paints without waiting for Textual's timer, `output` writes without its thread. Looking back: `history`
lays out, `paper` numbers its rows, `looking` is the keyboard's part of it, `pointer` the mouse's, `clipboard` where
a selection goes. `zoom` gives the reader's own terminal to the program; `handover` is what it is written for that.

The keyboard: while a `TerminalView` with a source has the focus, every key belongs to the program. An app that
hosts one must

1. be made with `driver_class=tui.terminal.driver.TerminalDriver`: typed bytes then go to the program untouched
   and never become Textual events. Without that driver (pilots, pipes) `keys.encode` does what can be done;
2. refuse its priority bindings meanwhile, since Textual runs those before the focused widget:

       def check_action(self, action, parameters):
           return allows_action(self, action) and super().check_action(action, parameters)

   with `tui.terminal.capture.allows_action`;
3. set `ESCAPE_TO_MINIMIZE = False` where a view may be maximised.

The way out is the source's end: the engine matches the detach keys on bytes and closes the stream, and
`TerminalView.Closed` says so. `TerminalView.Held` says when to show the hint for them.
"""
