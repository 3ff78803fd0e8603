"""The programs whose screens must be right, what is typed into them, and how the golden recordings are made.

`python -m tests.support.terminal_programs [NAME…]` records anew into tests/golden/terminal. As root, since
the programs shall see no other processes; it needs the programs and tmux, and refuses what tmux shows otherwise.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

from tests.support import terminal_recording as recordings

GOLDEN = Path(__file__).parent.parent / "golden" / "terminal"
SIZES = ((80, 24), (120, 40))
_DOWN, _LEFT, _UP = b"\x1b[B", b"\x1b[D", b"\x1b[A"
_HANGUL = "항아리".encode()

_TMUX = ("tmux", "-f", "/dev/null", "-S", "inner")
_NO_SIDES = (
    ",*:Clmg@:Cmg@:Dsmg@:Enmg@"  # left and right margins, which tmux uses where it may but does not know itself
)
_BASH = ("new", "bash", "--norc")
_IN_TMUX = [
    b"ls --color\r", b"\x02%", b"seq 100\r", b'\x02"', b"echo " + _HANGUL + b"\r", b"\x02o", b"\x02[",
    b"\x1b[5~", b"q", b"\x02z", b"\x02z", b"\x02:list-keys\r", b"q", b"\x02t", b"\x02:kill-server\r",
]  # fmt: skip

PROGRAMS: dict[str, tuple[list[str], list[bytes]]] = {
    "vim": (
        ["vim", "-u", "NONE", "-i", "NONE", "-n", "-c", "syntax on", "-c", "set nu hls ruler showcmd", "code.py"],
        [
            b"jjj", b"\x06", b"/print\r", b"n", b"o", b"new text " + _HANGUL + b"\x1b", b"dd", b"u", b":vsplit\r",
            b":split\r", b"\x17w", b"5\x05", b":set list\r", b"V5j", b"\x1b", b":set termguicolors\r", b":qa!\r",
        ],
    ),
    "less": (
        ["less", "text.txt"],
        [b" ", b" ", b"j", b"k", b"k", b"b", b"/fox\r", b"n", b"G", b"g", b"-S\r", b"h", b"q"],
    ),
    "htop": (["htop"], [_DOWN, _DOWN, b"\x1bOQ", _DOWN, b"\x1b", b"/sh", b"\x1b", b"t", b"q"]),
    "nano": (
        ["nano", "-I", "text.txt"],
        [b"hello " + _HANGUL, _DOWN * 2, b"\x16", b"\x0b", b"\x15", b"\x17fox\r", b"\x07", b"\x18", b"\x18", b"n"],
    ),
    "mc": (
        ["mc", "-d", "--nosubshell"],
        [
            _DOWN * 2, b"\t", _DOWN * 2, b"\x1b[20~", _DOWN, b"\x1b\x1b", b"\x1bOP", b"\x1b[21~", b"\x1b[18~",
            b"dir", b"\x1b\x1b", b"\x1b[6~", b"\x1bOR", b"\x1b[21~", b"\x1b[21~", b"\r",
        ],
    ),
    "top": (["top", "-d", "9"], [b"1", b"z", b"x", b"c", b"V", b"h", b" ", b"q"]),
    "dialog": (
        ["dialog", "--title", "제목 title", "--menu", "choose 옹기", "15", "40", "5", "1", "one", "2", "둘"],
        [_DOWN, _DOWN, b"\t", b"\r"],
    ),
    "checklist": (
        ["dialog", "--title", "take", "--checklist", "these", "16", "50", "6", "a", "1", "on", "b", "항", "off"],
        [b" ", _DOWN, b" ", b"\t", b"\r"],
    ),
    "python": (
        ["python3", "-q"],
        [
            b"import sys\r", b'print("' + _HANGUL + b'", 1)\r', _UP, b"\x01# \x05 x", _LEFT * 2 + b"\x08", b"\r",
            b'for i in range(30): print(i, "x" * i)\r\r', b"\x12prin", b"\x07", b'"' + b"y" * 100 + b'"',
            _LEFT * 20 + b"zz", b"\r", b"\x04",
        ],
    ),
    "bash": (
        ["bash", "--norc", "--noprofile"],
        [
            b'PS1="\\[\\033[1;32m\\]box\\[\\033[m\\]:\\W\\$ "\r', b"ls --color\r",
            b"echo " + "a옹기b ".encode() * 12, b"\x01", b"\x1bf\x1bf\x1bd",
            b"\x05", b"\x17", _LEFT * 15 + b"XX", b"\r", b"\x12ls", b"\r",
            b"seq -s ' ' 100\r", b'printf "e\\u0301 \\U1F469 x\\n"\r', b"\x0c",
            b"echo abc" + _LEFT * 2 + b"\x0b\x19\x19\r", b"exit\r",
        ],
    ),
    "tmux": ([*_TMUX, "set", "-sa", "terminal-overrides", _NO_SIDES, ";", *_BASH], _IN_TMUX),
    "margins": ([*_TMUX, *_BASH], _IN_TMUX),
}  # fmt: skip
_ALONE = (
    "unshare",
    "--pid",
    "--uts",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "sh",
    "-c",
    'hostname box; exec "$@"',
    "sh",
)
WITHOUT_UTF8 = ("mc", "dialog", "htop", "tmux")


def variants(name: str) -> Iterator[tuple[str, int, int, str]]:
    """(tag, columns, lines, locale) of each recording of a program."""
    for columns, lines in SIZES:
        yield f"{name}-{columns}x{lines}", columns, lines, "C.UTF-8"
    if name in WITHOUT_UTF8:
        yield f"{name}-ascii", 80, 24, "C"


def run(name: str, columns: int, lines: int, locale: str) -> recordings.Recording:
    """Run one of the programs now, in a folder of its own."""
    argv, keys = PROGRAMS[name]
    if os.geteuid() == 0:
        argv = [*_ALONE, *argv]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, chdir(home):
        fill(Path(home))
        env = {
            "PATH": os.environ["PATH"], "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": locale,
            "HOME": home, "SHELL": "/bin/bash",
        }  # fmt: skip
        return recordings.record(argv, keys, columns, lines, env)


def wrong(name: str, recording: recordings.Recording) -> list[str]:
    """Where our screens differ from tmux's; for what tmux does not know, from those of a run that does without it.

    The last column is left out: with a wrap pending, EL erases it in xterm and here, but not in tmux.
    """
    if name == "margins":
        theirs = recordings.ours(run("tmux", recording.columns, recording.lines, "C.UTF-8"))
    else:
        theirs = recordings.tmuxs(recording)
    both = zip(recordings.ours(recording), theirs, strict=True)
    return [
        f"rest {number}, row {y}, column {x}: {mine}, tmux {their}"
        for number, (ours, other) in enumerate(both)
        for y, x, mine, their in recordings.differences(ours, other)
        if x < recording.columns - 1 and not (name == "margins" and y == recording.lines - 1)  # it tells the time
    ]


def fill(folder: Path) -> None:
    """Write the files that the programs are shown with."""
    lines = (f"line {n}: the quick brown fox, 옹기 항아리 漢字, café naïve, tab\there\n" for n in range(1, 120))
    (folder / "text.txt").write_text("".join(lines))
    (folder / "code.py").write_text(
        '"""Module."""\nimport os\n\n\ndef main(argument: int) -> str:\n    # 주석\n    if argument > 10:\n'
        '        return f"{argument!r} and text"\n    for item in range(20):\n        print(item, "항아리")\n'
        "    return os.sep\n\n\n" * 4
    )
    for name in ("alpha", "beta", "한글파일.txt", "z.tar"):
        (folder / name).write_text("x" * 100)
        os.utime(folder / name, (1_600_000_000, 1_600_000_000))
    (folder / "sub").mkdir()


def main(names: list[str]) -> None:
    """Record `names`, or everything."""
    for name in names or PROGRAMS:
        for tag, columns, lines, locale in variants(name):
            recording = run(name, columns, lines, locale)
            faults = wrong(name, recording)
            print(
                tag,
                len(recording.data),
                "bytes,",
                len(recording.rests),
                "rests",
                *faults[:5],
                sep="\n  ",
                flush=True,
            )
            if not faults:
                recordings.save(GOLDEN / f"{tag}.json.gz", recording, recordings.ours(recording))


if __name__ == "__main__":
    main(sys.argv[1:])
