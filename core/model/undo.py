"""What a removed volume leaves behind for an undo."""

from __future__ import annotations

import msgspec

from core.model.network import VolumeRecord


class KeptVolume(msgspec.Struct, frozen=True):
    """A removed volume as it was. `folder` = where its data waits, one of a kind: a name may be removed twice."""

    record: VolumeRecord
    folder: str
