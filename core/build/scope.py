"""The variables of a stage: what ARG and ENV have made so far, and which of them a RUN sees. Pure.

docs.docker.com/reference/dockerfile, "Using ARG variables", "Scope": ENV always wins over ARG; an ARG counts from
its own line on; a build arg for a name that no ARG has taken is not seen at all, but for proxies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from core.build.plan import PROXIES, Asked, platform_args
from core.dockerfile.instructions import Arg
from core.dockerfile.words import Expander


@dataclass(frozen=True, slots=True)
class Scope:
    """One stage, one place. `args` holds what was declared; None = declared without a value."""

    asked: Asked
    outer: Mapping[str, str]  # those before the first FROM
    escape: str = "\\"
    args: Mapping[str, str | None] = field(default_factory=dict)

    def declare(self, instruction: Arg, env: Mapping[str, str]) -> Scope:
        """The scope below an ARG line. Raises InvalidArgument."""
        args = dict(self.args)
        for name, default in instruction.names:
            value = None if default is None else self._expander(env, args).word(default)
            args[name] = self._given(name, value)
        return replace(self, args=args)

    def expander(self, env: Mapping[str, str]) -> Expander:
        """For the words of an instruction at this place; `env` = the config's ENV."""
        return self._expander(env, self.args)

    def run_args(self, env: Mapping[str, str]) -> dict[str, str]:
        """The declared args that a RUN has in its environment, sorted: they are part of its cache key."""
        found = {name: value for name, value in self.args.items() if value is not None and name not in env}
        return dict(sorted(found.items()))

    def proxies(self, env: Mapping[str, str]) -> dict[str, str]:
        """Proxy settings that a RUN sees without any ARG. They are no part of history or cache."""
        known = {**env, **self.run_args(env)}
        return {name: value for name, value in self.asked.args.items() if name in PROXIES and name not in known}

    def _given(self, name: str, default: str | None) -> str | None:
        if name in self.asked.args:
            return self.asked.args[name]
        if default is not None:
            return default
        if name in self.outer:
            return self.outer[name]
        return platform_args(self.asked).get(name)

    def _expander(self, env: Mapping[str, str], args: Mapping[str, str | None]) -> Expander:
        values = {name: value for name, value in args.items() if value is not None}
        return Expander(values | dict(env), self.escape)
