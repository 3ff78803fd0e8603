"""Engines for the contracts that need one."""

from tests.integration.conftest import engine, fresh_engine
from tests.integration.zygote.zygote_bench import bench, zygote

__all__ = ["bench", "engine", "fresh_engine", "zygote"]
