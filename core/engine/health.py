"""HEALTHCHECK: whether a container's program does its work, asked again and again by an exec in the container.

The state machine is moby's (daemon/health.go): `starting` until the first success, `healthy`, and `unhealthy` after
`retries` failures on end; failures within the start period do not count. What is known is part of the record, so
that the next engine goes on with it. A container without a check costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

import msgspec

from core.engine.announce import announce
from core.engine.events import Events
from core.engine.probing import Prober
from core.engine.records import Records
from core.errors import EngineError, NoSuchContainer
from core.model.container import ContainerConfig, ContainerRecord, Health, HealthStatus, Probe, Status
from core.model.events import Event
from core.oci.image import Healthcheck
from core.wire.codec import parse_timestamp

log = logging.getLogger(__name__)

KEPT = 5  # probes a record remembers
SHORTEST = 0.1  # seconds between two probes: an image must not keep the engine busy with nothing else
_INTERVAL, _TIMEOUT, _START_INTERVAL, _RETRIES = 30.0, 30.0, 5.0, 3
_SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class Check:
    """What to run how often. Times are seconds."""

    command: tuple[str, ...]
    interval: float = _INTERVAL
    timeout: float = _TIMEOUT
    start_period: float = 0.0
    start_interval: float = _START_INTERVAL
    retries: int = _RETRIES


def check_of(config: ContainerConfig) -> Check | None:
    """The check of a container; None where it has none, or one that is none (an image may say anything)."""
    asked = config.healthcheck
    command = _command(asked) if asked else ()
    if asked is None or not command:
        return None
    return Check(
        command,
        max(SHORTEST, _seconds(asked.interval, _INTERVAL)),
        _seconds(asked.timeout, _TIMEOUT),
        _seconds(asked.start_period, 0.0),
        max(SHORTEST, _seconds(asked.start_interval, _START_INTERVAL)),
        asked.retries if asked.retries > 0 else _RETRIES,
    )


def _command(asked: Healthcheck) -> tuple[str, ...]:
    kind, words = asked.test[:1], asked.test[1:]
    if not words or not words[0]:
        return ()
    if kind == ("CMD",):
        return words
    return (*_SHELL, *words) if kind == ("CMD-SHELL",) else ()


def _seconds(nanoseconds: int, default: float) -> float:
    return nanoseconds / 1e9 if nanoseconds > 0 else default


def judged(before: Health, probe: Probe, check: Check, *, started_at: str) -> Health:
    """What is known after one more probe. Pure."""
    streak, status = 0, HealthStatus.HEALTHY
    if probe.exit_code != 0:
        since_start = (parse_timestamp(probe.start) - parse_timestamp(started_at)) / 1e9
        early = before.status is HealthStatus.STARTING and since_start < check.start_period
        streak = before.failing_streak + (0 if early else 1)
        status = HealthStatus.UNHEALTHY if streak >= check.retries else before.status
    return Health(status, streak, (*before.log, probe)[-KEPT:])


def interval_of(record: ContainerRecord, check: Check, now_ns: int) -> float:
    """Seconds between two probes as things are. Pure."""
    since_start = (now_ns - parse_timestamp(record.state.started_at)) / 1e9
    starting = record.state.health is None or record.state.health.status is HealthStatus.STARTING
    return check.start_interval if starting and since_start < check.start_period else check.interval


def first_pause(record: ContainerRecord, check: Check, now_ns: int) -> float:
    """Seconds until the first probe: an interval after the start, or after the last one under an earlier engine."""
    health = record.state.health or Health()
    times = [record.state.started_at, *(probe.end for probe in health.log[-1:])]
    interval = interval_of(record, check, now_ns)
    since = (now_ns - max(map(parse_timestamp, times))) / 1e9
    return min(interval, max(0.0, interval - since))  # no longer, where the clock was set back


class HealthChecks:
    """Probes every running container that has a check. To be made on the running loop."""

    def __init__(self, records: Records, events: Events, prober: Prober) -> None:
        self._records = records
        self._events = events
        self._prober = prober
        self._monitors: dict[str, asyncio.Task[None]] = {}
        events.watch(self._heed)

    def adopt(self) -> None:
        """Go on with what an engine before us has begun."""
        for record in self._records.all():
            check = check_of(record.config)
            if check is not None and record.running and record.id not in self._monitors:
                self._begin(record, check)

    def close(self) -> None:
        """Ask no more; the next engine does."""
        for monitor in self._monitors.values():
            monitor.cancel()
        self._monitors.clear()

    def _heed(self, event: Event) -> None:
        if event.type != "container" or event.action not in ("start", "die", "destroy"):
            return
        record = self._records.find(event.id)
        if event.action == "start" and record is not None:
            self._reset(record)
        elif (monitor := self._monitors.pop(event.id, None)) is not None:
            monitor.cancel()
            if record is not None and record.state.health is not None:
                # Nobody asks a stopped container; Docker calls it unhealthy, without an event.
                self._know(record, msgspec.structs.replace(record.state.health, status=HealthStatus.UNHEALTHY))

    def _reset(self, record: ContainerRecord) -> None:
        check = check_of(record.config)
        if check is not None:
            before = record.state.health or Health()
            self._know(record, Health(HealthStatus.STARTING, 0, before.log))
            self._begin(self._records.get(record.id), check)
        elif record.state.health is not None:
            self._know(record, None)

    def _begin(self, record: ContainerRecord, check: Check) -> None:
        old = self._monitors.pop(record.id, None)
        if old is not None:
            old.cancel()
        self._monitors[record.id] = asyncio.create_task(self._monitor(record, check))

    def _know(self, record: ContainerRecord, health: Health | None) -> None:
        self._records.set_state(record.id, health=health)

    async def _monitor(self, record: ContainerRecord, check: Check) -> None:
        """Until it is cancelled, which the end of the container does."""
        pause = first_pause(record, check, time.time_ns())
        try:
            while True:
                await asyncio.sleep(pause)
                record = self._records.get(record.id)
                if record.state.status is Status.RUNNING:  # paused it could not answer
                    await self._ask(record, check)
                pause = interval_of(self._records.get(record.id), check, time.time_ns())
        except NoSuchContainer:
            pass
        except EngineError as error:
            log.warning("container %s: health check: %s", record.short_id, error)
        except Exception:
            log.exception("container %s: health check", record.short_id)

    async def _ask(self, record: ContainerRecord, check: Check) -> None:
        probe = await self._prober.probe(record, check.command, check.timeout)
        current = self._records.find(record.id)
        if probe is None or current is None or current.state.started_at != record.state.started_at:
            return
        before = current.state.health or Health()
        after = judged(before, probe, check, started_at=current.state.started_at)
        self._know(current, after)
        if after.status is not before.status:
            announce(self._events, current, f"health_status: {after.status}")
