"""Containers under real shims: every request and event, driven as the engine drives them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
from pathlib import Path
from typing import Any

import pytest
from zygote_bench import Bench, Container, children, until

from core.errors import InitFailed, InvalidArgument, NoSuchExec, ShimGone, WrongState
from core.shim import client
from core.shim.journal import unacknowledged
from core.zygote.client import Zygote

pytestmark = pytest.mark.root


def demultiplex(data: bytes) -> dict[int, bytes]:
    streams: dict[int, list[bytes]] = {}
    at = 0
    while at < len(data):
        stream, size = struct.unpack_from(">BxxxL", data, at)
        assert len(data) >= at + 8 + size, "a frame is cut"
        streams.setdefault(stream, []).append(data[at + 8 : at + 8 + size])
        at += 8 + size
    return {stream: b"".join(parts) for stream, parts in streams.items()}


async def rest(peer: socket.socket) -> bytes:
    """Everything until the other side closes."""
    data = bytearray()
    while piece := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 1 << 20), 60):
        data += piece
    return bytes(data)


async def until_seen(peer: socket.socket, text: bytes) -> bytes:
    data = bytearray()
    while text not in data:
        piece = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 65536), 60)
        assert piece, f"the end came before {text!r}: {bytes(data)!r}"
        data += piece
    return bytes(data)


def logged(container: Container) -> str:
    return "".join(json.loads(line)["log"] for line in container.log.read_text().splitlines())


async def test_a_short_life(container: Container) -> None:
    shim = await container.spawn("sh", "-c", "echo out; echo error >&2; exit 3")
    peer = await container.attach()
    started = await shim.start()
    assert started["pid"] > 0
    assert demultiplex(await rest(peer)) == {1: b"out\n", 2: b"error\n"}
    exited = await container.event("exited")
    await container.gone()
    assert (exited["exit_code"], exited["oom"], exited["restarting_in"]) == (3, False, None)
    assert [event["event"] for event in container.events] == ["started", "exited"]
    assert [event["seq"] for event in container.events] == [1, 2]
    assert sorted(logged(container).splitlines()) == ["error", "out"]
    assert unacknowledged(str(container.bundle / "journal")) == []
    assert not container.run.exists()
    assert str(container.bundle) not in Path("/proc/self/mountinfo").read_text()
    with pytest.raises(ShimGone):
        await shim.hello()


async def test_a_terminal_detached_and_attached_again(container: Container) -> None:
    shim = await container.spawn("sh", tty=True, open_stdin=True)
    peer = await container.attach()
    await shim.resize(30, 100)
    await shim.start()
    peer.send(b"stty size; tty\n")
    seen = await until_seen(peer, b"/dev/pts/0")
    assert b"30 100" in seen
    await shim.resize(24, 80)
    peer.send(b"stty size\n")
    await until_seen(peer, b"24 80")
    peer.send(b"\x10\x11")
    await rest(peer)
    await container.event("detached")
    again = await container.attach(history=True, head="HTTP/1.1 101 UPGRADED\r\n")
    head, _, screen = (await until_seen(again, b"24 80")).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\nOnggi-History: ")
    assert b"30 100" in screen
    again.send(b"exit 5\n")
    await rest(again)
    assert (await container.event("exited"))["exit_code"] == 5
    await container.gone()


async def test_stdin_is_a_pipe_that_ends(container: Container) -> None:
    shim = await container.spawn("cat", open_stdin=True, stdin_once=True)
    peer = await container.attach()
    peer.send(b"line\n")
    peer.shutdown(socket.SHUT_WR)
    await shim.start()
    assert demultiplex(await rest(peer)) == {1: b"line\n"}
    assert (await container.event("exited"))["exit_code"] == 0


async def test_without_stdin_a_shell_ends_at_once(container: Container) -> None:
    shim = await container.spawn("sh")
    await shim.start()
    assert (await container.event("exited"))["exit_code"] == 0


async def test_kill_is_128_plus_the_signal(container: Container) -> None:
    shim = await container.spawn("sleep", "100")
    with pytest.raises(WrongState):
        await shim.signal(9)
    await shim.start()
    with pytest.raises(WrongState):
        await shim.start()
    await shim.signal(9, final=True)
    assert (await container.event("exited"))["exit_code"] == 137
    await container.gone()


@pytest.mark.parametrize("own_pids", [True, False])
async def test_whoever_starts_it_is_gone_and_it_lives_on(container: Container, own_pids: bool) -> None:
    """One process beside the shim: it was the launcher and became the container, or has left it to the shim."""
    shim = await container.spawn("sleep", "1000", own_pids=own_pids)
    pid = (await shim.start())["pid"]
    assert Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
    (parent,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("PPid")]
    keeper = int(parent.split()[1])
    await until(lambda: children(keeper) == {pid})


@pytest.mark.parametrize("own_pids", [True, False])
async def test_what_cannot_be_executed_is_126(container: Container, own_pids: bool) -> None:
    """The answer was on its way already when execve failed: no terminal of it is kept."""
    shim = await container.spawn("/etc", own_pids=own_pids, tty=True)
    with pytest.raises(InitFailed, match="/etc") as caught:
        await shim.start()
    assert caught.value.exit_code == 126
    await container.gone()


async def test_a_missing_program_is_127_and_the_end(container: Container) -> None:
    shim = await container.spawn("nonsense")
    peer = await container.attach()
    with pytest.raises(InitFailed, match=r'exec: "nonsense": executable file not found in \$PATH') as caught:
        await shim.start()
    assert caught.value.exit_code == 127
    assert (await container.event("failed"))["error"]["kind"] == "InitFailed"
    assert await rest(peer) == b""
    await container.gone()
    assert not container.run.exists()


async def test_restart_on_failure_counts(container: Container) -> None:
    shim = await container.spawn("sh", "-c", "exit 1", restart={"name": "on-failure", "max": 2})
    await shim.start()
    await container.event("exited", 3)
    await container.gone()
    exits = [event for event in container.events if event["event"] == "exited"]
    assert [event["restarting_in"] for event in exits] == pytest.approx([0.1, 0.2, None])
    assert [event["restart_count"] for event in container.events if event["event"] == "started"] == [0, 1, 2]


async def test_a_final_signal_ends_a_restarting_container(container: Container) -> None:
    shim = await container.spawn("false", restart={"name": "always"})
    container.rootfs.joinpath("bin/false").symlink_to("busybox")
    await shim.start()
    await container.event("exited", 3)
    with pytest.raises(WrongState):
        await shim.signal(15)
    await shim.signal(15, final=True)
    await container.gone()
    assert container.events[-1]["restarting_in"] is None


async def test_update_changes_the_policy_of_a_running_container(container: Container) -> None:
    shim = await container.spawn("sleep", "100", restart={"name": "always"})
    await shim.start()
    await shim.update("no")
    await shim.signal(9)
    assert (await container.event("exited"))["restarting_in"] is None


def process(*args: str, **members: Any) -> dict[str, Any]:
    return {"args": list(args), "cwd": "/", "env": ["PATH=/bin"], "capabilities": {}, **members}


async def run_exec(container: Container, name: str, *args: str, **options: Any) -> socket.socket:
    assert container.shim
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        try:
            await container.shim.exec(name, process=process(*args), fd=theirs.fileno(), **options)
        except BaseException:
            ours.close()
            raise
    return ours


async def test_exec_has_streams_and_a_code_of_its_own(container: Container) -> None:
    shim = await container.spawn("sleep", "100")
    await shim.start()
    with await run_exec(container, "e1", "sh", "-c", "echo hello; echo oh >&2; exit 4") as peer:
        assert demultiplex(await rest(peer)) == {1: b"hello\n", 2: b"oh\n"}
    exited = await container.event("exec-exited")
    assert (exited["exec"], exited["exit_code"]) == ("e1", 4)
    with await run_exec(container, "e2", "cat", stdin=True) as peer:
        assert "e2" in (await shim.hello())["execs"]
        peer.send(b"piped")
        peer.shutdown(socket.SHUT_WR)
        assert demultiplex(await rest(peer)) == {1: b"piped"}
    await container.event("exec-exited", 2)
    assert (await shim.hello())["execs"] == {}
    assert logged(container) == ""


async def test_exec_with_a_terminal(container: Container) -> None:
    shim = await container.spawn("sleep", "100")
    await shim.start()
    with await run_exec(container, "e", "sh", tty=True, stdin=True) as peer:
        await shim.resize(33, 99, exec_id="e")
        peer.send(b"stty size\n")
        await until_seen(peer, b"33 99")
        peer.send(b"exit\n")
        await rest(peer)
    with pytest.raises(NoSuchExec):
        await shim.resize(1, 1, exec_id="e")


async def test_exec_that_cannot_start(container: Container) -> None:
    shim = await container.spawn("sleep", "100")
    await shim.start()
    with pytest.raises(InitFailed) as caught:
        await shim.exec("e", process=process("nonsense"))
    assert caught.value.exit_code == 127
    assert (await shim.hello())["execs"] == {}
    await shim.exec("e", process=process("true"))
    await container.event("exec-exited")


async def test_execs_end_with_the_container(container: Container) -> None:
    shim = await container.spawn("sleep", "100")
    await shim.start()
    with await run_exec(container, "e", "sleep", "100") as peer:
        await shim.signal(9)
        await rest(peer)
    await container.gone()


async def test_a_slow_pipe_loses_no_byte(container: Container) -> None:
    shim = await container.spawn("head", "-c", "20000000", "/dev/zero", log=None)
    peer = await container.attach()
    await shim.start()
    await asyncio.sleep(0.3)
    assert not any(event["event"] == "exited" for event in container.events), "it was never held back"
    assert len(demultiplex(await rest(peer))[1]) == 20_000_000
    await container.gone()


async def test_a_pipe_that_breaks_does_not_hold_the_container(container: Container) -> None:
    shim = await container.spawn("head", "-c", "20000000", "/dev/zero", log=None)
    peer = await container.attach()
    await shim.start()
    await asyncio.sleep(0.05)
    peer.close()
    assert (await container.event("exited"))["exit_code"] == 0


async def test_growth_of_the_log_is_told_while_watched(container: Container) -> None:
    shim = await container.spawn("sh", "-c", "while read x; do echo $x; done", open_stdin=True)
    peer = await container.attach()
    await shim.start()
    peer.send(b"one\n")
    await until_seen(peer, b"one")
    assert not any(event["event"] == "log" for event in container.events)
    await shim.watch_log(True)
    peer.send(b"two\n")
    assert "seq" not in await container.event("log")
    assert logged(container) == "one\ntwo\n"


async def test_the_network_namespace_is_held_and_handed_out(container: Container, zygote: Zygote) -> None:
    _, (namespace, netlink) = await zygote.run("make-netns")
    os.close(netlink)
    shim = await container.spawn("sleep", "100")
    with pytest.raises(WrongState, match="no network namespace"):
        await shim.netns()
    pid = (await shim.start(namespace))["pid"]
    fd = await shim.netns()
    inode = os.fstat(namespace).st_ino
    assert (os.fstat(fd).st_ino, Path(f"/proc/{pid}/ns/net").stat().st_ino) == (inode, inode)
    os.close(fd)
    os.close(namespace)


async def test_hello_of_another_version_is_refused(container: Container) -> None:
    shim = await container.spawn("true")
    with pytest.raises(InvalidArgument, match="speaks version 1"):
        await shim._request("hello", version=99)
    with pytest.raises(InvalidArgument, match="unknown request"):
        await shim._request("nonsense")
    with pytest.raises(InvalidArgument, match="read request resize"):
        await shim._request("resize")


async def test_a_shim_that_is_not_started_goes_with_the_engine(container: Container, bench: Bench) -> None:
    shim = await container.spawn("true")
    await shim.hello()
    await until(lambda: len(bench.shims()) == 1)
    shim.close()
    await until(lambda: not bench.shims())


async def test_the_next_engine_takes_over(container: Container, bench: Bench) -> None:
    """SIGKILL of the daemon: the session goes on, what happened meanwhile is told, exit codes come through."""
    shim = await container.spawn("sh", tty=True, open_stdin=True)
    peer = await container.attach()
    await shim.start()
    await container.event("started")
    shim.close()
    os.kill(bench.daemon_pid, signal.SIGKILL)
    peer.send(b"echo still $((40 + 2))\n")
    await until_seen(peer, b"still 42")
    peer.send(b"\x10\x11")
    await rest(peer)
    again = await client.connect(str(container.run / "shim.sock"))
    state = await again.hello()
    assert state["status"] == "running"
    assert Path(f"/proc/{state['pid']}").exists()
    container.adopt(again)
    assert (await container.event("detached"))["seq"] == 2
    second = await container.attach()
    second.send(b"exit 7\n")
    await rest(second)
    assert (await container.event("exited"))["exit_code"] == 7
    await container.gone()


async def test_the_newest_engine_wins(container: Container) -> None:
    first = await container.spawn("sleep", "100")
    await first.start()
    second = await client.connect(str(container.run / "shim.sock"))
    await second.hello()
    await container.gone()
    with pytest.raises(ShimGone):
        await first.signal(9)
    container.adopt(second)


async def test_a_life_without_an_engine_is_in_the_journal(container: Container, bench: Bench) -> None:
    shim = await container.spawn("sh", "-c", "read x; exit 9", open_stdin=True, stdin_once=True)
    peer = await container.attach()
    await shim.start()
    await container.event("started")
    shim.close()
    peer.close()
    await until(lambda: not bench.shims())
    events = unacknowledged(str(container.bundle / "journal"))
    assert [event["event"] for event in events] == ["exited"]
    assert events[0]["exit_code"] == 9
    assert not container.run.exists()
    with pytest.raises(ShimGone):
        await client.connect(str(container.run / "shim.sock"))


async def test_the_shim_outlives_the_zygote_and_keeps_no_lock(container: Container, bench: Bench) -> None:
    shim = await container.spawn("sleep", "100")
    await shim.start()
    bench.process.kill()
    bench.process.wait()
    second = Bench.again(bench)
    try:
        (await asyncio.to_thread(second.control)).close()
        adopted = await client.connect(str(container.run / "shim.sock"))
        assert (await adopted.hello())["status"] == "running"
        container.adopt(adopted)
        await adopted.signal(9)
        assert (await container.event("exited"))["exit_code"] == 137
        await container.gone()
    finally:
        second.close()


async def test_an_idle_shim_is_small_and_holds_little(container: Container, bench: Bench, zygote: Zygote) -> None:
    for _ in range(20):  # each turn of the zygote's loop ends a round of its rehearsal
        for fd in (await zygote.run("make-netns"))[1]:
            os.close(fd)
    shim = await container.spawn("sleep", "100", log=None)
    await shim.start()
    await until(lambda: len(bench.shims()) == 1)
    (pid,) = bench.shims()
    folder = Path(f"/proc/{pid}")
    rollup = (folder / "smaps_rollup").read_text()
    private = sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_"))
    assert private < 3072, rollup
    opened = sorted(str(fd.readlink()) for fd in (folder / "fd").iterdir())
    assert not any("lock" in name or "engine.sock" in name for name in opened)
    assert "Threads:\t1\n" in (folder / "status").read_text()


async def test_sigterm_to_a_shim_stops_its_container(container: Container, bench: Bench) -> None:
    shim = await container.spawn(
        "sh", "-c", "trap 'exit 6' TERM; echo ready; while :; do sleep 0.05; done", restart={"name": "always"}
    )
    peer = await container.attach()
    await shim.start()
    await until_seen(peer, b"ready")
    await until(lambda: len(bench.shims()) == 1)
    os.kill(bench.shims()[0], signal.SIGTERM)
    exited = await container.event("exited")
    assert (exited["exit_code"], exited["restarting_in"]) == (6, None)


async def test_a_full_log_does_not_stop_the_container(container: Container) -> None:
    container.bundle.mkdir(parents=True)
    container.log.symlink_to("/dev/full")
    shim = await container.spawn("sh", "-c", "echo lost; exit 2")
    peer = await container.attach()
    await shim.start()
    assert demultiplex(await rest(peer)) == {1: b"lost\n"}
    assert (await container.event("exited"))["exit_code"] == 2


async def test_out_of_memory_is_told(container: Container) -> None:
    shim = await container.spawn(
        "sh", "-c", "exec tail /dev/zero", resources={"memory": {"limit": 6 << 20, "swap": 6 << 20}}
    )
    await shim.start()
    exited = await container.event("exited")
    assert (exited["exit_code"], exited["oom"]) == (137, True)
    assert "oom" in [event["event"] for event in container.events]
    await container.gone()
    assert not list(Path("/sys/fs/cgroup").glob(f"*/onggi-test/{container.id}"))


async def test_a_user_by_name_gets_its_home_and_its_pipes(container: Container) -> None:
    shim = await container.spawn("sh", "-c", "id -u; echo $HOME; echo again > /dev/stdout", user="me")
    peer = await container.attach()
    await shim.start()
    assert demultiplex(await rest(peer)) == {1: b"1000\n/home/me\nagain\n"}
