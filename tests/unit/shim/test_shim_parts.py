"""The shim's pure parts: restart policy, history, journal, configuration, exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidArgument
from core.shim.history import History
from core.shim.journal import Journal, settle, unacknowledged
from core.shim.protocol import ShimConfig
from core.shim.reaper import exit_code
from core.shim.restart import RestartPolicy, RestartState, decide


def delays(policy: RestartPolicy, codes: list[int], ran_for: float = 0.0) -> list[float | None]:
    state, found = RestartState(), []
    for code in codes:
        delay, state = decide(policy, state, exit_code=code, ran_for=ran_for, final=False)
        found.append(delay)
    return found


def test_delays_double_up_to_a_minute() -> None:
    found = delays(RestartPolicy("always"), [0] * 12)
    assert found == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60, 60])


def test_a_long_run_starts_the_delays_anew() -> None:
    assert delays(RestartPolicy("always"), [0] * 3, ran_for=10) == [0.1, 0.1, 0.1]
    assert delays(RestartPolicy("always"), [0] * 2, ran_for=9.9) == [0.1, 0.2]


def test_on_failure_counts() -> None:
    assert delays(RestartPolicy("on-failure", 3), [1, 1, 1, 1]) == pytest.approx([0.1, 0.2, 0.4, None])
    assert delays(RestartPolicy("on-failure"), [1, 0]) == [0.1, None]
    assert None not in delays(RestartPolicy("on-failure"), [2] * 50)


@pytest.mark.parametrize("name", ["no", "always", "on-failure", "unless-stopped"])
def test_a_stop_suppresses_every_policy(name: str) -> None:
    delay, state = decide(RestartPolicy(name), RestartState(2, 0.4), exit_code=1, ran_for=0, final=True)
    assert delay is None
    assert state.count == 2


def test_unless_stopped_restarts_like_always_and_no_never() -> None:
    assert delays(RestartPolicy("unless-stopped"), [0, 1]) == [0.1, 0.2]
    assert delays(RestartPolicy(), [1]) == [None]


def test_exit_code_of_a_signal() -> None:
    assert exit_code(9) == 137
    assert exit_code(15) == 143
    assert exit_code(3 << 8) == 3


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(min_size=1, max_size=50)), max_size=40))
def test_history_is_the_end_of_what_was_written(chunks: list[tuple[int, bytes]]) -> None:
    history = History(limit=100)
    for stream, data in chunks:
        history.append(stream, data)
    every = b"".join(data for _, data in chunks)
    assert history.end == len(every)
    assert b"".join(data for _, data in history.since()) == every[-100:]
    for position in (0, len(every) - 30, len(every)):
        held = max(position, len(every) - 100, 0)
        assert b"".join(data for _, data in history.since(position)) == every[held:]


def test_history_keeps_streams_apart() -> None:
    history = History()
    for stream, data in [(1, b"a"), (1, b"b"), (2, b"c"), (1, b"d")]:
        history.append(stream, data)
    assert history.since() == [(1, b"ab"), (2, b"c"), (1, b"d")]
    assert history.since(1) == [(1, b"b"), (2, b"c"), (1, b"d")]


def test_journal_keeps_what_is_not_acknowledged(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    journal = Journal(path)
    assert [journal.append({"event": name})["seq"] for name in ("started", "exited", "started")] == [1, 2, 3]
    journal.acknowledge(2)
    assert [event["event"] for event in journal.waiting] == ["started"]
    journal.close()
    assert unacknowledged(path) == [{"event": "started", "seq": 3}]


def test_a_torn_journal_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"event":"started","seq":1}\n{"event":"exi')
    assert unacknowledged(str(path)) == [{"event": "started", "seq": 1}]
    assert unacknowledged(str(tmp_path / "none")) == []


def test_numbers_go_on_with_the_next_shim(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    first = Journal(path)
    first.append({"event": "started"})
    first.append({"event": "exited"})
    first.close()
    second = Journal(path)
    assert second.append({"event": "started"})["seq"] == 3
    second.close()
    assert [event["seq"] for event in unacknowledged(path)] == [3]


def test_a_journal_that_cannot_be_written_still_serves_the_link(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "no" / "journal"))
    assert journal.append({"event": "started"})["seq"] == 1
    journal.acknowledge(1)
    assert journal.waiting == []
    journal.close()


def test_an_acknowledged_journal_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(str(path))
    for _ in range(3000):
        journal.acknowledge(journal.append({"event": "started", "text": "x" * 50})["seq"])
    journal.close()
    assert path.stat().st_size < 70_000


def config(**members: object) -> dict[str, object]:
    return {
        "job": "shim",
        "id": "a" * 64,
        "bundle": "/b",
        "run": "/r",
        "journal": "/b/journal",
        "rootfs": {"lower": ["/l"], "upper": None, "work": None},
        **members,
    }


def test_config_has_defaults_and_ignores_what_it_does_not_know() -> None:
    parsed = ShimConfig.from_message(config(user=None, unknown=1, restart={"name": "on-failure", "max": 2}))
    assert parsed.user == ""
    assert parsed.restart == RestartPolicy("on-failure", 2)
    assert parsed.rootfs.lower == ("/l",)


@pytest.mark.parametrize("broken", [{"rootfs": {}}, {"rootfs": None}, {"restart": {"max": "x"}}])
def test_a_broken_config_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        ShimConfig.from_message(config(**broken))


def test_a_settled_journal_has_nothing_to_tell_and_keeps_counting(tmp_path: Path) -> None:
    path = str(tmp_path / "journal")
    settle(path)
    assert not (tmp_path / "journal").exists()
    journal = Journal(path)
    journal.append({"event": "started"})
    journal.close()
    with open(path, "ab") as file:
        file.write(b'{"event":"exi')  # torn by SIGKILL
    settle(path)
    assert unacknowledged(path) == []
    assert Journal(path).append({"event": "started"})["seq"] == 2
