"""Go templates, against what Docker 28 printed for the same template and data."""

from __future__ import annotations

from typing import Any

import pytest

from core.cli import listing
from core.cli.failure import CommandFailed
from core.cli.template import TemplateError, parse, render
from core.cli.template.display import go_float

DATA: dict[str, Any] = {
    "Id": "7a50b21c7dac",
    "Name": "/s1",
    "State": {"Status": "running", "Running": True, "Pid": 12},
    "Config": {
        "Hostname": "7a50",
        "Tty": False,
        "Env": ["A=b", "PATH=/bin"],
        "Cmd": ["sleep", "1000"],
        "Entrypoint": None,
        "Labels": {"z": "1", "a.b": "2"},
    },
    "HostConfig": {"Binds": None, "Memory": 0, "PidsLimit": None, "NanoCpus": 1500000000},
    "NetworkSettings": {
        "Ports": {
            "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
            "53/udp": [{"HostIp": "0.0.0.0", "HostPort": "53"}],
        },
        "Networks": {"bridge": {"IPAddress": "172.17.0.2"}},
    },
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Name}}", "/s1"),
        ("a{{.Name}}b{{.Id}}", "a/s1b7a50b21c7dac"),
        ("{{.ID}}", "7a50b21c7dac"),
        ("{{ .State.Pid }} {{.State.Running}}", "12 true"),
        ("{{json .State}}", '{"Status":"running","Running":true,"Pid":12}'),
        ("{{json .Config.Cmd}}", '["sleep","1000"]'),
        ("{{json .HostConfig.Binds}}", "null"),
        ("{{.HostConfig.Binds}} {{.HostConfig.PidsLimit}}", "[] <nil>"),
        ("{{.HostConfig.NanoCpus}}", "1500000000"),
        ("{{.Config.Env}} {{len .Config.Env}}", "[A=b PATH=/bin] 2"),
        ("{{.Config.Labels}} {{.Config.Labels.z}}", "map[a.b:2 z:1] 1"),
        ("{{.Config.Labels.nope}}", "<no value>"),
        ('{{index .Config.Labels "a.b"}}', "2"),
        ("{{range .Config.Env}}{{println .}}{{end}}", "A=b\nPATH=/bin\n"),
        (
            "{{.NetworkSettings.Ports}}",
            "map[53/udp:[{0.0.0.0 53}] 80/tcp:[{0.0.0.0 8080} {:: 8080}]]",
        ),
        ('{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"),
        (
            "{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> {{(index $conf 0).HostPort}} {{end}}",
            "53/udp -> 53 80/tcp -> 8080 ",
        ),
        ("{{.NetworkSettings.Networks.bridge.IPAddress}}", "172.17.0.2"),
        ("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "172.17.0.2"),
        ("{{if .State.Running}}yes{{else}}no{{end}}", "yes"),
        ("{{if .Config.Tty}}a{{else if .State.Running}}b{{else}}c{{end}}", "b"),
        ("{{with .Config}}{{.Hostname}}{{end}}{{with .Config.Entrypoint}}x{{else}}none{{end}}", "7a50none"),
        ("{{if .State.Health}}{{.State.Health.Status}}{{else}}no check{{end}}", "no check"),
        ('{{eq .State.Status "running"}} {{and true false}} {{not true}}', "true false false"),
        ('{{eq .State.Status "a" "running"}} {{ne 1 2}} {{lt 1 2}} {{ge 2 2}}', "true true true true"),
        ('{{or "" "x"}} {{and "a" "b"}} {{or 0 false}}', "x b false"),
        ('{{printf "%s-%d" .Name 5}}', "/s1-5"),
        ('{{printf "%-5s|%5s|%q|%%" "ab" "cd" "e"}}', 'ab   |   cd|"e"|%'),
        ('{{printf "%05d|%.2f|%x|%v" 7 1.5 255 .State.Running}}', "00007|1.50|ff|true"),
        ('{{printf "%d %s" "x"}}', "%!d(string=x) %!s(MISSING)"),
        ("{{.Name | upper | printf \"%s!\"}}", "/S1!"),
        ('{{join .Config.Cmd ","}} {{split "a,b" ","}} {{split "ab" ""}}', "sleep,1000 [a b] [a b]"),
        ('{{lower "AB"}} {{upper "ab"}} {{title "ab cd"}}', "ab AB Ab Cd"),
        ('{{truncate "abcdef" 3}} {{pad "x" 1 2}}|', "abc  x  |"),
        ('{{slice "abcdef" 1 3}} {{index .Config.Cmd 1}}', "bc 1000"),
        ('{{html "<a&b>"}} {{urlquery "a b&"}}', "&lt;a&amp;b&gt; a+b%26"),
        ("a {{- .Name -}} b", "a/s1b"),
        ("x{{/* a comment */}}y", "xy"),
        ("{{`raw {{`}}{{\"q\\tq\"}}", "raw {{q\tq"),
        ("{{$x := .Name}}{{$x}}{{$x = .Id}}{{$x}}", "/s17a50b21c7dac"),
        ("{{range $i, $e := .Config.Cmd}}{{if $i}}, {{end}}{{$i}}={{$e}}{{end}}", "0=sleep, 1=1000"),
        ("{{range .Config.Entrypoint}}x{{else}}none{{end}}", "none"),
        ("{{range .Config.Env}}{{if eq . \"A=b\"}}{{continue}}{{end}}{{.}}{{break}}{{end}}", "PATH=/bin"),
        ("{{range .Config.Cmd}}{{$.Name}}{{end}}", "/s1/s1"),
        ("{{.}}", None),
        ("{{nil}}", "<no value>"),
        ("{{1.5}} {{1e3}} {{0x10}} {{-3}} {{true}}", "1.5 1000 16 -3 true"),
    ],
)  # fmt: skip
def test_what_a_template_prints(template: str, text: str | None) -> None:
    found = render(parse(template), DATA)
    assert found == text if text is not None else found.startswith("{7a50b21c7dac /s1 {running true 12} {")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{.Name", "template: :1: unclosed action"),
        ("{{foo}}", 'template: :1: function "foo" not defined'),
        ("{{if .Name}}x", "template: :1: unexpected EOF"),
        ("x{{end}}", "template: :1: unexpected {{end}}"),
        ("{{.Name)}}", 'template: :1: unexpected ")" in operand'),
        ("{{(.Name}}", "template: :1: unclosed left paren"),
        ('{{"x}}', "template: :1: unterminated quoted string"),
        ("{{.Name |}}", "template: :1: missing value for command"),
        ("\n{{if}}x{{end}}", "template: :2: missing value for if"),
        ("{{define}}x{{end}}", "template: :1: define is not supported here"),
    ],
)
def test_what_does_not_parse(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(template)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("template", "column", "part", "message"),
    [
        ("{{.State.Pid}} {{.Nope}}", 17, ".Nope", 'map has no entry for key "Nope"'),
        ("{{.Name.X}}", 2, ".Name.X", "can't evaluate field X in type string"),
        ("{{index .Config.Cmd 9}}", 2, "index", "error calling index: index out of range: 9"),
        ("{{range .Name}}{{end}}", 8, ".Name", "range can't iterate over /s1"),
        ('{{lt 1 "a"}}', 2, "lt", "error calling lt: incompatible types for comparison"),
        ("{{len 3}}", 2, "len", "error calling len: len of type int"),
        ("{{.Name 1}}", 2, ".Name", "can't give argument to non-function .Name"),
        ("{{.State.Health.Status}}", 2, ".State.Health.Status", 'nil data; no entry for key "Status"'),
    ],
)
def test_what_cannot_be_evaluated(template: str, column: int, part: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(parse(template), DATA)
    assert str(caught.value) == f'template: :1:{column}: executing "" at <{part}>: {message}'


def test_an_undefined_variable() -> None:
    with pytest.raises(TemplateError, match="undefined variable"):
        render(parse("{{$x}}"), DATA)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (1.5, "1.5"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (1.5e-7, "1.5e-07")],
)
def test_floats_as_go_prints_them(value: float, text: str) -> None:
    assert go_float(value) == text


ROWS = [
    {"Names": "web", "Ports": "0.0.0.0:80->80/tcp", "ID": "1", "Label": listing.label_of({"a.b": "x"})},
    {"Names": "한글이름이름", "Ports": "", "ID": "2", "Label": listing.label_of(None)},
]
HEADERS = {"Names": "NAMES", "Ports": "PORTS", "ID": "CONTAINER ID"}


def show(capsys: pytest.CaptureFixture[str], template: str) -> str:
    listing.show(ROWS, HEADERS, ("ID", "Names", "Ports"), template)
    return capsys.readouterr().out


def test_the_default_table_aligns_cells_not_letters(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(capsys, "") == (
        "CONTAINER ID   NAMES          PORTS\n"
        "1              web            0.0.0.0:80->80/tcp\n"
        "2              한글이름이름   \n"
    )  # fmt: skip


def test_columns_are_at_least_ten_wide(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(capsys, "table {{.Names}}\\t{{.ID}}\\t{{.Label \"a.b\"}}").splitlines()[:2] == [
        "NAMES          CONTAINER ID   b", "web            1              x",
    ]  # fmt: skip


def test_a_template_prints_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(capsys, '{{.Names}}\\t{{.Label "a.b"}}') == "web\tx\n한글이름이름\t\n"


@pytest.mark.parametrize("template", ["json", "{{json .}}"])
def test_json_is_sorted_and_escaped_as_go_does(capsys: pytest.CaptureFixture[str], template: str) -> None:
    first = show(capsys, template).splitlines()[0]
    assert first == '{"ID":"1","Names":"web","Ports":"0.0.0.0:80-\\u003e80/tcp"}'


def test_a_bad_template_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandFailed, match="failed to parse template: template: :1: unclosed action"):
        show(capsys, "{{.Names")
    with pytest.raises(CommandFailed, match=r"failed to execute template: .*Nope"):
        show(capsys, "{{.Nope}}")
