"""Image documents: image-spec descriptor.md, manifest.md, image-index.md, config.md, and Docker's schema 2."""

from __future__ import annotations

from typing import Any

import msgspec

from core.oci.digest import Digest, chain_ids

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = OCI_LAYER + "+gzip"
OCI_LAYER_ZSTD = OCI_LAYER + "+zstd"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = DOCKER_LAYER + ".gzip"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})


class _Document(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    pass


class Platform(_Document, frozen=True):
    """What an image runs on: `os/architecture[/variant]`."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}" + (f"/{self.variant}" if self.variant else "")


class Descriptor(_Document, frozen=True):
    """A typed pointer to content: media type, digest and size in bytes."""

    media_type: str = ""
    digest: Digest = msgspec.field(default=Digest("sha256:" + "0" * 64))
    size: int = 0
    platform: Platform | None = None
    annotations: dict[str, str] = {}
    urls: tuple[str, ...] = ()


class Manifest(_Document, frozen=True):
    """One image: a config and its layers, bottom first."""

    schema_version: int
    config: Descriptor
    layers: tuple[Descriptor, ...]
    media_type: str = OCI_MANIFEST
    annotations: dict[str, str] = {}


class Index(_Document, frozen=True):
    """Manifests of one image for several platforms, or the table of contents of a layout."""

    schema_version: int
    manifests: tuple[Descriptor, ...]
    media_type: str = OCI_INDEX
    annotations: dict[str, str] = {}


class Healthcheck(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """Docker's HEALTHCHECK; durations in nanoseconds, 0 = the default."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ExecutionConfig(msgspec.Struct, frozen=True, rename="pascal"):
    """The `config` member: what a container made from the image runs by default."""

    user: str = ""
    exposed_ports: dict[str, Any] = {}
    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    volumes: dict[str, Any] = {}
    working_dir: str = ""
    labels: dict[str, str] = {}
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    on_build: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()
    args_escaped: bool = False


class RootFS(msgspec.Struct, frozen=True):
    """The layers by the digests of their uncompressed tars, bottom first."""

    diff_ids: tuple[Digest, ...]
    type: str = "layers"


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of `history`; `empty_layer` = it made no layer."""

    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(msgspec.Struct, frozen=True):
    """The image's configuration. Its bytes as stored are the image's identity: never re-encode them."""

    rootfs: RootFS
    architecture: str = "amd64"
    os: str = "linux"
    variant: str = ""
    created: str = ""
    author: str = ""
    docker_version: str = ""
    config: ExecutionConfig = ExecutionConfig()
    history: tuple[History, ...] = ()

    @property
    def chain(self) -> tuple[Digest, ...]:
        """The chainID of every layer, bottom first."""
        return chain_ids(self.rootfs.diff_ids)
