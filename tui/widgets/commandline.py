"""The command line: every act as its command and how it went; and the prompt for a filter."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.events import Key
from textual.message import Message
from textual.widgets import Input

from tui.paint import EMPTY, cut, join
from tui.safe import safe
from tui.widgets.bars import Bar


class PromptInput(Input):
    """One line to type in, without a border; Escape gives up."""

    DEFAULT_CSS = """
    PromptInput, PromptInput:focus {
        border: none; height: 1; padding: 0; background: $bg; color: $ink; width: 1fr;
    }
    """

    class GivenUp(Message):
        """Escape was pressed."""

    def on_mount(self) -> None:
        self.cursor_blink = False  # nothing here moves by itself

    def on_key(self, event: Key) -> None:
        if event.key == "escape":
            event.stop()
            event.prevent_default()
            self.post_message(self.GivenUp())


class CommandLine(Horizontal):
    """Shows `$ command` and its outcome, or a prompt."""

    DEFAULT_CSS = """
    CommandLine { height: 1; width: 1fr; background: $bg; color: $ink; }
    CommandLine #sign { width: 3; }
    CommandLine #sign, CommandLine PromptInput { display: none; }
    CommandLine.-asking #sign, CommandLine.-asking PromptInput { display: block; }
    CommandLine.-asking #said { display: none; }
    """

    class Filtered(Message):
        """The filter's text has changed; `done` = Enter was pressed."""

        def __init__(self, text: str, done: bool) -> None:
            super().__init__()
            self.text = text
            self.done = done

    def __init__(self) -> None:
        super().__init__(id="command")
        self.command = ""

    def compose(self) -> ComposeResult:
        yield Bar(id="said")
        yield Bar(id="sign")
        yield PromptInput(id="asked", select_on_focus=False)

    def show(self, command: str, outcome: Content = EMPTY) -> None:
        """`$ command` at the left, the outcome at the right."""
        self.command = command
        left = join(("$ ", "$muted"), safe(command)) if command else EMPTY
        self.query_one("#said", Bar).show(left, cut(outcome, max(self.size.width // 2, 20)))

    def say(self, text: Content, outcome: Content = EMPTY) -> None:
        """A sentence instead of a command."""
        self.query_one("#said", Bar).show(text, outcome)

    def ask(self, text: str) -> None:
        """Prompt for a filter, beginning with `text`."""
        self.add_class("-asking")
        self.query_one("#sign", Bar).show(join(("/", "bold $accent")))
        field = self.query_one(PromptInput)
        field.value = text
        field.cursor_position = len(text)
        field.focus()

    def take(self, event: Key) -> None:
        """A key that was typed for the prompt before it had the keyboard."""
        self.prompt.post_message(event)

    @property
    def prompt(self) -> PromptInput:
        return self.query_one(PromptInput)

    @property
    def asking(self) -> bool:
        return self.has_class("-asking")

    def _close(self) -> None:
        self.remove_class("-asking")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.asking:
            self.post_message(self.Filtered(event.value, done=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._close()
        self.post_message(self.Filtered(event.value, done=True))

    def on_prompt_input_given_up(self, event: PromptInput.GivenUp) -> None:
        event.stop()
        self._close()
        self.post_message(self.Filtered("", done=True))
