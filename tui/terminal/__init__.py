"""The emulator: screen, stream, keys, and the widget that shows them."""
