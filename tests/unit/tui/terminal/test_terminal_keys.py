import pytest
from textual.events import Key

from tui.terminal import keys
from tui.terminal.detach import DetachHint
from tui.terminal.tap import READ, Tap


@pytest.mark.parametrize(
    ("key", "character", "data"),
    [
        ("a", "a", b"a"),
        ("upper_a", "A", b"A"),
        ("plus", "+", b"+"),
        ("space", " ", b" "),
        ("한", "한", "한".encode()),
        ("enter", "\r", b"\r"),
        ("tab", "\t", b"\t"),
        ("shift+tab", None, b"\x1b[Z"),
        ("escape", "\x1b", b"\x1b"),
        ("backspace", "\x7f", b"\x7f"),
        ("ctrl+a", "\x01", b"\x01"),
        ("ctrl+p", "\x10", b"\x10"),
        ("ctrl+q", "\x11", b"\x11"),
        ("ctrl+z", "\x1a", b"\x1a"),
        ("ctrl+at", "\x00", b"\x00"),
        ("ctrl+space", None, b"\x00"),
        ("ctrl+backslash", "\x1c", b"\x1c"),
        ("ctrl+right_square_bracket", "\x1d", b"\x1d"),
        ("ctrl+circumflex_accent", "\x1e", b"\x1e"),
        ("ctrl+underscore", "\x1f", b"\x1f"),
        ("ctrl+backspace", None, b"\x08"),
        ("alt+b", "b", b"\x1bb"),
        ("alt+enter", None, b"\x1b\r"),
        ("alt+ctrl+a", None, b"\x1b\x01"),
        ("up", None, b"\x1b[A"),
        ("ctrl+left", None, b"\x1b[1;5D"),
        ("shift+up", None, b"\x1b[1;2A"),
        ("ctrl+shift+home", None, b"\x1b[1;6H"),
        ("delete", None, b"\x1b[3~"),
        ("ctrl+pageup", None, b"\x1b[5;5~"),
        ("f1", None, b"\x1bOP"),
        ("shift+f3", None, b"\x1b[1;2R"),
        ("f5", None, b"\x1b[15~"),
        ("f12", None, b"\x1b[24~"),
        ("ctrl+f5", None, b"\x1b[15;5~"),
        ("f35", None, b""),
        ("<scroll-up>", None, b""),
    ],
)
def test_encode(key: str, character: str | None, data: bytes) -> None:
    event = Key(key, character)
    assert keys.encode(event.key, event.character) == data


def test_application_cursor_keys() -> None:
    assert keys.encode("up", None, application_cursor=True) == b"\x1bOA"
    assert keys.encode("home", None, application_cursor=True) == b"\x1bOH"
    assert keys.encode("ctrl+up", None, application_cursor=True) == b"\x1b[1;5A"


def test_paste() -> None:
    assert keys.paste("a\nb\r\nc", bracketed=False) == b"a\rb\rc"
    assert keys.paste("a\x1b[201~rm", bracketed=True) == b"\x1b[200~arm\x1b[201~"


@pytest.mark.parametrize(
    ("coding", "data"),
    [("sgr", b"\x1b[<0;5;3M"), ("urxvt", b"\x1b[32;5;3M"), ("utf8", b"\x1b[M %#"), ("x10", b"\x1b[M %#")],
)
def test_mouse(coding: str, data: bytes) -> None:
    assert keys.mouse(0, 4, 2, release=False, coding=coding) == data


def test_mouse_release_and_far_columns() -> None:
    assert keys.mouse(0, 4, 2, release=True, coding="sgr") == b"\x1b[<0;5;3m"
    assert keys.mouse(0, 4, 2, release=True, coding="x10") == b"\x1b[M#%#"
    assert keys.mouse(0, 400, 2, release=False, coding="x10") == b""


def test_the_tap_leaves_the_app_what_is_its_own() -> None:
    tap = Tap(lambda: False)
    assert tap.feed(b"a\x1b[<35;10;5Mb\x1b[I\x1b[?2026;2$y\x1b[?1uc") == (
        b"abc",
        b"\x1b[<35;10;5M\x1b[I\x1b[?2026;2$y\x1b[?1u",
    )
    assert tap.feed(b"\x1b") == (b"\x1b", b"")  # Escape does not wait
    assert tap.feed(b"\x1b[") == (b"\x1b[", b"")  # nor does Alt-[
    assert tap.feed(b"\x1b[1;2R\x1bOP\x1b[O") == (b"\x1b[1;2R\x1bOP", b"\x1b[O")


def test_the_tap_joins_what_a_read_cut() -> None:
    tap = Tap(lambda: True)
    assert tap.feed(b"x\x1b[<35;1") == (b"x", b"")
    assert tap.feed(b"0;5My") == (b"y", b"\x1b[<35;10;5M")
    assert tap.feed(b"\x1b[2") == (b"", b"")
    assert tap.flush() == b"\x1b[2" and tap.flush() == b""
    assert tap.feed(b"z" * (READ - 1) + b"\x1b") == (b"z" * (READ - 1), b"")
    assert tap.feed(b"[Ax") == (b"\x1b[Ax", b"")


def test_the_tap_and_pastes() -> None:
    plain, bracketed = Tap(lambda: False), Tap(lambda: True)
    paste = b"\x1b[200~ls\x1b[<0;1;1M\x1b[201~"
    assert plain.feed(paste + b"\x1b[I") == (b"ls\x1b[<0;1;1M", b"\x1b[I")
    assert bracketed.feed(paste) == (paste, b"")
    assert [bracketed.feed(bytes([byte]))[1] for byte in paste] == [b""] * len(paste)


@pytest.mark.parametrize(
    ("typed", "held"),
    [
        (b"\x10", True),
        (b"\x10\x10", False),
        (b"\x10a", False),
        (b"ab\x10", True),
        (b"\x10\x11", False),
        (b"\x11", False),
    ],
)
def test_the_detach_hint_follows_dockers_rule(typed: bytes, held: bool) -> None:
    assert DetachHint().feed(typed) is held
    one = DetachHint()
    assert [one.feed(bytes([byte])) for byte in typed][-1] is held


def test_no_detach_keys_no_hint() -> None:
    assert DetachHint(b"").feed(b"\x10") is False


def test_after_a_release_the_first_key_may_begin_again() -> None:
    hint = DetachHint()
    assert hint.feed(b"\x10")
    hint.release()
    assert not hint.held
    assert hint.feed(b"\x10") and not hint.feed(b"\x11")
