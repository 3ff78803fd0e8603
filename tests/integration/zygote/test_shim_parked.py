"""A quiet container has its keeper alone; whatever happens then wakes a worker, and nothing is lost over it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from pathlib import Path

import pytest
from test_shim_container import demultiplex, logged, rest, until_seen
from zygote_bench import Bench, Container, children, name_of, until

from core.shim import client
from core.shim.journal import unacknowledged

pytestmark = pytest.mark.root


def keeper_of(container: Container) -> int:
    return int((container.run / "pid").read_text())


def workers(container: Container) -> set[int]:
    return {pid for pid in children(keeper_of(container)) if name_of(pid) == "onggi-worker"}


async def parked(container: Container) -> int:
    """Wait until nobody works; the keeper."""
    keeper = keeper_of(container)
    await until(lambda: name_of(keeper) == "onggi-shim" and not workers(container))
    return keeper


@pytest.mark.parametrize("own_pids", [True, False])
async def test_the_first_process_becomes_the_keeper_s_and_its_end_is_told(
    container: Container, own_pids: bool
) -> None:
    shim = await container.spawn("sh", "-c", "trap 'exit 4' USR1; while :; do sleep 0.01; done", own_pids=own_pids)
    pid = (await shim.start())["pid"]
    keeper = await parked(container)
    assert pid in children(keeper)
    assert (await shim.hello())["pid"] == pid
    await parked(container)
    os.kill(pid, signal.SIGUSR1)
    assert (await container.event("exited"))["exit_code"] == 4
    await container.gone()
    await until(lambda: not name_of(keeper))
    assert not container.run.exists()
    assert unacknowledged(str(container.bundle / "journal")) == []


async def test_an_end_that_nobody_sees_coming_wakes_it(container: Container) -> None:
    shim = await container.spawn("sleep", "1")
    await shim.start()
    await parked(container)
    assert (await container.event("exited"))["exit_code"] == 0
    await container.gone()


async def test_output_after_a_rest_is_logged_whole_and_in_order(container: Container) -> None:
    script = "printf half; read x; echo ' whole'; echo error >&2; read x; seq 200000"
    shim = await container.spawn("sh", "-c", script, open_stdin=True)
    await shim.start()
    await parked(container)
    assert logged(container) == ""
    for line in (b"one\n", b"two\n"):
        peer = await container.attach(stdout=False, stderr=False)
        peer.send(line)
        peer.close()
        if line == b"one\n":
            await until(lambda: "half whole\n" in logged(container) and "error\n" in logged(container))
            await parked(container)
    await container.event("exited")
    await container.gone()
    lines = logged(container).splitlines()
    assert sorted(lines[:2]) == ["error", "half whole"]
    assert lines[2:] == [str(number) for number in range(1, 200001)]


async def test_a_terminal_goes_on_after_a_rest(container: Container) -> None:
    shim = await container.spawn("sh", tty=True, open_stdin=True)
    peer = await container.attach()
    await shim.resize(30, 100)
    await shim.start()
    peer.send(b"echo be$((1))fore\n")
    await until_seen(peer, b"be1fore")
    assert workers(container)  # somebody is attached
    await asyncio.sleep(0.5)
    assert workers(container)
    peer.send(b"\x10\x11")
    await rest(peer)
    await container.event("detached")
    await parked(container)
    again = await container.attach(history=True, head="HTTP/1.1 101 UPGRADED\r\n")
    assert b"be1fore" in await until_seen(again, b"be1fore")
    # It is painted anew, a row smaller for a moment.
    again.send(b"until [ $(stty size | cut -c1-2) = 30 ]; do sleep 0.05; done; stty size; tty\n")
    assert b"30 100" in await until_seen(again, b"/dev/pts/0")
    again.send(b"exit 5\n")
    await rest(again)
    assert (await container.event("exited"))["exit_code"] == 5
    await container.gone()


async def test_the_history_of_both_streams_is_kept(container: Container) -> None:
    shim = await container.spawn("sh", "-c", "seq 1000; echo error >&2; exec sleep 1000")
    await shim.start()
    await parked(container)
    peer = await container.attach(history=True)
    data = b""
    while b"error\n" not in data or b"1000\n" not in data:
        data += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, 65536), 60)
    assert demultiplex(data) == {1: "".join(f"{n}\n" for n in range(1, 1001)).encode(), 2: b"error\n"}


async def test_stdin_ends_for_the_process_and_not_for_the_keeper(container: Container) -> None:
    shim = await container.spawn("sh", "-c", "cat; exit 8", open_stdin=True, stdin_once=True)
    await shim.start()
    await parked(container)
    peer = await container.attach()
    peer.send(b"typed")
    peer.shutdown(socket.SHUT_WR)
    assert demultiplex(await rest(peer)) == {1: b"typed"}
    assert (await container.event("exited"))["exit_code"] == 8


async def test_exec_signal_and_policy_in_a_resting_container(container: Container) -> None:
    shim = await container.spawn("sleep", "1000", restart={"name": "no"})
    await shim.start()
    await parked(container)
    await shim.exec("one", process={"args": ["sh", "-c", "exit 3"], "cwd": "/", "env": ["PATH=/bin"]})
    assert (await container.event("exec-exited"))["exit_code"] == 3
    await parked(container)
    await shim.update("on-failure", 1)
    await parked(container)
    await shim.signal(signal.SIGKILL)
    first = await container.event("exited")
    assert (first["exit_code"], first["restarting_in"]) == (137, pytest.approx(0.1))
    assert (await container.event("started", 2))["restart_count"] == 1
    await parked(container)
    await shim.signal(signal.SIGKILL)
    assert (await container.event("exited", 2))["restarting_in"] is None
    await container.gone()
    assert str(container.bundle) not in Path("/proc/self/mountinfo").read_text()


async def test_an_exec_that_goes_on_keeps_the_worker(container: Container) -> None:
    shim = await container.spawn("sleep", "1000")
    await shim.start()
    pid = await shim.exec("one", process={"args": ["sleep", "1000"], "cwd": "/", "env": ["PATH=/bin"]})
    await asyncio.sleep(0.5)
    assert workers(container)
    os.kill(pid, signal.SIGKILL)
    assert (await container.event("exec-exited"))["exit_code"] == 137
    await parked(container)


async def test_an_engine_that_comes_and_goes_is_heard(container: Container) -> None:
    shim = await container.spawn("sleep", "1000")
    pid = (await shim.start())["pid"]
    await container.event("started")
    await parked(container)
    shim.close()
    await parked(container)
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not container.run.exists())
    assert [event["event"] for event in unacknowledged(str(container.bundle / "journal"))] == ["exited"]


async def test_what_was_not_acknowledged_is_told_after_a_rest(container: Container) -> None:
    shim = await container.spawn("sleep", "1000")
    shim.ack = lambda seq: None  # type: ignore[method-assign]
    await shim.start()
    await container.event("started")
    await parked(container)
    again = await client.connect(str(container.run / "shim.sock"))
    assert (await again.hello())["status"] == "running"
    container.adopt(again)
    assert (await container.event("started", 2))["seq"] == 1
    await parked(container)


async def test_an_engine_after_another_leaves_it_to_rest(container: Container) -> None:
    shim = await container.spawn("sleep", "1000")
    await shim.start()
    await container.event("started")
    for _ in range(3):
        await parked(container)
        assert container.shim
        container.shim.close()
        await parked(container)
        again = await client.connect(str(container.run / "shim.sock"))
        assert (await again.hello())["status"] == "running"
        container.adopt(again)


async def test_sigterm_to_a_resting_keeper_stops_its_container(container: Container) -> None:
    shim = await container.spawn(
        "sh", "-c", "trap 'exit 6' TERM; while :; do sleep 0.05; done", restart={"name": "always"}
    )
    await shim.start()
    os.kill(await parked(container), signal.SIGTERM)
    exited = await container.event("exited")
    assert (exited["exit_code"], exited["restarting_in"]) == (6, None)


async def test_a_killed_keeper_takes_its_worker_along(container: Container) -> None:
    shim = await container.spawn("cat", tty=True, open_stdin=True)
    pid = (await shim.start())["pid"]
    await container.attach()
    (worker,) = workers(container)
    os.kill(keeper_of(container), signal.SIGKILL)
    await until(lambda: not name_of(worker))
    await container.gone()
    await until(lambda: not name_of(pid))  # its terminal has hung up


@pytest.mark.parametrize("rested", [True, False])
async def test_a_killed_worker_ends_the_shim(container: Container, rested: bool) -> None:
    shim = await container.spawn("cat", tty=True, open_stdin=True)
    pid = (await shim.start())["pid"]
    if rested:
        await parked(container)
    await container.attach()
    keeper = keeper_of(container)
    (worker,) = workers(container)
    os.kill(worker, signal.SIGKILL)
    await container.gone()
    await until(lambda: not name_of(keeper))
    await until(lambda: not name_of(pid))


async def test_a_resting_keeper_is_small_and_does_nothing(container: Container, bench: Bench) -> None:
    shim = await container.spawn("sleep", "1000")
    await shim.start()
    keeper = await parked(container)

    def switches() -> str:
        return Path(f"/proc/{keeper}/status").read_text().split("voluntary_ctxt_switches", 1)[1]

    for _ in range(10):  # a worker is gone before its keeper has gone back to sleep
        before = switches()
        await asyncio.sleep(0.5)
        if switches() == before:
            break
    assert switches() == before
    opened = sorted(str(fd.readlink()) for fd in Path(f"/proc/{keeper}/fd").iterdir())
    assert not any("lock" in name or "engine.sock" in name for name in opened)


async def test_orphans_of_a_container_without_pids_of_its_own_are_collected(container: Container) -> None:
    script = "(sleep 2000 &) ; exec sleep 1000"
    shim = await container.spawn("sh", "-c", script, own_pids=False)
    file = container.bundle / "config.json"
    document = json.loads(file.read_text())
    document["linux"]["namespaces"] = [{"type": name} for name in ("ipc", "uts", "mount", "network")]
    file.write_text(json.dumps(document))
    await shim.start()
    keeper = await parked(container)
    await until(lambda: len(children(keeper)) == 2)
    (orphan,) = (pid for pid in children(keeper) if Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\0002000\0")
    os.kill(orphan, signal.SIGKILL)
    await until(lambda: len(children(keeper)) == 1)
    assert not workers(container)
