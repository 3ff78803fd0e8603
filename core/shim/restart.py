"""Docker's restart policies (moby restartmanager) as one pure function."""

from __future__ import annotations

from dataclasses import dataclass, replace

FIRST_DELAY = 0.1
LONGEST_DELAY = 60.0
STEADY_AFTER = 10.0  # a run of this many seconds starts the delays anew


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """`no`, `always`, `unless-stopped` or `on-failure` (`maximum` 0 = without end)."""

    name: str = "no"
    maximum: int = 0


@dataclass(frozen=True, slots=True)
class RestartState:
    """How often it was restarted, and the last delay in seconds (0 = none yet)."""

    count: int = 0
    delay: float = 0.0


def decide(
    policy: RestartPolicy, state: RestartState, *, exit_code: int, ran_for: float, final: bool
) -> tuple[float | None, RestartState]:
    """The delay until the next start, None for none, and the state to go on with.

    `ran_for` is in seconds; `final` = a stop or kill was asked for, which suppresses every policy.
    """
    delay = 0.0 if ran_for >= STEADY_AFTER else state.delay
    delay = FIRST_DELAY if delay == 0 else min(delay * 2, LONGEST_DELAY)
    if final or not _wants(policy, state.count, exit_code):
        return None, replace(state, delay=delay)
    return delay, RestartState(state.count + 1, delay)


def _wants(policy: RestartPolicy, count: int, exit_code: int) -> bool:
    if policy.name in ("always", "unless-stopped"):
        return True
    if policy.name == "on-failure":
        return exit_code != 0 and (policy.maximum == 0 or count < policy.maximum)
    return False
