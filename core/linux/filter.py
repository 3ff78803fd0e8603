"""tmp"""

from core.oci.runtime import Seccomp


def compile_seccomp(seccomp: Seccomp, machine: str) -> bytes:
    """tmp"""
    raise NotImplementedError
