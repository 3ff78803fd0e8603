"""`--init`: a first process of ours, the program its child."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from core.errors import InvalidArgument
from tests.integration.conftest import EngineUnderTest, wait_until
from tests.support.images import archive, busybox_layer

pytestmark = pytest.mark.root
INIT = {"Init": True}


def test_it_is_the_first_process_as_docker_s_is(engine: EngineUnderTest) -> None:
    script = "cat /proc/1/cmdline | tr '\\0' ' '; echo; cat /proc/1/comm; echo $$; env | grep -c ONGGI_EXEC"
    lines = engine.output("sh", "-c", script, host=INIT).splitlines()
    assert lines[0].startswith("/sbin/docker-init -- sh -c")
    assert lines[1:3] == ["docker-init", lines[2]] and lines[2] != "1"
    assert lines[3] == "0"


def states(pid: int) -> str:
    """The states of a process' children, `Z` for the dead that nobody has collected. proc_pid_stat(5)"""
    found = ""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            found += Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # collected in this moment
            pass
    return found


@pytest.mark.parametrize(("host", "left"), [(INIT, "S"), ({}, "ZZZ")], ids=["init", "without"])
def test_it_collects_orphans_where_a_sleeping_program_does_not(
    engine: EngineUnderTest, host: dict[str, bool], left: str
) -> None:
    orphan = "(sh -c 'sleep 0.1; echo end' &)"
    ident = engine.run("sh", "-c", f"{orphan}; {orphan}; {orphan}; exec sleep 100", host=host)
    pid = engine.state(ident)["Pid"]
    wait_until(lambda: engine.logs(ident) == "end\n" * 3, "three orphans end")
    wait_until(lambda: states(pid) == left, f"children in the states {left}")
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_signals_reach_a_program_that_does_not_handle_them(engine: EngineUnderTest) -> None:
    ident = engine.run("sleep", "1000", host=INIT)
    pid = engine.state(ident)["Pid"]
    wait_until(lambda: states(pid) == "S", "the program runs")  # the kernel drops what comes before pid 1 listens
    engine.client.post(f"/containers/{ident}/stop", {"t": "30"})
    assert engine.state(ident)["ExitCode"] == 143
    assert engine.inspect(ident)["HostConfig"]["Init"] is True
    assert engine.inspect(ident)["Path"] == "sleep"
    engine.client.delete(f"/containers/{ident}")


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137)])
def test_exit_codes_are_the_program_s(engine: EngineUnderTest, script: str, code: int) -> None:
    ident = engine.run("sh", "-c", script, host=INIT)
    assert engine.wait(ident) == code
    engine.client.delete(f"/containers/{ident}")


def test_a_program_that_is_not_there_is_found_before(engine: EngineUnderTest) -> None:
    ident = engine.create("nosuch", host=INIT)
    with pytest.raises(InvalidArgument, match=r'exec: "nosuch": executable file not found in \$PATH'):
        engine.client.post(f"/containers/{ident}/start")
    assert engine.state(ident)["ExitCode"] == 127
    engine.client.delete(f"/containers/{ident}")


def test_it_works_with_little_memory_a_user_and_a_read_only_root(engine: EngineUnderTest) -> None:
    host = INIT | {"Memory": 6 << 20, "ReadonlyRootfs": True, "PidsLimit": 3}
    assert engine.output("id", "-u", host=host, User="1000").strip() == "1000"


def test_a_terminal_s_signals_reach_the_program(engine: EngineUnderTest) -> None:
    ident = engine.create("sh", "-c", "trap 'exit 9' INT; echo up; while :; do sleep 0.02; done",
                          host=INIT, Tty=True, OpenStdin=True)  # fmt: skip
    query = {"stream": "1", "stdin": "1", "stdout": "1"}
    stream = engine.client.hijack(f"/containers/{ident}/attach", query)
    engine.client.post(f"/containers/{ident}/start")
    stream.sock.settimeout(10)
    assert b"up" in stream.sock.recv(100)
    stream.sock.sendall(b"\x03")
    assert engine.wait(ident) == 9
    stream.close()
    engine.client.delete(f"/containers/{ident}")


def test_not_in_the_host_s_pid_namespace(engine: EngineUnderTest) -> None:
    assert "docker-init" not in engine.output("cat", "/proc/self/cmdline", host=INIT | {"PidMode": "host"})
    assert engine.output("sh", "-c", "test -e /sbin/docker-init; echo $?", host=INIT | {"PidMode": "host"}) == "1\n"


def test_where_the_image_has_a_link_in_its_place(engine: EngineUnderTest) -> None:
    links = io.BytesIO()
    with tarfile.open(fileobj=links, mode="w") as tar:
        for name, kind, target in (("usr/sbin", tarfile.DIRTYPE, ""), ("sbin", tarfile.SYMTYPE, "usr/sbin")):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.linkname = kind, 0o755, target
            tar.addfile(info)
    data = archive([busybox_layer(), links.getvalue()], "merged:1", {"Env": ["PATH=/bin"]})
    engine.client.open("POST", "/images/load", None, data, headers={"Content-Type": "application/x-tar"}).read()
    found = engine.output("sh", "-c", "cat /proc/1/comm; ls /usr/sbin", host=INIT, Image="merged:1")
    assert found == "docker-init\ndocker-init\n"
