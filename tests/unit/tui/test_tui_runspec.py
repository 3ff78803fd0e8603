from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tui import runspec
from tui.runspec import BadField, RunSpec
from tui.screens import forms
from tui.state import Container, Image, Port, World

HERE = Path("/work here")
FULL = RunSpec(
    image="nginx:1.27", name="web2", command="nginx -g 'daemon off;'", ports="8082:80 53:53/udp", env="A=b 'C=d e'",
    volumes="./site:/srv:ro data:/data", memory="256m", cpus="0.5", restart="always",
)  # fmt: skip


def test_the_command_is_the_one_that_does_the_same() -> None:
    assert FULL.line() == (
        "onggi run -d --name web2 -p 8082:80 -p 53:53/udp -e A=b -e 'C=d e' -v ./site:/srv:ro -v data:/data "
        "--restart always --cpus 0.5 -m 256m nginx:1.27 nginx -g 'daemon off;'"
    )
    assert (
        RunSpec(image="busybox", background=False, screen=True, remove=True).line() == "onggi run -it --rm busybox"
    )


def test_the_request() -> None:
    body = FULL.body(HERE)
    assert body["Cmd"] == ["nginx", "-g", "daemon off;"]
    assert body["Env"] == ["A=b", "C=d e"]
    host = body["HostConfig"]
    assert host["Binds"] == ["/work here/site:/srv:ro", "data:/data"]
    assert host["PortBindings"] == {
        "80/tcp": [{"HostIp": "", "HostPort": "8082"}],
        "53/udp": [{"HostIp": "", "HostPort": "53"}],
    }
    assert (host["Memory"], host["NanoCpus"]) == (256 << 20, 500_000_000)
    assert host["RestartPolicy"]["Name"] == "always"
    assert body["Tty"] is False and body["AttachStdout"] is False


def test_a_terminal_asks_for_everything_it_needs() -> None:
    body = RunSpec(image="busybox", background=False, screen=True).body(HERE)
    assert body["Tty"] and body["OpenStdin"] and body["AttachStdin"] and body["Cmd"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"image": ""}, "image"),
        ({"name": "-x"}, "name"),
        ({"ports": "80:"}, "ports"),
        ({"ports": "99999:80"}, "ports"),
        ({"ports": "0:80"}, "ports"),
        ({"volumes": "data"}, "volumes"),
        ({"volumes": "data:relative"}, "volumes"),
        ({"env": "=x"}, "env"),
        ({"env": "A='b"}, "env"),
        ({"memory": "lots"}, "memory"),
        ({"memory": "1m"}, "memory"),
        ({"cpus": "-1"}, "cpus"),
        ({"cpus": "nan"}, "cpus"),
        ({"command": "'"}, "command"),
        ({"remove": True}, "restart"),
    ],
)
def test_bad_fields_are_named(change: dict[str, object], field: str) -> None:
    with pytest.raises(BadField) as caught:
        replace(FULL, **change).body(HERE)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_half_typed_quotes_do_not_break_the_shown_command() -> None:
    assert "it" in replace(FULL, command="echo 'it").line()


@pytest.mark.parametrize(
    ("command", "screen"), [(("sh",), True), (("/bin/bash",), True), (("nginx", "-g"), False), ((), False)]
)
def test_a_shell_wants_a_keyboard(command: tuple[str, ...], screen: bool) -> None:
    spec = runspec.suggested("x", command)
    assert (spec.screen, spec.background) == (screen, not screen)


def world() -> World:
    web = Container("1", "web", "nginx", status="running", ports=(Port(80, "tcp", 8080), Port(81, "tcp", 8081)))
    return World(containers={"1": web}, images=(Image("k", "sha256:" + "c" * 64, "nginx:1.27", 64 << 20),))


def test_remarks_judge_what_is_typed() -> None:
    plan = forms.run_plan(world(), ("nginx",), HERE, replace(FULL, name="web", ports="8080:80", image="nope"))
    assert plan.remarks["name"].text == "taken"
    assert plan.remarks["ports"].text == "8080 is taken by web, 8082 is free"
    assert plan.remarks["image"].bad
    assert not plan.ready
    assert forms.run_plan(world(), ("nginx",), HERE, replace(FULL, name="web3", ports="8082:80")).ready


def test_a_shell_without_a_terminal_is_warned_of() -> None:
    plan = forms.run_plan(world(), ("sh",), HERE, RunSpec(image="nginx:1.27", background=True))
    assert "ends at once" in plan.hint


def test_the_form_gives_back_what_it_was_given() -> None:
    assert forms.spec_of(forms.values_of(FULL)) == FULL


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("", False),
        ("me/app:1.0", False),
        ("localhost:5000/a/b:x", False),
        ("UPPER", True),
        ("a b", True),
        ("-x", True),
    ],
)
def test_image_names(name: str, bad: bool) -> None:
    assert forms.reference(name).bad is bad


def test_files_are_judged(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(b"x" * 2048)
    assert forms.readable(tmp_path, "a.tar").text == "2 K"
    assert forms.readable(tmp_path, "b.tar").bad
    assert forms.readable(tmp_path, ".").bad
    assert forms.writable(tmp_path, "a.tar").text == "it is there and will be replaced"
    assert forms.writable(tmp_path, "no/such/x.tar").bad
    assert not forms.writable(tmp_path, "new.tar").bad
