"""Writing lines of a log into a file, without holding the keyboard or the memory for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tui.logview.store import LogLine, Store

_AT_ONCE: Final = 1000  # lines between two looks at the keyboard


async def save(
    path: Path, store: Store, numbers: Sequence[int], say: Callable[[str], None], *, times: bool, again: str
) -> None:
    """Write these lines as the container wrote them, with their times if wanted; `say` how it went.

    A file that is there is never overwritten. `again` is the key that saves.
    """
    count = len(numbers)
    try:
        with await asyncio.to_thread(path.open, "xb") as file:
            for start in range(0, count, _AT_ONCE):
                found = [store[number] for number in numbers[start : start + _AT_ONCE] if number >= store.first]
                await asyncio.to_thread(file.write, b"".join(_written(line, times) for line in found))
    except FileExistsError:
        say(f"{path} is there already" + (f"; {again} takes another name" if again else ""))
    except OSError as error:
        say(f"save {path}: {(error.strerror or str(error)).lower()}")
    else:
        say(f"saved {count:,} {'line' if count == 1 else 'lines'} as {path}")


def _written(line: LogLine, times: bool) -> bytes:
    if not times or line.time_ns is None:
        return line.data + b"\n"
    seconds, fraction = divmod(line.time_ns, 10**9)
    stamp = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z "
    return stamp.encode() + line.data + b"\n"
