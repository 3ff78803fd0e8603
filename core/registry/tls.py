"""Whom a registry must be: certs.d as Docker has it, `DIR/HOST:PORT/{*.crt,*.cert,*.key}`.

`*.crt` are authorities trusted for this host besides the system's; `NAME.cert` and `NAME.key` are how we show
who we are. https://docs.docker.com/engine/security/certificates/
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import InvalidArgument


def has_authority(host: str, folders: Sequence[Path]) -> bool:
    """Whether somebody has said what `host` (with its port) must show."""
    return any(True for folder in _folders(host, folders) for _ in folder.glob("*.crt"))


def make_context(host: str, folders: Sequence[Path], *, verify: bool) -> ssl.SSLContext:
    """How to talk TLS to `host`. Raises InvalidArgument that names the file that is no good."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    for folder in _folders(host, folders):
        for path in sorted(folder.glob("*.crt")):
            _load(path, lambda path=path: context.load_verify_locations(path))
        for path in sorted(folder.glob("*.cert")):
            key = path.with_suffix(".key")
            if not key.is_file():
                raise InvalidArgument(f"missing key {key.name} for client certificate {path.name} in {folder}")
            _load(path, lambda path=path, key=key: context.load_cert_chain(path, key))
    return context


def _folders(host: str, folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        found = folder / host.replace("/", "_")
        if found.is_dir():
            yield found


def _load(path: Path, load: object) -> None:
    assert callable(load)
    try:
        load()
    except (ssl.SSLError, OSError) as error:
        raise InvalidArgument(f"read certificate {path}: {error}") from error
