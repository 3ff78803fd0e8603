"""The shop while it fires jars: four containers whose logs tell of the same orders."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from stage import NOW, Stage, nginx_log, one_id, potters_shop
from textual.pilot import Pilot

from tui.app import OnggiApp

_SAID = (
    ("web", 1, 0.1, "POST /api/orders/1041 201 58 ms"),
    ("api", 1, 0.2, "INFO  POST /orders placed order 1041, 3 jars"),
    ("db", 1, 0.3, "LOG  1.8 ms  insert into orders values (1041, 'onggi-40l', 3)"),
    ("api", 1, 0.4, "DEBUG kiln slot 7 asked for order 1041"),
    ("cache", 1, 0.5, "# evict order:1041 ttl=0"),
    ("api", 1, 1.2, "WARN  kiln busy, order 1041 waits 15 min"),
    ("db", 2, 2.1, "ERROR: order 1042 has no jar: KeyError('onggi-40l')"),
    ("db", 2, 2.1, '  File "/app/stock.py", line 88, in reserve'),
    ("db", 2, 2.1, "    jar = stock[line.sku]"),
    ("web", 1, 3.0, "POST /api/orders/1042 \x1b[1;31m500\x1b[m 61 ms"),
    ("cache", 1, 3.1, "# set order:1042 ttl=900"),
    ("web", 1, 18.0, "GET /api/orders/1041 \x1b[32m200\x1b[m 17 ms"),
    (
        "api",
        1,
        19.0,
        '{"level":"info","event":"retry","order":1042,"try":2,"after_ms":2000,"trace_id":"9c1e04d7aa31"}',
    ),
    ("db", 1, 21.0, "LOG  0.6 ms  select * from orders where id=1042"),
    ("web", 1, 21.2, "GET /shop/옹기-항아리 200 6.2 kB 15 ms"),
    ("api", 1, 23.0, "INFO  kiln frees slot 7 for order 1041"),
    ("cache", 1, 23.1, "# set order:1041 ttl=900"),
)


def kiln() -> Stage:
    """Its logs hold what happened in the last minute."""
    stage = potters_shop()
    stage.logs.clear()
    for name, stream, second, text in _SAID:
        at = NOW - 60 + second
        whole, fraction = divmod(round(at * 1000), 1000)
        stamp = f"{_clock(whole)}.{fraction:03d}000000Z"
        stage.logs.setdefault(one_id(name), []).append((stream, f"{stamp} {text}"))
    return stage


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


async def _merged(app: OnggiApp, *keys: str) -> None:
    pilot: Pilot[None] = Pilot(app)
    await pilot.press("space", "space")
    await pilot.press("j", "space", "space")
    await pilot.press("enter")
    async with asyncio.timeout(60):
        while app.main.detail.logs is None or len(app.main.detail.logs.sources.names) < 4:
            await pilot.pause(0.05)
        while app.main.detail.logs.shown != f"{len(_SAID)} lines":
            await pilot.pause(0.05)
    await pilot.press(*keys)
    await pilot.pause(0.2)


async def fires(app: OnggiApp) -> None:
    """Four logs as one, JSON unfolded; the view has gone to the new end."""
    await _merged(app, "x")


async def asks_for_orders(app: OnggiApp) -> None:
    """A pattern is being typed."""
    await _merged(app, "slash", *"104", "left_square_bracket", *"12", "right_square_bracket")


async def stands_on_a_hit(app: OnggiApp) -> None:
    """The second hit, the lines around it, one container muted."""
    await _merged(
        app, "m", "3", "slash", *"104", "left_square_bracket", *"12", "right_square_bracket", "enter", "n"
    )


async def keeps_failures(app: OnggiApp) -> None:
    """Only what matches, and lines being selected in it."""
    await _merged(app, "ampersand", *"1042", "enter", "v", "k", "k")


async def reads_on(app: OnggiApp) -> None:
    """The reader has scrolled up, and three lines have come since."""
    await _merged(app, "k", "k")
    view = app.main.detail.logs
    assert view is not None
    for number in range(3):
        view.append("stdout", (NOW + number) * 10**9, b"GET /api/orders/%d 200 9 ms\n" % (1043 + number), 0)
    await Pilot(app).pause(0.3)


async def wraps_what_does_not_match(app: OnggiApp) -> None:
    """Long lines over several rows, without times; those that match are left out."""
    await _merged(app, "slash", *"stock", "enter", "exclamation_mark", "w", "t")


async def goes_to_a_time(app: OnggiApp) -> None:
    """One container alone, and a time is being asked for."""
    await _merged(app, "M", "2", "at", *"12:02")


async def saves(app: OnggiApp) -> None:
    """A name for the file is being asked for."""
    await _merged(app, "S")


async def clears(app: OnggiApp) -> None:
    """What was there is put away, and two lines have come since."""
    await _merged(app, "X")
    view = app.main.detail.logs
    assert view is not None
    for number in range(2):
        view.append("stdout", (NOW + number) * 10**9, b"GET /api/orders/%d 200 9 ms\n" % (1043 + number), 0)
    await Pilot(app).pause(0.3)


def fired_twice() -> Stage:
    """One container's log of two runs."""
    stage = potters_shop()
    web = one_id("web")
    started = datetime.fromisoformat(stage.containers[web]["State"]["StartedAt"][:19]).replace(tzinfo=UTC)
    stage.logs = {web: nginx_log(started.timestamp() - 120) + nginx_log(started.timestamp())}
    return stage


async def begins_with_this_run(app: OnggiApp) -> None:
    """The first line of the last run is the first one shown; the one before it lies above."""
    pilot: Pilot[None] = Pilot(app)
    await pilot.press("enter")
    async with asyncio.timeout(60):
        while app.main.detail.logs is None or app.main.detail.logs.shown != "24 lines":
            await pilot.pause(0.05)
    await pilot.press("{")
    await pilot.pause(0.3)
