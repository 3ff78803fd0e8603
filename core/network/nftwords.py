"""The words of a ruleset: each prints itself as nft(8) writes it and knows its expressions for the kernel.

An expression is a name and its attributes, as linux/netfilter/nf_tables.h and pyroute2 name them. Register 1 holds
16 bytes; 8 + n is its n-th 4 bytes, which is how concatenated keys are laid out.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, Protocol

from core.network.pyroute import nest

Expression = dict[str, Any]

_REGISTER, _WORD = 1, 8
_VERDICT_REGISTER = 0
_META_IIFNAME, _META_OIFNAME, _META_L4PROTO = 6, 7, 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_EQUAL, _NOT_EQUAL = 0, 1
_CT_STATE, _CT_STATUS = 0, 2
_ESTABLISHED, _RELATED, _DST_NAT = 2, 4, 32
_FIB_DADDR, _RTN_LOCAL = 2, 2
# pyroute2 takes this number (NFT_FIB_RESULT_ADDRTYPE, 3) for a set of bits and names them after the numbers.
_FIB_ADDRTYPE = ("NFT_FIB_RESULT_UNSPEC", "NFT_FIB_RESULT_OIF")
_NAT_DNAT, _NFPROTO_IPV4 = 1, 2
_IFNAMSIZ = 16
_VERDICTS = {"drop": 0, "accept": 1, "jump": -3, "return": -5}


class Word(Protocol):
    """A part of a rule: a condition or what to do."""

    def expressions(self) -> Sequence[Expression]:
        """Its expressions in order."""
        ...


@dataclass(frozen=True, slots=True)
class Interface:
    """`iifname` or `oifname`, equal or not; a name that ends in `*` stands for all that begin so."""

    way: str
    name: str
    other: bool = False

    def __str__(self) -> str:
        return f'{self.way}name {"!= " if self.other else ""}"{self.name}"'

    def expressions(self) -> Sequence[Expression]:
        key = _META_IIFNAME if self.way == "iif" else _META_OIFNAME
        prefix = self.name.endswith("*")
        name = self.name[:-1].encode() if prefix else self.name.encode().ljust(_IFNAMSIZ, b"\0")
        return [_meta(key), _compare(_NOT_EQUAL if self.other else _EQUAL, name)]


@dataclass(frozen=True, slots=True)
class Address:
    """`ip saddr` or `ip daddr` within a subnet of whole bytes or not."""

    way: str
    subnet: IPv4Network

    def __str__(self) -> str:
        return f"ip {self.way} {self.subnet}"

    def expressions(self) -> Sequence[Expression]:
        return [
            _payload(_REGISTER, _NETWORK_HEADER, 12 if self.way == "saddr" else 16, 4),
            _mask(self.subnet.netmask.packed),
            _compare(_EQUAL, self.subnet.network_address.packed),
        ]


@dataclass(frozen=True, slots=True)
class ForThisHost:
    """The destination is, or is not, an address of this machine."""

    other: bool = False

    def __str__(self) -> str:
        return f"fib daddr type {'!= ' if self.other else ''}local"

    def expressions(self) -> Sequence[Expression]:
        fib = _expression("fib", dreg=_REGISTER, result=_FIB_ADDRTYPE, flags=_FIB_DADDR)
        return [fib, _compare(_NOT_EQUAL if self.other else _EQUAL, struct.pack("=I", _RTN_LOCAL))]


@dataclass(frozen=True, slots=True)
class Tracked:
    """What connection tracking knows: `established` (replies and related ones) or `dnat` (was published)."""

    what: str

    def __str__(self) -> str:
        return "ct state established,related" if self.what == "established" else "ct status dnat"

    def expressions(self) -> Sequence[Expression]:
        state = self.what == "established"
        bits = _ESTABLISHED | _RELATED if state else _DST_NAT
        load = _expression("ct", key=_CT_STATE if state else _CT_STATUS, dreg=_REGISTER)
        return [load, _mask(struct.pack("=I", bits)), _compare(_NOT_EQUAL, bytes(4))]


@dataclass(frozen=True, slots=True)
class DnatByMap:
    """Look the packet up in a map of published ports and send it where that says; absent = go on.

    The key is `protocol . port`, or `address . protocol . port` where `with_address`.
    """

    map: str
    with_address: bool

    def __str__(self) -> str:
        address = "ip daddr . " if self.with_address else ""
        return f"dnat ip to {address}meta l4proto . th dport map @{self.map}"

    def expressions(self) -> Sequence[Expression]:
        words = iter(range(_WORD, _WORD + 3))
        loads = [_payload(next(words), _NETWORK_HEADER, 16, 4)] if self.with_address else []
        loads.append(_meta(_META_L4PROTO, next(words)))
        loads.append(_payload(next(words), _TRANSPORT_HEADER, 2, 2))
        lookup = _expression("lookup", set=self.map, sreg=_REGISTER, dreg=_REGISTER)
        to = {"reg_addr_min": _REGISTER, "reg_proto_min": _WORD + 1}
        return [*loads, lookup, _expression("nat", type=_NAT_DNAT, family=_NFPROTO_IPV4, **to)]


@dataclass(frozen=True, slots=True)
class Masquerade:
    """Let it appear to come from the address of the interface it leaves by."""

    def __str__(self) -> str:
        return "masquerade"

    def expressions(self) -> Sequence[Expression]:
        return [_expression("masq")]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`accept`, `drop`, `return`, or `jump` to a chain."""

    what: str
    chain: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.chain}".rstrip()

    def expressions(self) -> Sequence[Expression]:
        verdict = nest(("NFTA_VERDICT_CODE", _VERDICTS[self.what]))
        if self.chain:
            verdict["attrs"].append(("NFTA_VERDICT_CHAIN", self.chain))
        return [_expression("immediate", dreg=_VERDICT_REGISTER, data=nest(("NFTA_DATA_VERDICT", verdict)))]


def expressions(words: Sequence[Word]) -> list[Expression]:
    """The expressions of a rule in order."""
    return [expression for word in words for expression in word.expressions()]


def port_key(protocol: int, port: int) -> bytes:
    """`protocol . port`: each part of a concatenation is padded to four bytes."""
    return struct.pack(">B3xH2x", protocol, port)


def port_value(address: bytes, port: int) -> bytes:
    """`address . port`."""
    return address + struct.pack(">H2x", port)


def _expression(name: str, **attributes: Any) -> Expression:
    """An expression and its attributes, in order, without the prefix that all of them have."""
    prefix = f"NFTA_{name.upper()}_"
    data = nest(*((prefix + key.upper(), value) for key, value in attributes.items()))
    return nest(("NFTA_EXPR_NAME", name), ("NFTA_EXPR_DATA", data))


def _meta(key: int, register: int = _REGISTER) -> Expression:
    return _expression("meta", key=key, dreg=register)


def _payload(register: int, base: int, offset: int, length: int) -> Expression:
    return _expression("payload", dreg=register, base=base, offset=offset, len=length)


def _mask(bits: bytes) -> Expression:
    return _expression("bitwise", sreg=_REGISTER, dreg=_REGISTER, len=4, mask=_data(bits), xor=_data(bytes(4)))


def _compare(operator: int, data: bytes) -> Expression:
    return _expression("cmp", sreg=_REGISTER, op=operator, data=_data(data))


def _data(value: bytes) -> dict[str, Any]:
    return nest(("NFTA_DATA_VALUE", value))
