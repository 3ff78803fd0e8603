"""The zygote: claims, jobs, respawn, stop."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from zygote_bench import Bench, Container, children, name_of, until

from core.errors import EngineError, InvalidArgument, ZygoteGone
from core.zygote.client import Zygote
from core.zygote.options import SOURCE

pytestmark = pytest.mark.root


async def test_a_job_s_answer_and_descriptors_come_back(zygote: Zygote) -> None:
    answer, fds = await zygote.run("make-netns")
    assert answer == {"ok": True}
    namespace, netlink = fds
    assert os.readlink(f"/proc/self/fd/{namespace}") != os.readlink("/proc/self/ns/net")  # noqa: PTH115
    _, again = await zygote.run("open-netns", fds=[namespace])
    for fd in (namespace, netlink, *again):
        os.close(fd)


async def test_an_error_keeps_its_class(zygote: Zygote, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="unknown job 'nonsense'"):
        await zygote.run("nonsense")
    fd = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(EngineError):
        await zygote.run("remove-tree", {"name": "../x"}, [fd])
    os.close(fd)


async def test_a_job_that_dies_hurts_nobody(zygote: Zygote, bench: Bench) -> None:
    reading, writing = os.pipe()
    job = asyncio.create_task(
        zygote.run(
            "copy-out",
            {"rootfs": {"lower": [str(bench.root)], "upper": None}, "path": "/", "flat": True},
            [writing],
        )
    )
    await asyncio.sleep(0)
    os.close(writing)
    for pid in children(bench.process.pid) - {bench.daemon_pid}:
        os.kill(pid, signal.SIGKILL)
    os.close(reading)
    with pytest.raises((ZygoteGone, EngineError)):
        await job
    assert (await zygote.run("make-netns"))[0] == {"ok": True}


async def test_the_daemon_comes_back_at_once(bench: Bench) -> None:
    bench.control().close()
    first = bench.daemon_pid
    began = time.monotonic()
    os.kill(first, signal.SIGKILL)
    control = await asyncio.to_thread(bench.control)
    client = Zygote(control)
    assert time.monotonic() - began < 2
    assert bench.daemon_pid != first
    assert (await client.run("make-netns"))[0] == {"ok": True}
    client.close()


async def test_jobs_end_with_the_daemon_that_asked(zygote: Zygote, bench: Bench) -> None:
    reading, writing = os.pipe()
    big = bench.root / "big"
    big.mkdir(parents=True, exist_ok=True)
    (big / "file").write_bytes(bytes(1 << 20))
    job = asyncio.create_task(
        zygote.run(
            "copy-out", {"rootfs": {"lower": [str(big)], "upper": None}, "path": "/", "flat": True}, [writing]
        )
    )
    await asyncio.sleep(0)
    os.close(writing)

    await until(lambda: len(children(bench.process.pid)) == 2)
    worker = (children(bench.process.pid) - {bench.daemon_pid}).pop()
    os.kill(bench.daemon_pid, signal.SIGKILL)
    await until(lambda: worker not in children(bench.process.pid))
    os.close(reading)
    with pytest.raises(ZygoteGone):
        await job


async def test_stop_ends_it_and_takes_the_socket_away(zygote: Zygote, bench: Bench) -> None:
    assert (bench.run / "engine.sock").stat().st_mode & 0o777 == 0o600
    zygote.stop()
    await until(lambda: not (bench.run / "engine.sock").exists())
    os.kill(bench.daemon_pid, signal.SIGTERM)
    assert await asyncio.to_thread(bench.process.wait, 5) == 0


def test_a_second_engine_refuses_at_once_naming_the_lock(bench: Bench) -> None:
    bench.control().close()
    code = f"import sys; sys.path.append({SOURCE!r}); from core.zygote.server import main; main()"
    argv = [sys.executable, "-I", "-S", "-c", code, "--root", bench.root, "--run", bench.run / "other"]
    began = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert time.monotonic() - began < 2
    assert done.returncode == 1
    assert done.stderr == (
        f"onggi: start engine: another engine (pid {bench.process.pid}) holds {bench.root}/lock\n"
    )


def test_folders_and_files_are_closed_to_others(bench: Bench) -> None:
    bench.control().close()
    assert bench.root.stat().st_mode & 0o007 == 0
    assert (bench.root / "lock").stat().st_mode & 0o077 == 0
    assert (bench.root / "engine.log").stat().st_mode & 0o077 == 0
    assert (bench.run / "containers").stat().st_mode & 0o007 == 0


def test_the_zygote_is_light_and_has_one_thread(bench: Bench) -> None:
    bench.control().close()
    status = Path(f"/proc/{bench.process.pid}/status").read_text()
    assert "Threads:\t1\n" in status


def test_the_engine_is_in_a_cgroup_of_its_own(bench: Bench) -> None:
    bench.control().close()
    groups = Path(f"/proc/{bench.process.pid}/cgroup").read_text().splitlines()
    assert any(line.endswith(":/onggi-engine") for line in groups)


def mold(bench: Bench) -> int:
    """The child of the zygote that forks the shims."""
    found = [int(word) for word in _children(bench.process.pid) if name_of(int(word)) == "onggi-mold"]
    return found[0] if found else 0


def spares(bench: Bench) -> list[int]:
    """The shim that is made ahead, if there is one, ready: its own child waits."""
    found = [int(word) for word in _children(mold(bench)) if name_of(int(word)) == "onggi-spare"]
    return [pid for pid in found if first_of(pid)]


def first_of(keeper: int) -> int:
    """The child of the worker of this keeper that waits to become a container; 0 for none."""
    workers = [int(word) for word in _children(keeper)]
    found = [int(word) for worker in workers for word in _children(worker)]
    return next((pid for pid in found if name_of(pid) == "onggi-first"), 0)


def _children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


async def test_a_shim_is_made_ahead_and_becomes_the_next(container: Container, bench: Bench) -> None:
    await until(lambda: len(spares(bench)) == 1)
    (spare,) = spares(bench)
    first = first_of(spare)
    shim = await container.spawn("sleep", "1000")
    assert (await shim.start())["pid"] == first
    assert name_of(spare) == "onggi-shim"
    await until(lambda: len(spares(bench)) == 1 and spares(bench) != [spare])


async def test_a_spare_that_dies_hurts_nobody(container: Container, bench: Bench) -> None:
    await until(lambda: len(spares(bench)) == 1)
    (spare,) = spares(bench)
    first = first_of(spare)
    os.kill(spare, signal.SIGKILL)
    await until(lambda: not name_of(first))
    shim = await container.spawn("true")
    await shim.start()
    assert (await container.event("exited"))["exit_code"] == 0
    await until(lambda: len(spares(bench)) == 1)


async def test_a_spare_serves_a_container_that_shares_the_hosts_processes(
    container: Container, bench: Bench
) -> None:
    await until(lambda: len(spares(bench)) == 1)
    (spare,) = spares(bench)
    shim = await container.spawn("sleep", "1000", own_pids=False)
    await shim.start()
    await until(lambda: {name_of(int(child)) for child in _children(spare)} == {"sleep"})


async def test_no_spare_outlives_the_zygote(bench: Bench) -> None:
    bench.control().close()
    await until(lambda: len(spares(bench)) == 1)
    (spare,) = spares(bench)
    first = first_of(spare)
    bench.process.kill()
    bench.process.wait()
    await until(lambda: not name_of(spare) and not name_of(first))


async def test_a_mold_that_dies_is_made_again(container: Container, bench: Bench) -> None:
    await until(lambda: len(spares(bench)) == 1)
    first = mold(bench)
    os.kill(first, signal.SIGKILL)
    await until(lambda: not name_of(first))
    shim = await container.spawn("true")
    await shim.start()
    assert (await container.event("exited"))["exit_code"] == 0
    await until(lambda: len(spares(bench)) == 1)
    assert mold(bench) != first
