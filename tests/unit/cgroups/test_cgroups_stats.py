"""Statistics out of folders that hold what the kernel writes."""

from __future__ import annotations

from pathlib import Path

from core.cgroups.stats import v1_stats, v2_stats


def test_v2_files(tmp_path: Path) -> None:
    (tmp_path / "cpu.stat").write_text("usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_throttled 3\n")
    (tmp_path / "memory.current").write_text("10000\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.stat").write_text("anon 4000\ninactive_file 2500\n")
    (tmp_path / "memory.events").write_text("low 0\nmax 7\noom_kill 1\n")
    (tmp_path / "pids.current").write_text("4\n")
    (tmp_path / "pids.max").write_text("50\n")
    (tmp_path / "io.stat").write_text(
        "8:0 rbytes=100 wbytes=10 rios=2 wios=1 dbytes=0\n8:16 rbytes=1 wbytes=2 rios=3 wios=4\n"
    )
    stats = v2_stats(str(tmp_path))
    assert (stats.cpu_total, stats.cpu_user, stats.cpu_throttled_periods) == (1_500_000, 1_000_000, 3)
    assert (stats.memory_usage, stats.memory_limit, stats.working_set) == (10000, 0, 7500)
    assert (stats.memory_failures, stats.pids, stats.pids_limit) == (7, 4, 50)
    assert (stats.read_bytes, stats.write_bytes, stats.read_ops, stats.write_ops) == (101, 12, 5, 5)


def test_v1_files(tmp_path: Path) -> None:
    (tmp_path / "cpuacct.usage").write_text("123456789\n")
    (tmp_path / "cpuacct.stat").write_text("user 5\nsystem 2\n")
    (tmp_path / "memory.usage_in_bytes").write_text("9000\n")
    (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    (tmp_path / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 4000\n")
    (tmp_path / "blkio.throttle.io_service_bytes_recursive").write_text(
        "8:0 Read 7\n8:0 Write 8\n8:0 Total 15\nTotal 15\n"
    )
    stats = v1_stats(dict.fromkeys(("cpu", "cpuacct", "memory", "blkio", "pids"), str(tmp_path)))
    assert (stats.cpu_total, stats.cpu_user, stats.cpu_system) == (123456789, 50_000_000, 20_000_000)
    assert (stats.memory_usage, stats.memory_limit, stats.working_set) == (9000, 0, 5000)
    assert (stats.read_bytes, stats.write_bytes) == (7, 8)


def test_nothing_is_there() -> None:
    assert v1_stats({}).memory_usage == 0
    assert v2_stats("/nonexistent").cpu_total == 0
