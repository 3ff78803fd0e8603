"""The life of containers through the API of a whole engine."""

from __future__ import annotations

import io
import json
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from core import errors
from tests.integration.conftest import EngineUnderTest, unframe, wait_until

pytestmark = pytest.mark.root


@contextmanager
def events_of(engine: EngineUnderTest, *, kinds: tuple[str, ...] = ("container",)) -> Iterator[list[str]]:
    """The actions that happen inside, in order; whole when the block has ended."""
    found: list[str] = []
    since = time.time()
    yield found
    query = {"since": f"{since:.9f}", "until": f"{time.time():.9f}", "filters": json.dumps({"type": list(kinds)})}
    found.extend(event["Action"] for event in engine.client.open("GET", "/events", query).values())


def test_a_container_lives_from_create_to_remove(engine: EngineUnderTest) -> None:
    with events_of(engine) as actions:
        ident = engine.create("sh", "-c", "echo out; echo err >&2; exit 3", name="life")
        assert len(ident) == 64
        assert engine.state(ident)["Status"] == "created"
        engine.client.post(f"/containers/{ident}/start")
        assert engine.wait(ident) == 3
        state = engine.state("life")
        assert (state["Status"], state["ExitCode"], state["Pid"], state["Running"]) == ("exited", 3, 0, False)
        assert sorted(engine.logs(ident).splitlines()) == ["err", "out"]
        engine.client.delete(f"/containers/{ident}")
    assert actions == ["create", "start", "die", "destroy"]
    with pytest.raises(errors.NotFound, match=r"^No such container: life$"):
        engine.inspect("life")


def test_nothing_is_left_of_a_removed_container(engine: EngineUnderTest) -> None:
    ident = engine.run("true")
    engine.wait(ident)
    engine.client.delete(f"/containers/{ident}")
    assert not engine.paths.task(ident).exists()
    engine.client.delete("/onggi/v1/undo")
    assert not engine.paths.bundle(ident).exists()


@pytest.mark.parametrize(
    ("cmd", "code", "words"),
    [
        (("nosuch",), 127, 'exec: "nosuch": executable file not found in $PATH'),
        (("/etc",), 126, 'exec: "/etc":'),
        (("/nope/x",), 127, 'exec: "/nope/x":'),
    ],
)
def test_a_program_that_cannot_run_leaves_the_container_created(
    engine: EngineUnderTest, cmd: tuple[str, ...], code: int, words: str
) -> None:
    ident = engine.create(*cmd)
    with pytest.raises(errors.InvalidArgument) as caught:
        engine.client.post(f"/containers/{ident}/start")
    assert words in str(caught.value)
    state = engine.state(ident)
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("created", code, str(caught.value))
    engine.client.delete(f"/containers/{ident}")


def test_a_creation_with_an_id_of_the_client_may_be_asked_twice(engine: EngineUnderTest) -> None:
    wanted = "0a" * 32
    body = {"Image": "busybox", "Cmd": ["true"]}
    asked = [
        engine.client.call("POST", "/containers/create", {"name": "once"}, body, headers={"Onggi-Id": wanted})
        for _ in range(2)
    ]
    assert [made["Id"] for made in asked] == [wanted] * 2
    with pytest.raises(errors.Conflict):
        engine.client.post("/containers/create", {"name": "once"}, body)
    with pytest.raises(errors.InvalidArgument, match="64 hexadecimal digits"):
        engine.client.call("POST", "/containers/create", None, body, headers={"Onggi-Id": "../" + wanted[3:]})
    engine.client.delete(f"/containers/{wanted}")


def test_rm_removes_after_the_exit_and_wait_tells_the_code(engine: EngineUnderTest) -> None:
    ident = engine.create("sh", "-c", "exit 7", host={"AutoRemove": True})
    codes: list[int] = []
    waiting = threading.Thread(target=lambda: codes.append(engine.wait(ident, "removed")))
    waiting.start()
    engine.client.post(f"/containers/{ident}/start")
    waiting.join()
    assert codes == [7]
    with pytest.raises(errors.NotFound):
        engine.inspect(ident)
    folders = (engine.paths.bundle(ident), engine.paths.task(ident))
    wait_until(lambda: not any(folder.exists() for folder in folders), "its folders follow")


def test_rm_removes_what_never_started(engine: EngineUnderTest) -> None:
    ident = engine.create("nosuch", host={"AutoRemove": True})
    with pytest.raises(errors.InvalidArgument):
        engine.client.post(f"/containers/{ident}/start")
    with pytest.raises(errors.NotFound):
        engine.inspect(ident)


def test_starting_twice_and_stopping_twice_change_nothing(engine: EngineUnderTest) -> None:
    ident = engine.run("sleep", "60")
    assert engine.status("POST", f"/containers/{ident}/start") == 304
    engine.client.post(f"/containers/{ident}/kill")
    assert engine.wait(ident) == 137
    assert engine.status("POST", f"/containers/{ident}/stop") == 304
    engine.client.delete(f"/containers/{ident}")


def test_stop_asks_first_and_kills_when_its_time_is_over(engine: EngineUnderTest) -> None:
    polite = engine.run("sh", "-c", "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    until_log(engine, polite, "ready")
    with events_of(engine) as actions:
        engine.client.post(f"/containers/{polite}/stop")
    assert actions == ["kill", "die", "stop"]
    assert engine.state(polite)["ExitCode"] == 9
    deaf = engine.run("sleep", "60")
    started = time.monotonic()
    engine.client.post(f"/containers/{deaf}/stop", {"t": "1"})
    assert 1 <= time.monotonic() - started < 5
    assert engine.state(deaf)["ExitCode"] == 137
    for ident in (polite, deaf):
        engine.client.delete(f"/containers/{ident}")


def until_log(engine: EngineUnderTest, ident: str, word: str) -> None:
    """Follow a log until `word` comes."""
    query = {"stdout": "1", "stderr": "1", "follow": "1"}
    response = engine.client.open("GET", f"/containers/{ident}/logs", query)
    for piece in response:
        if word.encode() in piece:
            break
    response.close()


def test_a_running_container_is_only_removed_by_force(engine: EngineUnderTest) -> None:
    ident = engine.run("sleep", "60")
    with pytest.raises(errors.Conflict) as caught:
        engine.client.delete(f"/containers/{ident}")
    assert str(caught.value) == (
        f"You cannot remove a running container {ident}. "
        "Stop the container before attempting removal or force remove"
    )
    engine.client.delete(f"/containers/{ident}", {"force": "1"})
    with pytest.raises(errors.NotFound):
        engine.inspect(ident)


def test_a_name_is_taken_once_and_can_be_changed(engine: EngineUnderTest) -> None:
    ident = engine.create("true", name="taken")
    with pytest.raises(errors.Conflict, match='The container name "/taken" is already in use by container'):
        engine.create("true", name="taken")
    engine.client.post(f"/containers/{ident}/rename", {"name": "other"})
    assert engine.inspect("other")["Name"] == "/other"
    second = engine.create("true", name="taken")
    with pytest.raises(errors.Conflict):
        engine.client.post(f"/containers/{second}/rename", {"name": "other"})
    for name in ("other", "taken"):
        engine.client.delete(f"/containers/{name}")


def test_restart_policies_start_again(engine: EngineUnderTest) -> None:
    policy = {"Name": "on-failure", "MaximumRetryCount": 2}
    ident = engine.run("sh", "-c", "exit 1", host={"RestartPolicy": policy})
    assert engine.wait(ident) == 1
    assert engine.inspect(ident)["RestartCount"] == 2
    engine.client.delete(f"/containers/{ident}")


def test_stop_ends_a_container_that_always_restarts(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "exit 1", host={"RestartPolicy": {"Name": "always"}})
    assert engine.wait(ident, "next-exit") == 1
    engine.client.post(f"/containers/{ident}/stop", {"t": "1"})
    assert engine.state(ident)["Status"] == "exited"
    engine.client.delete(f"/containers/{ident}")


def test_the_environment_is_dockers(engine: EngineUnderTest) -> None:
    ident = engine.run("env", Env=["B=2", "EMPTY="])
    engine.wait(ident)
    lines = engine.logs(ident).splitlines()
    assert lines == ["PATH=/bin", f"HOSTNAME={ident[:12]}", "B=2", "EMPTY=", "HOME=/root"]
    engine.client.delete(f"/containers/{ident}")


def test_the_files_over_etc_name_the_container(engine: EngineUnderTest) -> None:
    text = engine.output("sh", "-c", "cat /etc/hostname; hostname; cat /etc/hosts", Hostname="here")
    assert text.splitlines()[:3] == ["here", "here", "127.0.0.1\tlocalhost"]


def test_limits_reach_the_kernel(engine: EngineUnderTest) -> None:
    host = {"Memory": 32 << 20, "PidsLimit": 20, "NanoCpus": 500_000_000}
    ident = engine.run("sleep", "60", host=host)
    found = engine.client.get(f"/onggi/v1/containers/{ident}/isolation")
    assert found["cgroup"]["usage"]["memory_limit"] == 32 << 20
    assert found["seccomp"]["mode"] == "filter"
    own = {item["type"] for item in found["namespaces"] if not item["shared"]}
    assert own >= {"mnt", "pid", "net", "ipc", "uts"}
    assert "CAP_SYS_ADMIN" in found["capabilities"]["dropped"]
    assert "/proc/keys" in found["masked"]
    assert "/proc/sys" in found["readonly"]
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_too_much_memory_is_an_oom_kill(engine: EngineUnderTest) -> None:
    with events_of(engine) as actions:
        ident = engine.run("sh", "-c", "x=a; while :; do x=$x$x; done", host={"Memory": 12 << 20})
        assert engine.wait(ident) == 137
    assert engine.state(ident)["OOMKilled"] is True
    assert "oom" in actions
    engine.client.delete(f"/containers/{ident}")


def test_pause_holds_a_container_and_unpause_lets_it_go(engine: EngineUnderTest) -> None:
    ident = engine.run("sleep", "60")
    engine.client.post(f"/containers/{ident}/pause")
    assert engine.state(ident)["Status"] == "paused"
    listed = engine.client.get("/containers/json", {"filters": json.dumps({"status": ["paused"]})})
    assert [item["Id"] for item in listed] == [ident]
    assert listed[0]["Status"].endswith("(Paused)")
    engine.client.post(f"/containers/{ident}/unpause")
    assert engine.state(ident)["Status"] == "running"
    engine.client.post(f"/containers/{ident}/pause")
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_top_and_stats_tell_of_the_processes(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "sleep 61 & sleep 60; true")
    wanted = {"sleep 61", "sleep 60"}

    def commands() -> set[str]:
        return {row[7] for row in engine.client.get(f"/containers/{ident}/top")["Processes"]}

    deadline = time.monotonic() + 5
    while not wanted <= commands():
        assert time.monotonic() < deadline
    stats = engine.client.get(f"/containers/{ident}/stats", {"stream": "0", "one-shot": "1"})
    assert stats["memory_stats"]["usage"] > 0
    assert stats["pids_stats"]["current"] == 3
    assert stats["name"].startswith("/")
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_a_list_shows_what_docker_shows(engine: EngineUnderTest) -> None:
    ident = engine.run("sleep", "60", name="listed", Labels={"tier": "front"})
    (line,) = engine.client.get("/containers/json", {"filters": json.dumps({"label": ["tier=front"]})})
    assert line["Names"] == ["/listed"]
    assert (line["Image"], line["Command"], line["State"]) == ("busybox", "sleep 60", "running")
    assert line["Status"].startswith("Up ")
    assert line["HostConfig"] == {"NetworkMode": "none"}
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def listed(engine: EngineUnderTest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.client.get("/containers/json", {"all": "1"})
    return found


def test_bad_requests_are_answered_and_do_no_harm(engine: EngineUnderTest) -> None:
    bad: list[tuple[dict[str, Any], type[errors.EngineError]]] = [
        ({"Image": "nosuch"}, errors.NotFound),
        ({"Image": "Bad"}, errors.InvalidArgument),
        ({"Image": "busybox", "HostConfig": {"Memory": 1}}, errors.InvalidArgument),
        ({"Image": "busybox", "Hostname": "a\nb"}, errors.InvalidArgument),
        ({"Image": "busybox", "Env": ["A=\0"]}, errors.InvalidArgument),
        ({"Image": "busybox", "HostConfig": {"CpusetCpus": "0-18446744073709551615"}}, errors.InvalidArgument),
        ({"Image": "busybox", "HostConfig": {"Binds": ["x" * 70_000 + ":/x"]}}, errors.EngineError),
    ]
    before = [item["Image"] for item in listed(engine)]
    for body, kind in bad:
        with pytest.raises(kind):
            engine.client.post("/containers/create", None, body)
    assert [item["Image"] for item in listed(engine)] == before
    assert engine.output("echo", "still here") == "still here\n"


def test_a_volume_is_filled_from_the_image_and_outlives_the_container(engine: EngineUnderTest) -> None:
    text = engine.output("sh", "-c", "cat /data/seed; echo more > /data/more", host={"Binds": ["vol1:/data"]})
    assert text == "from the image\n"
    assert engine.output("cat", "/data/more", host={"Binds": ["vol1:/data:ro"]}) == "more\n"
    engine.client.delete("/volumes/vol1")


def test_a_volume_in_use_stays(engine: EngineUnderTest) -> None:
    ident = engine.create("true", host={"Binds": ["vol2:/data"]})
    with pytest.raises(errors.Conflict, match=f"remove vol2: volume is in use - \\[{ident}\\]"):
        engine.client.delete("/volumes/vol2")
    engine.client.delete(f"/containers/{ident}")
    engine.client.delete("/volumes/vol2")


def test_a_bind_mount_shows_the_host(engine: EngineUnderTest) -> None:
    folder = engine.paths.root / "shared"
    folder.mkdir()
    (folder / "file").write_text("from the host\n")
    assert engine.output("cat", "/x/file", host={"Binds": [f"{folder}:/x"]}) == "from the host\n"
    text = engine.output("sh", "-c", "echo x > /x/file 2>&1 || echo refused", host={"Binds": [f"{folder}:/x:ro"]})
    assert "refused" in text
    assert (folder / "file").read_text() == "from the host\n"


def test_export_is_the_whole_root_file_system(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "echo new > /tmp/new; sleep 60")
    until_file(engine, ident, "/tmp/new")
    data = engine.client.open("GET", f"/containers/{ident}/export").read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
    assert {"tmp/new", "bin/busybox", "etc/passwd"} <= {name.removeprefix("./") for name in names}
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def until_file(engine: EngineUnderTest, ident: str, path: str) -> None:
    """Wait, inside the container, until a file is there."""
    made = engine.client.post(
        f"/containers/{ident}/exec",
        None,
        {"Cmd": ["sh", "-c", f"until test -s {path}; do :; done"], "AttachStdout": True},
    )
    stream = engine.client.hijack(f"/exec/{made['Id']}/start", None, {})
    while stream.sock.recv(100):
        pass
    stream.close()


def test_exec_runs_beside_and_tells_its_code(engine: EngineUnderTest) -> None:
    ident = engine.run("sleep", "60")
    with events_of(engine) as actions:
        body = {
            "Cmd": ["sh", "-c", "echo $A; cat; exit 4"],
            "Env": ["A=1"],
            "AttachStdin": True,
            "AttachStdout": True,
        }
        made = engine.client.post(f"/containers/{ident}/exec", None, body)
        stream = engine.client.hijack(f"/exec/{made['Id']}/start", None, {})
        stream.sock.sendall(b"typed\n")
        stream.sock.shutdown(socket.SHUT_WR)
        data = stream.early
        while piece := stream.sock.recv(1000):
            data += piece
        stream.close()
        assert unframe(data) == "1\ntyped\n"
        assert engine.client.get(f"/exec/{made['Id']}/json")["ExitCode"] == 4
    assert [action.partition(":")[0] for action in actions] == ["exec_create", "exec_start", "exec_die"]
    engine.client.delete(f"/containers/{ident}", {"force": "1"})


def test_an_exec_of_nothing_says_so_on_the_stream(engine: EngineUnderTest) -> None:
    ident = engine.run("sleep", "60")
    made = engine.client.post(f"/containers/{ident}/exec", None, {"Cmd": ["nosuch"], "AttachStderr": True})
    stream = engine.client.hijack(f"/exec/{made['Id']}/start", None, {})
    data = stream.early
    while piece := stream.sock.recv(1000):
        data += piece
    stream.close()
    assert 'exec: "nosuch": executable file not found in $PATH' in unframe(data)
    assert engine.client.get(f"/exec/{made['Id']}/json")["ExitCode"] == 127
    engine.client.delete(f"/containers/{ident}", {"force": "1"})
