"""The fixtures of the bench."""

from zygote_bench import bench, busybox, container, zygote

__all__ = ["bench", "busybox", "container", "zygote"]
