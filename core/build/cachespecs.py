"""`--cache-from` and `--cache-to` taken apart. docs.docker.com/build/cache/backends. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.errors import InvalidArgument, Unsupported
from core.oci.reference import Reference

REGISTRY, LOCAL, INLINE = "registry", "local", "inline"
_ELSEWHERE = frozenset({"gha", "s3", "azblob"})
_TRUE = frozenset({"true", "1"})
_FROM = frozenset({"ref", "number", "digest", "tag"})
_TO = _FROM | {"mode", "ignore-error", "compression", "oci-mediatypes", "image-manifest"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSpec:
    """One cache elsewhere: a `ref` in a registry, or folder `number` of the client's. `everything` = mode=max."""

    kind: str
    ref: str = ""
    number: int = 0
    everything: bool = False
    ignore_error: bool = False
    here: bool = False  # an image, if it is in the store, as Docker's classic builder takes it

    @property
    def name(self) -> str:
        """What people call it."""
        return self.ref or ("the client's folder" if self.kind == LOCAL else self.kind)


def parse_from(texts: Sequence[str], *, here: bool = False) -> tuple[CacheSpec, ...]:
    """Where steps may come from. A name alone is an image, or a cache in a registry; `here` = no registry is asked.

    Raises InvalidArgument.
    """
    found = [_parse(text, _FROM) for text in texts]
    if any(spec.kind == INLINE for spec in found):
        raise InvalidArgument("cache-from: an inline cache is in an image: give its name")
    return tuple(replace(spec, here=here) for spec in found)


def parse_to(texts: Sequence[str]) -> tuple[CacheSpec, ...]:
    """Where steps shall go. Raises InvalidArgument, Unsupported."""
    return tuple(_parse(text, _TO) for text in texts)


def _parse(text: str, allowed: frozenset[str]) -> CacheSpec:
    if "=" not in text:
        text = f"type={REGISTRY},ref={text}"
    pairs = [field.partition("=")[::2] for field in text.split(",")]
    fields = {name.strip().lower(): value for name, value in pairs}
    kind = fields.pop("type", "")
    if kind in _ELSEWHERE:
        raise Unsupported(f"cache of type {kind} is not supported: use type=registry or type=local")
    if kind not in (REGISTRY, LOCAL, INLINE):
        raise InvalidArgument(f"invalid cache {text}: type is one of inline, local, registry")
    for name in fields:
        if name not in allowed:
            raise InvalidArgument(f"invalid cache {text}: unknown option {name}")
    mode = fields.get("mode", "min")
    if mode not in ("min", "max"):
        raise InvalidArgument(f"invalid cache {text}: mode is min or max")
    ref, number = fields.get("ref", ""), fields.get("number", "0")
    if kind == REGISTRY:
        if not ref:
            raise InvalidArgument(f"invalid cache {text}: type=registry needs a ref=NAME")
        Reference.parse(ref)
    if kind == LOCAL and ("number" not in fields or not number.isdecimal()):
        raise InvalidArgument(f"invalid cache {text}: type=local is for clients that give their folder along")
    return CacheSpec(
        kind=kind, ref=ref if kind == REGISTRY else "", number=int(number), everything=mode == "max",
        ignore_error=fields.get("ignore-error", "").lower() in _TRUE,
    )  # fmt: skip
