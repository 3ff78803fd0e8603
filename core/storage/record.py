"""A recipe for a layer that is unpacked already: the zygote's job `record-layer`.

Runs like `compare-layer`: in a child of the zygote with one thread, its root changed to the layer.
"""

from __future__ import annotations

import os
from typing import Any

from core.errors import SyscallFailed
from core.storage.apply import Part, enter
from core.storage.assembly import Files
from core.storage.compression import Stream, get_ready
from core.storage.recording import Recording
from core.storage.tarball import Kind, TarReader, components

_CHUNK = 1 << 18


def run_job(args: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """Descriptors: blob, the layer's directory, a file that gets the recipe. Arguments as of `apply-layer`.

    Answers `{"diff_id", "size", "recipe"}`: digest and bytes of the tar, whether it is plain and the directory
    gives it back. Raises BadArchive, SyscallFailed.
    """
    blob, folder, out = fds
    offset = int(args.get("offset") or 0)
    source = Part(blob, offset, args.get("size"))
    get_ready(blob, offset)
    enter(folder)
    recording = Recording()
    recording.replaced = True  # of several entries for one file the last counts
    known = str(args.get("plain_digest") or "")
    try:
        stream = Stream(source.read_some, hashed=not known)
        _look_for_files(TarReader(stream), recording, folder)
        while stream.read_some(_CHUNK):
            pass
        recipe = not stream.compression and recording.write(source.read_at, stream.size, source.crc, folder, out)
    except OSError as error:
        raise SyscallFailed.of("record layer: read", error) from error
    diff_id = stream.digest if stream.compression or not known else known
    return {"diff_id": diff_id, "size": stream.size, "recipe": recipe}


def _look_for_files(reader: TarReader, recording: Recording, folder: int) -> None:
    """What is there under the name of an entry, of its size; whether it is the same is seen when it is read."""
    files = Files(folder)
    for entry in reader:
        path = components(entry.name)
        if entry.kind is not Kind.FILE or not path:
            continue
        try:
            fd, status = files.open(b"/".join(path))
        except OSError:
            continue
        os.close(fd)
        if status.st_size == entry.size:
            recording.placed(path, entry.offset, entry.size, status.st_ino)
    files.close()
