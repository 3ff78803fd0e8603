"""The host's own figures for the header, read by psutil in a worker thread."""

from __future__ import annotations

import time
from dataclasses import dataclass

from tui.header import Host


@dataclass(slots=True)
class HostMeter:
    """Reads this machine; rates are since the last reading. `read` blocks for a moment."""

    disk_path: str = "/"
    _rx: int = 0
    _tx: int = 0
    _at: float = 0.0

    def read(self) -> Host:
        """Figures of now. Raises OSError where /proc cannot be read."""
        import psutil  # 10 ms that the first paint must not wait for

        memory, disk = psutil.virtual_memory(), psutil.disk_usage(self.disk_path)
        traffic, now = psutil.net_io_counters(), time.monotonic()
        span = now - self._at if self._at else 0.0
        rx = (traffic.bytes_recv - self._rx) / span if span > 0 else 0.0
        tx = (traffic.bytes_sent - self._tx) / span if span > 0 else 0.0
        self._rx, self._tx, self._at = traffic.bytes_recv, traffic.bytes_sent, now
        return Host(
            cpu=psutil.cpu_percent(None),
            memory=memory.total - memory.available,
            memory_total=memory.total,
            disk=disk.used,
            disk_total=disk.total,
            rx=rx,
            tx=tx,
        )
