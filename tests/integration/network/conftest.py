"""The two machines."""

from network_machines import machines

__all__ = ["machines"]
