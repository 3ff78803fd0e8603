from __future__ import annotations

import asyncio
import os

from core import packets
from core.aio import Link, off_loop


async def test_blocking_work_leaves_the_loop() -> None:
    import threading

    assert await off_loop(threading.get_ident) != threading.get_ident()


async def test_a_link_speaks_packets() -> None:
    one, two = packets.pair()
    with two:
        link = Link(one)
        link.send({"op": "hello"}, [0])
        received = packets.receive(two)
        assert received is not None
        assert received[0] == {"op": "hello"}
        os.close(received[1][0])
        packets.send(two, {"re": 1})
        assert await link.receive() == ({"re": 1}, [])
        link.close()
        assert packets.receive(two) is None


async def test_a_slow_reader_loses_nothing() -> None:
    one, two = packets.pair()
    with two:
        link = Link(one)
        for number in range(500):
            link.send({"n": number, "pad": "x" * 4000})
        got = [await asyncio.to_thread(packets.receive, two) for _ in range(500)]
        assert [item[0]["n"] for item in got if item] == list(range(500))
        link.close()


async def test_the_end_of_a_link_is_none() -> None:
    one, two = packets.pair()
    link = Link(one)
    waiting = asyncio.create_task(link.receive())
    await asyncio.sleep(0)
    two.close()
    assert await waiting is None
    link.close()
