"""The words of a ruleset: each prints itself as nft(8) writes it and knows its expressions for the kernel.

An expression is a name and its attributes, as linux/netfilter/nf_tables.h numbers them. Register 1 holds 16
bytes; 8 + n is its n-th 4 bytes, which is how concatenated keys are laid out.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Protocol

from core.network.netlink import Attributes, be32, encode, text, u32

Expression = tuple[str, Attributes]

_REGISTER, _WORD = 1, 8
_VERDICT_REGISTER = 0
_DATA_VALUE, _DATA_VERDICT = 1, 2
_META_IIFNAME, _META_OIFNAME, _META_L4PROTO = 6, 7, 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_EQUAL, _NOT_EQUAL = 0, 1
_CT_STATE, _CT_STATUS = 0, 2
_ESTABLISHED, _RELATED, _DST_NAT = 2, 4, 32
_FIB_ADDRTYPE, _FIB_DADDR, _RTN_LOCAL = 3, 2, 2
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
        mask: Attributes = [
            (1, be32(_REGISTER)),
            (2, be32(_REGISTER)),
            (3, be32(4)),
            (4, [(_DATA_VALUE, self.subnet.netmask.packed)]),
            (5, [(_DATA_VALUE, bytes(4))]),
        ]
        return [
            _payload(_REGISTER, _NETWORK_HEADER, 12 if self.way == "saddr" else 16, 4),
            ("bitwise", mask),
            _compare(_EQUAL, self.subnet.network_address.packed),
        ]


@dataclass(frozen=True, slots=True)
class ForThisHost:
    """The destination is, or is not, an address of this machine."""

    other: bool = False

    def __str__(self) -> str:
        return f"fib daddr type {'!= ' if self.other else ''}local"

    def expressions(self) -> Sequence[Expression]:
        fib = [(1, be32(_REGISTER)), (2, be32(_FIB_ADDRTYPE)), (3, be32(_FIB_DADDR))]
        return [("fib", fib), _compare(_NOT_EQUAL if self.other else _EQUAL, u32(_RTN_LOCAL))]


@dataclass(frozen=True, slots=True)
class Tracked:
    """What connection tracking knows: `established` (replies and related ones) or `dnat` (was published)."""

    what: str

    def __str__(self) -> str:
        return "ct state established,related" if self.what == "established" else "ct status dnat"

    def expressions(self) -> Sequence[Expression]:
        state = self.what == "established"
        bits = _ESTABLISHED | _RELATED if state else _DST_NAT
        load = [(2, be32(_CT_STATE if state else _CT_STATUS)), (1, be32(_REGISTER))]
        mask: Attributes = [
            (1, be32(_REGISTER)),
            (2, be32(_REGISTER)),
            (3, be32(4)),
            (4, [(_DATA_VALUE, u32(bits))]),
            (5, [(_DATA_VALUE, bytes(4))]),
        ]
        return [("ct", load), ("bitwise", mask), _compare(_NOT_EQUAL, bytes(4))]


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
        lookup = [(1, text(self.map)), (2, be32(_REGISTER)), (3, be32(_REGISTER))]
        to_address, to_port = (3, be32(_REGISTER)), (5, be32(_WORD + 1))
        nat = [(1, be32(1)), (2, be32(2)), to_address, to_port]  # NFT_NAT_DNAT, NFPROTO_IPV4
        return [*loads, ("lookup", lookup), ("nat", nat)]


@dataclass(frozen=True, slots=True)
class Masquerade:
    """Let it appear to come from the address of the interface it leaves by."""

    def __str__(self) -> str:
        return "masquerade"

    def expressions(self) -> Sequence[Expression]:
        return [("masq", ())]


@dataclass(frozen=True, slots=True)
class Verdict:
    """`accept`, `drop`, `return`, or `jump` to a chain."""

    what: str
    chain: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.chain}".rstrip()

    def expressions(self) -> Sequence[Expression]:
        verdict: list[tuple[int, bytes]] = [(1, be32(_VERDICTS[self.what]))]
        if self.chain:
            verdict.append((2, text(self.chain)))
        data: Attributes = [(1, be32(_VERDICT_REGISTER)), (2, [(_DATA_VERDICT, verdict)])]
        return [("immediate", data)]


def encode_rule(words: Sequence[Word]) -> bytes:
    """The expressions of a rule as NFTA_RULE_EXPRESSIONS holds them."""
    elements: list[tuple[int, Attributes]] = [
        (1, [(1, text(name)), (2, data)]) for word in words for name, data in word.expressions()
    ]
    return encode(elements)


def port_key(protocol: int, port: int) -> bytes:
    """`protocol . port`: each part of a concatenation is padded to four bytes."""
    return struct.pack(">B3xH2x", protocol, port)


def port_value(address: bytes, port: int) -> bytes:
    """`address . port`."""
    return address + struct.pack(">H2x", port)


def _meta(key: int, register: int = _REGISTER) -> Expression:
    return "meta", [(2, be32(key)), (1, be32(register))]


def _payload(register: int, base: int, offset: int, length: int) -> Expression:
    return "payload", [(1, be32(register)), (2, be32(base)), (3, be32(offset)), (4, be32(length))]


def _compare(operator: int, data: bytes) -> Expression:
    return "cmp", [(1, be32(_REGISTER)), (2, be32(operator)), (3, [(_DATA_VALUE, data)])]
