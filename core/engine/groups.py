"""Cgroups of containers, off the loop: freezing, killing, counting."""

from __future__ import annotations

from collections.abc import Callable

from core.aio import off_loop
from core.cgroups import Cgroup, Manager, Stats
from core.engine.shimconfig import cgroup_path
from core.errors import SyscallFailed
from core.oci.runtime import Resources


class Groups:
    """The cgroups under one manager. Methods raise SyscallFailed."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def of(self, ident: str) -> Cgroup:
        """The cgroup of a container; it need not be there."""
        return self._manager.open(cgroup_path(ident))

    async def freeze(self, ident: str) -> None:
        """Stop every process."""
        await self._do(self.of(ident).freeze, "freeze container")

    async def thaw(self, ident: str) -> None:
        """Let every process go on."""
        await self._do(self.of(ident).thaw, "thaw container")

    async def apply(self, ident: str, resources: Resources) -> None:
        """Change limits."""
        await self._do(lambda: self.of(ident).apply(resources), "set limits of container")

    async def stats(self, ident: str) -> Stats:
        """What the container uses now."""
        try:
            return await off_loop(self.of(ident).stats)
        except OSError as error:
            raise SyscallFailed.of("read statistics of container", error) from error

    async def pids(self, ident: str) -> list[int]:
        """Its processes, as the host numbers them."""
        try:
            return await off_loop(self.of(ident).pids)
        except OSError as error:
            raise SyscallFailed.of("list processes of container", error) from error

    async def kill(self, ident: str) -> None:
        """End every process and remove the cgroup; it may be gone already."""
        await off_loop(_kill, self.of(ident))

    async def _do(self, act: Callable[[], None], what: str) -> None:
        try:
            await off_loop(act)
        except OSError as error:
            raise SyscallFailed.of(what, error) from error


def _kill(group: Cgroup) -> None:
    try:
        group.kill()
        group.delete()
    except OSError:
        pass
