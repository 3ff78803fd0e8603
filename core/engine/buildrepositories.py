"""Git repositories for builds, cloned by the zygote's job `clone-repository`."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import AsyncExitStack
from pathlib import Path

from core.aio import off_loop
from core.build.plan import PROXIES
from core.dockerfile.giturl import GitSource
from core.engine.buildagents import serve_agent
from core.engine.buildsessions import Session
from core.images.unpack import Zygote
from core.zygote.repositories import AGENT, NOBODY, RESULT

_DEFAULT = "default"  # the agent that clones


class Repositories:
    """For one build: `ssh` = ids of agents that its client holds."""

    def __init__(self, zygote: Zygote, session: Session | None = None, ssh: Collection[str] = ()) -> None:
        self._zygote = zygote
        self._session = session
        self._ssh = ssh

    async def clone(self, source: GitSource, home: Path, *, keep: bool) -> tuple[str, Path]:
        """Make `home` with the files in it: the commit, and where they are.

        `keep` = with what git keeps beside. Raises InvalidArgument, Unavailable with git's last word.
        """
        await off_loop(home.mkdir, 0o755)
        args = {
            "url": source.url, "ref": source.ref, "folder": source.folder, "keep": keep,
            "env": {name: value for name, value in os.environ.items() if name in PROXIES},
        }  # fmt: skip
        async with AsyncExitStack() as undo:
            if self._session is not None and _DEFAULT in self._ssh:
                agent = serve_agent(self._session, _DEFAULT, home / AGENT, 0o600, NOBODY, NOBODY)
                await undo.enter_async_context(agent)
            fd = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                answer, _ = await self._zygote.run("clone-repository", args, [fd])
            finally:
                os.close(fd)
        return str(answer["commit"]), home / RESULT
