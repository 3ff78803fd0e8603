"""Flags of `run` -> the body of a create request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.cli import verbs
from core.cli.create import spec
from core.cli.failure import CommandFailed, UsageError

STREAMS = {
    "AttachStdin": False, "AttachStdout": True, "AttachStderr": True, "OpenStdin": False, "StdinOnce": False,
    "Tty": False,
}  # fmt: skip


def body(*argv: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    found = verbs.load("run").parse("run", argv)
    assert found is not None
    return spec.body(found, environment or {}, size=(24, 80))


def config(*argv: str, **environment: str) -> dict[str, Any]:
    found = body(*argv, "img", environment=environment)
    del found["HostConfig"], found["Image"]
    return {name: value for name, value in found.items() if STREAMS.get(name, ()) != value}


def host(*argv: str) -> dict[str, Any]:
    found: dict[str, Any] = body(*argv, "img")["HostConfig"]
    return found


def test_what_was_not_asked_for_is_not_sent() -> None:
    assert body("img") == {"Image": "img", **STREAMS, "HostConfig": {}}


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ((), {}),
        (("-i",), {"AttachStdin": True, "OpenStdin": True, "StdinOnce": True}),
        (("-it",), {"AttachStdin": True, "OpenStdin": True, "StdinOnce": True, "Tty": True}),
        (("-a", "stdout"), {"AttachStderr": False}),
        (("-a", "STDIN"), {"AttachStdin": True, "AttachStdout": False, "AttachStderr": False}),
        (("-h", "web", "--domainname", "d"), {"Hostname": "web", "Domainname": "d"}),
        (("-u", "1:2", "-w", "/x"), {"User": "1:2", "WorkingDir": "/x"}),
        (("--entrypoint", "sh"), {"Entrypoint": ["sh"]}),
        (("--entrypoint", ""), {"Entrypoint": [""]}),
        (("-l", "a=1", "--label", "b"), {"Labels": {"a": "1", "b": ""}}),
        (("--expose", "80", "--expose", "90-91/udp"), {"ExposedPorts": {"80/tcp": {}, "90/udp": {}, "91/udp": {}}}),
        (("-v", "/data"), {"Volumes": {"/data": {}}}),
        (("--stop-signal", "INT", "--stop-timeout", "0"), {"StopSignal": "INT", "StopTimeout": 0}),
        (("--no-healthcheck",), {"Healthcheck": {"Test": ["NONE"]}}),
        (
            ("--health-cmd", "x", "--health-interval", "5s", "--health-retries", "2"),
            {"Healthcheck": {"Test": ["CMD-SHELL", "x"], "Interval": 5 * 10**9, "Retries": 2}},
        ),
    ],
)
def test_config(argv: tuple[str, ...], expected: dict[str, Any]) -> None:
    assert config(*argv) == expected


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("-t",), {"ConsoleSize": [24, 80]}),
        (("-m", "64m", "--memory-swap", "-1"), {"Memory": 64 << 20, "MemorySwap": -1}),
        (("--cpus", "1.5", "-c", "512"), {"NanoCpus": 15 * 10**8, "CpuShares": 512}),
        (("--cpuset-cpus", "0,1"), {"CpusetCpus": "0,1"}),
        (("--pids-limit", "0"), {"PidsLimit": 0}),
        (("--shm-size", "1g"), {"ShmSize": 1 << 30}),
        (("--rm",), {"AutoRemove": True}),
        (("--restart", "no"), {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}),
        (("--restart", "on-failure:3"), {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}),
        (("--network", "none", "--dns", "1.1.1.1"), {"NetworkMode": "none", "Dns": ["1.1.1.1"]}),
        (("--add-host", "a:1.2.3.4", "--add-host", "b=::1"), {"ExtraHosts": ["a:1.2.3.4", "b:::1"]}),
        (("--cap-add", "NET_ADMIN", "--cap-drop", "ALL"), {"CapAdd": ["NET_ADMIN"], "CapDrop": ["ALL"]}),
        (("--privileged", "--read-only", "--init"), {"Privileged": True, "ReadonlyRootfs": True, "Init": True}),
        (("--init=false",), {"Init": False}),
        (("--security-opt", "no-new-privileges"), {"SecurityOpt": ["no-new-privileges"]}),
        (("--security-opt", "seccomp=unconfined"), {"SecurityOpt": ["seccomp=unconfined"]}),
        (("--security-opt", "systempaths=unconfined"), {"MaskedPaths": [], "ReadonlyPaths": []}),
        (("--tmpfs", "/t:size=1m", "--tmpfs", "/u"), {"Tmpfs": {"/t": "size=1m", "/u": ""}}),
        (("--ulimit", "nofile=10:20"), {"Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}]}),
        (("--ulimit", "core=-1"), {"Ulimits": [{"Name": "core", "Soft": -1, "Hard": -1}]}),
        (
            ("--device", "/dev/fuse", "--device", "/dev/null:/dev/x:r"),
            {"Devices": [
                {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"},
                {"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"},
            ]},
        ),
        (("--sysctl", "net.ipv4.ip_forward=1"), {"Sysctls": {"net.ipv4.ip_forward": "1"}}),
        (("--pid", "host", "--uts", "host"), {"PidMode": "host", "UTSMode": "host"}),
        (("--ipc", "private"), {"IpcMode": "private"}),
        (("--pid", "container:a",), {"PidMode": "container:a"}),
        (("--log-opt", "max-size=1m"), {"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}),
        (("-P",), {"PublishAllPorts": True}),
        (("-v", "/a:/b:ro", "-v", "data:/d"), {"Binds": ["/a:/b:ro", "data:/d"]}),
    ],
)  # fmt: skip
def test_host_config(argv: tuple[str, ...], expected: dict[str, Any]) -> None:
    assert host(*argv) == expected


def test_a_relative_source_starts_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert host("-v", "./x:/y", "-v", ".:/z")["Binds"] == [f"{tmp_path}/x:/y", f"{tmp_path}:/z"]


def binding(port: str, ip: str = "") -> dict[str, str]:
    return {"HostIp": ip, "HostPort": port}


@pytest.mark.parametrize(
    ("text", "bindings"),
    [
        ("80", {"80/tcp": [binding("")]}),
        ("8080:80", {"80/tcp": [binding("8080")]}),
        ("53:53/udp", {"53/udp": [binding("53")]}),
        ("127.0.0.1:8080:80", {"80/tcp": [binding("8080", "127.0.0.1")]}),
        ("127.0.0.1::80", {"80/tcp": [binding("", "127.0.0.1")]}),
        ("[::1]:8080:80/TCP", {"80/tcp": [binding("8080", "::1")]}),
        ("9000-9001:80-81", {"80/tcp": [binding("9000")], "81/tcp": [binding("9001")]}),
        ("9000-9009:80", {"80/tcp": [binding("9000-9009")]}),
        ("80-81", {"80/tcp": [binding("")], "81/tcp": [binding("")]}),
    ],
)
def test_published_ports(text: str, bindings: dict[str, Any]) -> None:
    found = body("-p", text, "img")
    assert found["HostConfig"]["PortBindings"] == bindings
    assert found["ExposedPorts"] == {port: {} for port in bindings}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("99999:80", "invalid hostPort: 99999"),
        ("abc", "invalid containerPort: abc"),
        ("80:x", "invalid containerPort: x"),
        ("1.2.3:80:80", "invalid IP address: 1.2.3"),
        ("80-82:80-81", "invalid ranges specified for container and host Ports: 80-81 and 80-82"),
        ("80:80/foo", "invalid proto: foo"),
        ("80:", "no port specified: 80:<empty>"),
        ("82-80:80", "invalid hostPort: 82-80"),
    ],
)
def test_bad_ports(text: str, message: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        body("-p", text, "img")
    assert (caught.value.message, caught.value.exit_code) == (message, 125)


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("type=bind,src=/a,dst=/b", {"Type": "bind", "Source": "/a", "Target": "/b"}),
        ("src=v,target=/b,ro", {"Type": "volume", "Source": "v", "Target": "/b", "ReadOnly": True}),
        ("destination=/b,readonly=false", {"Type": "volume", "Target": "/b", "ReadOnly": False}),
        (
            "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1700",
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1700}},
        ),
        ('type=bind,"src=/a,b",dst=/c', {"Type": "bind", "Source": "/a,b", "Target": "/c"}),
        ("dst=/b,volume-nocopy", {"Type": "volume", "Target": "/b", "VolumeOptions": {"NoCopy": True}}),
    ],
)
def test_mounts(text: str, mount: dict[str, Any]) -> None:
    assert host("--mount", text)["Mounts"] == [mount]


@pytest.mark.parametrize(
    ("flag", "text", "message"),
    [
        ("--mount", "foo", "invalid field 'foo' must be a key=value pair"),
        ("--mount", "type=bind,source=x", "target is required"),
        ("--mount", "foo=x,dst=/x", "unexpected key 'foo' in 'foo=x'"),
        ("--mount", "type=bind,dst=/x,tmpfs-size=1m", "cannot mix 'tmpfs-*' options with mount type 'bind'"),
        ("--ulimit", "x", "invalid ulimit argument: x"),
        ("--ulimit", "nofile=10:5", "ulimit soft limit must be less than or equal to hard limit: 10 > 5"),
        ("--add-host", "x", 'bad format for add-host: "x"'),
        ("--dns", "x", "IP address is not correctly formatted: x"),
        ("--sysctl", "x", "sysctl 'x' is not allowed"),
        ("--sysctl", "kernel.hostname=x", "sysctl 'kernel.hostname=x' is not allowed"),
        ("--env", "=x", "invalid environment variable: =x"),
        ("--label", "=x", "invalid label '=x': empty name"),
        ("--attach", "foo", "valid streams are STDIN, STDOUT and STDERR"),
    ],
)
def test_a_value_that_does_not_parse_names_its_flag(flag: str, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        body(flag, text, "img")
    first = caught.value.message.splitlines()[0]
    assert first.startswith(f'invalid argument "{text}" for "') and first.endswith(f'{flag}" flag: {message}')


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--restart", "always", "--rm"), "conflicting options: cannot specify both --restart and --rm"),
        (("--restart", "on-failure:x"), "invalid restart policy format: maximum retry count must be an integer"),
        (("--restart", ":3"), "invalid restart policy format: no policy provided before colon"),
        (("--pid", "nope"), "--pid: invalid PID mode"),
        (("--pid", "container:"), "--pid: invalid PID mode"),
        (("--security-opt", "nope"), 'Invalid --security-opt: "nope"'),
        (("--device", "x"), "x is not an absolute path"),
        (("--device", "/a:/b:q"), "bad mode specified: q"),
        (("--no-healthcheck", "--health-cmd", "x"), "--no-healthcheck conflicts with --health-* options"),
        (("--health-interval", "-1s"), "--health-interval cannot be negative"),
        (("--health-retries", "-1"), "--health-retries cannot be negative"),
        (("--env-file", "/nonexistent"), "open /nonexistent: no such file or directory"),
    ],
)
def test_what_does_not_go_together(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        body(*argv, "img")
    assert (caught.value.message, caught.value.exit_code) == (message, 125)


def test_variables_come_from_files_then_flags_and_a_bare_name_from_the_caller(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text('# comment\n\nA=1\n  B="q"\nHOME\nGONE\n', encoding="utf-8")
    found = config(
        "--env-file", str(file), "-e", "A=2", "-e", "USER", "-e", "UNSET", "-e", "C=", HOME="/h", USER="u"
    )
    # a bare name that the caller does not have either takes the image's variable away
    assert found["Env"] == ["A=1", 'B="q"', "HOME=/h", "A=2", "USER=u", "UNSET", "C="]


@pytest.mark.parametrize(
    ("line", "reason"), [("=x", "no variable name on line '=x'"), ("a b=1", "variable 'a b' contains")]
)
def test_a_bad_env_file_is_told(tmp_path: Path, line: str, reason: str) -> None:
    file = tmp_path / "env"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(CommandFailed, match=reason):
        config("--env-file", str(file))


def test_a_seccomp_profile_travels_as_its_content(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_text('{\n "defaultAction": "SCMP_ACT_ALLOW"\n}', encoding="utf-8")
    assert host("--security-opt", f"seccomp={file}")["SecurityOpt"] == [
        'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'
    ]
    with pytest.raises(CommandFailed, match="opening seccomp profile"):
        host("--security-opt", "seccomp=/nonexistent")


def test_the_command_and_nobody_attached() -> None:
    found = spec.detached(body("-itd", "img", "sh", "-c", "x"))
    assert found["Cmd"] == ["sh", "-c", "x"]
    assert not any(found[name] for name in ("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"))
    assert found["OpenStdin"] and found["Tty"]
