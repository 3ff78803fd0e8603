"""Zstandard, RFC 8878: the standard library's from Python 3.14 on, and the same code as a package before.

Loaded when a stream turns out to be one, and never after a process has changed its root. The zygote runs without
site-packages, so its children look for the package there themselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from core.errors import Unsupported

WINDOW_LOG = 27  # 128 MiB of history at most, which is zstd(1)'s own limit too: a header can ask for terabytes
SKIPPABLE = bytes.fromhex("2a4d18")  # the last three bytes of the magic of frames without data

Module = Any
_found: Module | None = None


def module() -> Module:
    """The module. Raises Unsupported where it is not installed."""
    global _found
    if _found is None:
        _found = _stdlib() or _package() or _from_site_packages()
    if _found is None:
        raise Unsupported("zstd compression needs Python 3.14, or the package backports.zstd beside onggi")
    return _found


def make_decoder() -> Callable[[], Any]:
    """What makes decoders of one frame each. Raises Unsupported."""
    zstd = module()
    options = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
    return lambda: zstd.ZstdDecompressor(options=options)


def error() -> type[Exception]:
    """What a decoder raises for damaged data; the module has been loaded by then."""
    kind: type[Exception] = module().ZstdError
    return kind


def _stdlib() -> Module | None:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return None
    return zstd


def _package() -> Module | None:
    try:
        from backports import zstd
    except ImportError:
        return None
    return zstd


def _from_site_packages() -> Module | None:
    import site

    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    beside = os.path.join(os.path.dirname(os.path.dirname(sys.executable)), "lib", version, "site-packages")
    places = [place for place in (beside, *site.getsitepackages()) if os.path.isdir(place)]
    before = list(sys.path)
    sys.path += [place for place in places if place not in sys.path]
    try:
        return _package()
    finally:
        sys.path[:] = before
