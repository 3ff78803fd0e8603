import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from tui.safe import (
    HIDDEN,
    cell_width,
    crop_end,
    crop_front,
    crop_middle,
    expand_tabs,
    safe,
    safe_block,
    safe_lines,
    safe_log,
    safe_plain,
)

ANY = st.text(st.characters(codec=None), max_size=60)  # surrogates too: file names carry them


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("web", "web"),
        ("a\x1b]52;c;aGk=\x07b", "a␛]52;c;aGk=␇b"),
        ("\x00\x7f\n\t\r", "␀␡␊␉␍"),
        ("\x9b31m\x9d0;t\x9c", "␛[31m␛]0;t␛\\"),
        ("safe\u202egnp.exe", f"safe{HIDDEN}gnp.exe"),
        ("\u2066a\u2069\u200e", f"{HIDDEN}a{HIDDEN}{HIDDEN}"),
        ("we\u200bb\ufeff\u00ad", f"we{HIDDEN}b{HIDDEN}{HIDDEN}"),
        ("👩\u200d💻", f"👩{HIDDEN}💻"),
        ("❤\ufe0f", "❤"),
        ("a\u3164b\u2800", f"a{HIDDEN}b{HIDDEN}"),
        ("a\u2028b\u00a0c", "a␤b c"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("\ud800", HIDDEN),
        ("[@click=app.quit]x[/]", "[@click=app.quit]x[/]"),
        ("\u1112\u1161\u11ab", "한"),
        ("e" + "\u0301\u0316" * 9, "é" + "\u0316" * 3),
        ("\u0301x", "◌\u0301x"),
    ],
)
def test_foreign_text_is_shown_and_inert(raw: str, shown: str) -> None:
    assert unicodedata.normalize("NFD", safe_plain(raw)) == unicodedata.normalize("NFD", shown)


@given(ANY)
def test_nothing_of_control_passes(text: str) -> None:
    shown = safe_plain(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    shown.encode("utf-8")
    assert cell_width(shown) == sum(cell_width(c) for c in shown)
    assert safe_plain(shown) == shown


def test_content_is_never_markup() -> None:
    content = safe("[bold]x[/bold][@click=app.bell]y", style="bold")
    assert content.plain == "[bold]x[/bold][@click=app.bell]y"
    assert [(s.start, s.end, s.style) for s in content.spans] == [(0, len(content.plain), "bold")]
    assert safe("", style="bold").spans == []


def test_block_keeps_its_lines() -> None:
    assert safe_lines("a\tb\r\nc\rd\n\x1b[1m") == "a       b\nc␍d\n␛[1m"
    assert isinstance(safe_block("a\nb"), Content)


def test_log_keeps_colours_only() -> None:
    content = safe_log(b"a\x1b[1;31mred\x1b[m\x1b[K \x1b[38;5;200mx\x1b[38;2;1;2;3my\x1b[2Jz\r")
    assert content.plain == "ared xy␛[2Jz"
    bold, palette, true = (s.style for s in content.spans)
    assert not isinstance(bold, str) and bold.bold and bold.foreground and bold.foreground.ansi == 1
    assert not isinstance(palette, str) and palette.foreground and palette.foreground.hex == "#FF00D7"
    assert not isinstance(true, str) and true.foreground and true.foreground.rgb == (1, 2, 3)
    assert [(s.start, s.end) for s in content.spans] == [(1, 4), (5, 6), (6, 12)]


def test_log_does_not_let_text_hide() -> None:
    style = safe_log(b"\x1b[8;5msecret").spans[0].style
    assert not isinstance(style, str) and not style.blink
    assert safe_log(b"x\x1b[8msecret").plain == "xsecret"


@given(st.binary(max_size=200))
def test_log_takes_any_bytes(data: bytes) -> None:
    content = safe_log(data)
    assert not [c for c in content.plain if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    assert all(0 <= s.start < s.end <= len(content.plain) for s in content.spans)


def test_tabs_stop_every_eight_cells() -> None:
    assert expand_tabs("옹기\tx") == "옹기    x"
    assert safe_log(b"a\x1b[1m\tb").plain == "a       b"


@pytest.mark.parametrize(
    ("crop", "width", "want"),
    [
        (crop_end, 6, "abcdef"),
        (crop_end, 5, "abcd…"),
        (crop_front, 5, "…cdef"),
        (crop_middle, 5, "ab…ef"),
        (crop_middle, 4, "ab…f"),
        (crop_middle, 1, "…"),
        (crop_end, 0, ""),
    ],
)
def test_crops(crop: object, width: int, want: str) -> None:
    assert callable(crop) and crop("abcdef", width) == want


@given(st.text(st.sampled_from("ab옹기e\u0301"), max_size=20), st.integers(0, 12))
def test_crops_never_exceed_the_width(text: str, width: int) -> None:
    for crop in (crop_end, crop_front, crop_middle):
        assert cell_width(crop(text, width)) <= width or not text
        if cell_width(text) <= width:
            assert crop(text, width) == text


def test_hangul_is_measured_in_cells() -> None:
    assert cell_width("옹기") == 4
    assert crop_end("옹기종기", 5) == "옹기…"
    assert crop_front("옹기종기", 4) == "…기"
