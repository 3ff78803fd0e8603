"""What reaches the terminal, and the small words around it."""

from __future__ import annotations

import io

import pytest

from core.cli import hints, keys, output, progress
from core.cli.failure import CommandFailed
from core.cli.joining import start_failure_code
from core.cli.verb.images import rows_of
from core.cli.verb.portlist import displayable
from core.cli.verb.ps import row


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_shown_controls_and_a_pipe_gets_them_as_they_are() -> None:
    hostile = "a\x1b]52;c;x\x07\x9b31m\u202eb\tc\n"
    assert output.shown(hostile, _Terminal()) == "a␛]52;c;x␇\ufffd31m\ufffdb\tc\n"
    assert output.shown(hostile, io.StringIO()) == hostile


def test_a_cell_of_a_table_can_break_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", _Terminal())
    assert output.table(["A", "B"], [["x\ny\tz", "\x1b[31m"]]) == "A         B\nx␊y␉z     ␛[31m\n"


def test_top_has_columns_of_twenty() -> None:
    assert (
        output.table(["UID", "CMD"], [["root", "sh"]], min_width=20)
        == "UID                 CMD\nroot                sh\n"
    )


def port(private: int, public: int | None = None, ip: str = "", protocol: str = "tcp") -> dict[str, object]:
    found: dict[str, object] = {"PrivatePort": private, "Type": protocol}
    return found | ({"PublicPort": public, "IP": ip} if public else {})


@pytest.mark.parametrize(
    ("ports", "text"),
    [
        ([], ""),
        ([port(80)], "80/tcp"),
        ([port(81), port(80), port(90)], "80-81/tcp, 90/tcp"),
        ([port(80, 8080, "0.0.0.0"), port(80, 8080, "::")], "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"),
        (
            [port(n, n, "127.0.0.1") for n in (9001, 9000, 9002)],
            "127.0.0.1:9000-9002->9000-9002/tcp",
        ),
        (
            [port(53, 53, "0.0.0.0", "udp"), port(80, 8080, "0.0.0.0"), port(443)],
            "0.0.0.0:53->53/udp, 443/tcp, 0.0.0.0:8080->80/tcp",
        ),
    ],
)
def test_ports_are_grouped_as_docker_groups_them(ports: list[dict[str, object]], text: str) -> None:
    assert displayable(ports) == text


ENTRY = {
    "Id": "7a50b21c7dac19db41fe5d31253ad74e", "Names": ["/web", "/other/link"], "Created": 0, "State": "running",
    "Image": "sha256:d6f2dd5cf936318263d3", "ImageID": "sha256:d6f2dd5cf936318263d3", "Status": "Up 2 hours",
    "Command": "sh -c 'echo out; echo err >&2'", "Labels": {"b": "2", "a": "1"},
    "Mounts": [{"Name": "0123456789abcdef0123", "Driver": "local"}, {"Source": "/etc"}],
    "NetworkSettings": {"Networks": {"bridge": {}}}, "SizeRw": 1000, "SizeRootFs": 1984804,
}  # fmt: skip


def test_a_row_of_ps() -> None:
    found = row(ENTRY, full=False)
    assert found["ID"] == "7a50b21c7dac"
    assert found["Image"] == "d6f2dd5cf936"  # its name went to another image
    assert found["Command"] == '"sh -c \'echo out; ec…"'
    assert found["Names"] == "web"
    assert found["Labels"] == "a=1,b=2"
    assert (found["Mounts"], found["LocalVolumes"]) == ("0123456789abcd…,/etc", "1")
    assert found["Size"] == "1kB (virtual 1.98MB)"
    assert row(ENTRY, full=True)["Names"] == "web,other/link"
    assert row({**ENTRY, "Image": "img:1@sha256:00"}, full=False)["Image"] == "img:1"


@pytest.mark.parametrize(
    ("tags", "digests", "names"),
    [
        (["a:1", "a:2"], [], [("a", "1", "<none>"), ("a", "2", "<none>")]),
        ([], [], [("<none>", "<none>", "<none>")]),
        (["<none>:<none>"], ["<none>@<none>"], [("<none>", "<none>", "<none>")]),
        (["r:5000/a:1"], ["r:5000/a@sha256:1"], [("r:5000/a", "1", "sha256:1")]),
        ([], ["a@sha256:1"], [("a", "<none>", "sha256:1")]),
    ],
)
def test_an_image_has_a_row_for_each_name(
    tags: list[str], digests: list[str], names: list[tuple[str, str, str]]
) -> None:
    image = {"Id": "sha256:12", "Created": 1, "Size": 5, "RepoTags": tags, "RepoDigests": digests}
    found = [(one["Repository"], one["Tag"], one["Digest"]) for one in rows_of(image, full=False, digests=True)]
    assert found == names


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('exec: "x": executable file not found in $PATH', 127),
        ('exec: "/x": stat /x: no such file or directory', 127),
        ('exec: "/etc": permission denied', 126),
        ('exec: "/etc": is a directory', 126),
        ("driver failed programming external connectivity", 125),
    ],
)
def test_the_exit_code_of_a_program_that_did_not_start(message: str, code: int) -> None:
    assert start_failure_code(message) == code


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", b"\x10\x11"),
        ("ctrl-x,x", b"\x18x"),
        ("CTRL-A", b"\x01"),
        ("a,ctrl-@,ctrl-\\", b"a\0\x1c"),
        ("ctrl-_", b"\x1f"),
    ],
)
def test_detach_keys(text: str, data: bytes) -> None:
    assert keys.parse(text) == data


@pytest.mark.parametrize("text", ["ctrl-xx", "ctrl-", "xy", "ctrl-1", "é"])
def test_bad_detach_keys(text: str) -> None:
    with pytest.raises(CommandFailed, match="invalid detach keys"):
        keys.parse(text)


def test_keys_are_seen_across_reads() -> None:
    typed = keys.Typed(b"\x10\x11")
    typed.add(b"ls\r\x10")
    assert not typed.seen and not typed.at_end
    typed.add(b"\x11")
    assert typed.seen and typed.at_end
    typed.add(b"x")
    assert typed.seen and not typed.at_end


@pytest.mark.parametrize(
    ("argv", "operands", "hint"),
    [
        (["run", "-i", "it", "ubuntu"], ["it", "ubuntu"], '"-it ubuntu"'),
        (["run", "-t", "name", "web", "nginx"], ["name", "web", "nginx"], '"--name"'),
        (["run", "busybox"], ["busybox"], ""),
    ],
)  # fmt: skip
def test_an_image_that_was_not_meant(argv: list[str], operands: list[str], hint: str) -> None:
    meant = f'"{operands[0]}" was taken for the image; did you mean {hint}?' if hint else ""
    assert hints.image(operands[0], operands, argv) == meant


def test_a_shell_in_the_background_is_explained() -> None:
    assert "-it" in hints.short_lived(["/bin/bash"], tty=False, stdin=False)
    assert not hints.short_lived(["/bin/bash"], tty=True, stdin=False)
    assert not hints.short_lived(["/bin/bash", "-c", "sleep 9"], tty=False, stdin=False)


def test_a_verb_that_was_not_meant() -> None:
    assert hints.verb(["start", "stop", "stats"], "strat") in ("start", "stats")
    assert hints.verb(["start"], "xyz") == ""


def test_a_progress_stream_ends_with_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    stream = [
        {"status": "one", "id": "a"},
        {"stream": "Loaded image: x\n"},
        {"aux": {"ID": "1"}},
        {"status": "done"},
    ]
    assert progress.follow(stream) == [{"ID": "1"}]
    assert capsys.readouterr().out == "Loaded image: x\ndone\n"  # no rewritten lines in a pipe
    with pytest.raises(CommandFailed, match=r"^broken$"):
        progress.follow([{"errorDetail": {"message": "broken"}, "error": "broken"}])
