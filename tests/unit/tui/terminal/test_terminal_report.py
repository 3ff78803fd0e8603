import pytest

from tui.terminal.modes import ModeMirror
from tui.terminal.screen import FastScreen
from tui.terminal.stream import FastStream


@pytest.fixture
def asked() -> tuple[FastScreen, FastStream, list[str]]:
    screen = FastScreen(80, 24)
    answers: list[str] = []
    screen.reply = answers.append
    return screen, FastStream(screen, strict=True), answers


Asked = tuple[FastScreen, FastStream, list[str]]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (b"\x1b[c", "\x1b[?64;1;6;9;15;22c"),
        (b"\x1b[>c", "\x1b[>41;380;0c"),
        (b"\x1b[=c", "\x1bP!|00000000\x1b\\"),
        (b"\x1b[5n", "\x1b[0n"),
        (b"\x1b[3;7H\x1b[6n", "\x1b[3;7R"),
        (b"\x1b[3;7H\x1b[?6n", "\x1b[?3;7;1R"),
        (b"\x1b[2;5r\x1b[?6h\x1b[2;1H\x1b[6n", "\x1b[2;1R"),
        (b"x" * 80 + b"\x1b[6n", "\x1b[1;80R"),
        (b"\x1b[?25$p", "\x1b[?25;1$y"),
        (b"\x1b[?2004$p", "\x1b[?2004;2$y"),
        (b"\x1b[?31337$p", "\x1b[?31337;0$y"),
        (b"\x1b[4$p", "\x1b[4;2$y"),
        (b"\x1b[18t", "\x1b[8;24;80t"),
        (b"\x1b[>q", "\x1bP>|onggi\x1b\\"),
        (b"\x1bP$qr\x1b\\", "\x1bP1$r1;24r\x1b\\"),
        (b"\x1bP$qq\x1b\\", "\x1bP0$r\x1b\\"),
        (b"\x1b[1;4:3;38:5:99;48;2;1;2;3m\x1bP$qm\x1b\\", "\x1bP1$r0;1;4:3;38:5:99;48:2::1:2:3m\x1b\\"),
        (b"\x1b[4;7;33;102m\x1bP$qm\x1b\\", "\x1bP1$r0;4;7;33;102m\x1b\\"),
        (b"\x1b[?15n", "\x1b[?13n"),
        (b"\x1b[?69h\x1b[3;9s\x1bP$qs\x1b\\", "\x1bP1$r3;9s\x1b\\"),
        (b"\x1b]4;1;#102030\x07\x1b]4;1;?\x07", "\x1b]4;1;rgb:1010/2020/3030\x1b\\"),
        (b"\x1b]4;196;?\x07", "\x1b]4;196;rgb:ffff/0000/0000\x1b\\"),
        (b"\x1b]11;rgb:12/34/56\x07\x1b]11;?\x07", "\x1b]11;rgb:1212/3434/5656\x1b\\"),
        (b"\x1b]4;1;rgbi:1/0/0\x07\x1b]104;1\x07\x1b]4;1;?\x07", "\x1b]4;1;rgb:cdcd/0000/0000\x1b\\"),
        (b"\x1bP+q6b31\x1b\\", "\x1bP0+r\x1b\\"),
        (b"\x1bP+q436f\x1b\\", "\x1bP1+r436f=323536\x1b\\"),
    ],
)
def test_answers(asked: Asked, question: bytes, answer: str) -> None:
    _screen, stream, answers = asked
    stream.feed(question)
    assert answers == [answer]


def test_colours_are_told_when_known(asked: Asked) -> None:
    screen, stream, answers = asked
    stream.feed(b"\x1b]11;?\x07")
    assert answers == []
    screen.colours[11] = "18110c"
    stream.feed(b"\x1b]11;?\x07")
    assert answers == ["\x1b]11;rgb:1818/1111/0c0c\x1b\\"]


@pytest.mark.parametrize(
    "question", [b"\x1b]0;rm -rf /\x07\x1b[21t", b"\x1b[20t", b"\x1b]52;c;?\x07", b"\x1b]50;?\x07"]
)
def test_nothing_the_child_wrote_comes_back(asked: Asked, question: bytes) -> None:
    _screen, stream, answers = asked
    stream.feed(question)
    assert answers == []


def test_title_clipboard_and_bell_are_told(asked: Asked) -> None:
    screen, stream, _answers = asked
    heard: list[object] = []
    screen.on_title = heard.append
    screen.on_clipboard = heard.append
    screen.on_bell = lambda: heard.append("bell")
    stream.feed("\x1b]2;항아리\x07\x1b]52;c;aGk=\x1b\\\x07\x1b]52;c;!!\x07\x1b]52;c;/w==\x07".encode())
    assert heard == ["항아리", "hi", "bell"]
    screen.muted = True
    stream.feed(b"\x1b]2;old\x07\x1b]52;c;aGk=\x1b\\\x07\x1b[c")
    assert heard == ["항아리", "hi", "bell"] and screen.title == "항아리"


def test_the_mirror_does_what_changed_and_undoes_it() -> None:
    screen = FastScreen(80, 24)
    stream = FastStream(screen, strict=True)
    written: list[str] = []
    mirror = ModeMirror(written.append)
    mirror.update(screen)
    assert written == ["\x1b[<u"]  # Textual's own kitty flags off
    stream.feed(b"\x1b[?1h\x1b=\x1b[>1u\x1b[>4;2m")
    mirror.update(screen)
    mirror.update(screen)
    assert written[1:] == ["\x1b[?1h\x1b=\x1b[>1u\x1b[>4;2m"]
    stream.feed(b"\x1b[<u\x1b[>4;0m")
    mirror.update(screen)
    assert written[2:] == ["\x1b[<u\x1b[>4;0m"]
    mirror.release()
    mirror.release()
    assert written[3:] == ["\x1b[?1l\x1b>\x1b[>25u"]


def test_the_kitty_stack_is_bounded() -> None:
    screen = FastScreen(80, 24)
    FastStream(screen, strict=True).feed(b"\x1b[>1u" * 100 + b"\x1b[=3;2u\x1b[<99u\x1b[=5u")
    assert screen.kitty == [5]
