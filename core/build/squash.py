"""`--squash`: what the steps have made as one layer on top of the image that they began with.

moby daemon/images/image_squash.go: history stays, its steps without layers of their own,
and one more tells of the merge.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import replace

import msgspec

from core.aio import off_loop
from core.build.solver import KEY
from core.build.state import State, created_text
from core.images.capture import EMPTY_LAYER, Capture
from core.images.room import ImageRoom
from core.oci.digest import Digest, chain_ids
from core.oci.image import History


async def squashed(room: ImageRoom, state: State, moment: float, *, epoch: int | None) -> State:
    """`state` with one layer over its FROM, none where nothing has changed. Raises SyscallFailed."""
    base, made = state.diff_ids[: state.under], state.diff_ids[state.under :]
    if len(made) < 2:
        return state
    layer = await _merged(room, state.diff_ids, base, epoch)
    steps = tuple(
        step if number < state.steps_under else msgspec.structs.replace(step, empty_layer=True)
        for number, step in enumerate(state.history)
    )
    below = str(chain_ids(base)[-1]) if base else "scratch"
    merge = History(
        created=created_text(moment), comment=f"merge of {len(made)} layers to {below}", empty_layer=layer is None
    )
    return replace(state, diff_ids=(*base, layer) if layer else base, history=(*steps, merge))


async def _merged(
    room: ImageRoom, diff_ids: tuple[Digest, ...], base: tuple[Digest, ...], epoch: int | None
) -> Digest | None:
    key = KEY + secrets.token_hex(8)
    snapshots = room.snapshots
    layers = [str(snapshots.upper(name)) for name in chain_ids(diff_ids)[len(base) :]]
    await snapshots.prepare(key, str(chain_ids(base)[-1]) if base else None)
    try:
        upper = await off_loop(os.open, snapshots.upper(key), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            args = {"layers": layers, "lower": snapshots.rootfs(key)["lower"]}
            await room.zygote.run("flatten-layers", args, [upper])
        finally:
            os.close(upper)
        capture = Capture(room)
        layer, _ = await capture.capture(snapshots.rootfs(key), newest=epoch)
    finally:
        await snapshots.remove(key)
    if layer == EMPTY_LAYER:
        return None
    await capture.stack((*base, layer), layer, label="the squashed layer", settle=False)
    return layer
