"""The log view: lines kept as bytes, laid out when looked at, searched without leaving the keyboard."""

from tui.logview.view import LogView

__all__ = ["LogView"]
