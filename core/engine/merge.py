"""What a container runs: the request laid over the image's configuration, as Docker does it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from core.errors import InvalidArgument
from core.model.container import ContainerConfig
from core.oci.image import ExecutionConfig, Healthcheck


def merge(asked: ContainerConfig, image: ExecutionConfig) -> ContainerConfig:
    """`asked` with what the image says where the request says nothing.

    A request's own entrypoint also drops the image's command; an entrypoint of one empty string means none.
    """
    entrypoint, command = asked.entrypoint, asked.cmd
    if not entrypoint:
        command = command or image.cmd
        if entrypoint is None:
            entrypoint = image.entrypoint
    if entrypoint == ("",):
        entrypoint = ()
    return msgspec.structs.replace(
        asked,
        cmd=command or (),
        entrypoint=entrypoint or (),
        env=overlay_env(image.env, asked.env),
        user=asked.user or image.user,
        working_dir=asked.working_dir or image.working_dir,
        labels={**image.labels, **asked.labels},
        volumes={**image.volumes, **asked.volumes},
        exposed_ports={**image.exposed_ports, **asked.exposed_ports},
        stop_signal=asked.stop_signal or image.stop_signal,
        healthcheck=_healthcheck(asked.healthcheck, image.healthcheck),
    )


def _healthcheck(asked: Healthcheck | None, image: Healthcheck | None) -> Healthcheck | None:
    """Member by member: the request may change the interval of the image's check alone."""
    if asked is None or image is None:
        return asked or image
    return Healthcheck(
        test=asked.test or image.test,
        interval=asked.interval or image.interval,
        timeout=asked.timeout or image.timeout,
        start_period=asked.start_period or image.start_period,
        start_interval=asked.start_interval or image.start_interval,
        retries=asked.retries or image.retries,
    )


def arguments(config: ContainerConfig) -> tuple[str, ...]:
    """Entrypoint and command as they will run. Raises InvalidArgument when there is nothing to run."""
    words = (*(config.entrypoint or ()), *(config.cmd or ()))
    if not words:
        raise InvalidArgument("No command specified")
    return words


def overlay_env(below: Iterable[str], above: Iterable[str]) -> tuple[str, ...]:
    """`below` with the variables of `above` in place or appended; `NAME` without `=` takes NAME away."""
    variables: dict[str, str | None] = {}
    for item in (*below, *above):
        name, equals, _ = item.partition("=")
        variables[name] = item if equals else None
    return tuple(item for item in variables.values() if item is not None)
