"""nf_tables over netlink: tables, chains, maps, rules and elements as messages. linux/netfilter/nf_tables.h."""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.network import netlink
from core.network.netlink import APPEND, CREATE, NETFILTER, Attributes, Message, Netlink, be32, encode, text
from core.network.nftwords import Word, encode_rule

MARK = 7  # NFTA_RULE_USERDATA
CHANGES = 7  # NFNLGRP_NFTABLES, the multicast group of every change

_SUBSYSTEM = 10
_NEWTABLE, _GETTABLE, _DELTABLE, _NEWCHAIN, _GETCHAIN, _DELCHAIN = 0, 1, 2, 3, 4, 5
_NEWRULE, _GETRULE, _DELRULE, _NEWSET, _DELSET, _NEWSETELEM, _DELSETELEM = 6, 7, 8, 9, 11, 12, 14
_FAMILY_IP = 2
_HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
_PRIORITIES = {"raw": -300, "dstnat": -100, "filter": 0, "srcnat": 100}
_MAP_FLAG = 0x8
_TYPES = {"ipv4_addr": (7, 4), "inet_proto": (12, 1), "inet_service": (13, 2)}  # nft's own numbers, sizes


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain and its rules. `hook` "" = reached by a jump only. `keep` = its rules are the user's, not ours.

    `priority` is a number or one of nft's names for one.
    """

    name: str
    rules: tuple[tuple[Word, ...], ...] = ()
    hook: str = ""
    type: str = "filter"
    priority: str = "filter"
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Map:
    """A named map; `key` and `value` are the types of a concatenation."""

    name: str
    key: tuple[str, ...]
    value: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table of family ip."""

    name: str
    maps: tuple[Map, ...]
    chains: tuple[Chain, ...]

    def __str__(self) -> str:
        """As `nft list table` prints it."""
        lines = [f"table ip {self.name} {{"]
        for each in self.maps:
            lines += [
                f"\tmap {each.name} {{",
                f"\t\ttype {' . '.join(each.key)} : {' . '.join(each.value)}",
                "\t}",
                "",
            ]
        for chain in self.chains:
            lines.append(f"\tchain {chain.name} {{")
            if chain.hook:
                lines.append(f"\t\ttype {chain.type} hook {chain.hook} priority {chain.priority}; policy accept;")
            lines += ["\t\t" + " ".join(str(word) for word in rule) for rule in chain.rules]
            lines += ["\t}", ""]
        return "\n".join([*lines[:-1], "}"])


def transact(kernel: Netlink, batch: Sequence[Message]) -> None:
    """Have all of `batch` take effect, or nothing. Raises netlink.Refused."""
    begin, end = (Message(kind, struct.pack(">BBH", 0, 0, _SUBSYSTEM)) for kind in (16, 17))
    kernel.send(batch, transaction=(begin, end))


def connect() -> Netlink:
    """A socket to nf_tables. Raises OSError where the kernel has no nfnetlink."""
    return Netlink(NETFILTER)


def install(table: Table) -> list[Message]:
    """Make the table, or make an older one like it; the elements of maps and the user's chains stay."""
    batch = [_message(_NEWTABLE, [(1, text(table.name)), (2, be32(0))], CREATE)]
    batch += [_new_map(table.name, number, each) for number, each in enumerate(table.maps, 1)]
    batch += [_new_chain(table.name, chain) for chain in table.chains]
    for chain in table.chains:
        if chain.keep:
            continue
        batch.append(_message(_DELRULE, [(1, text(table.name)), (2, text(chain.name))]))
        batch += [new_rule(table.name, chain.name, rule) for rule in chain.rules]
    return batch


def remove(name: str) -> list[Message]:
    """Remove a table with all that is in it."""
    return [_message(_DELTABLE, [(1, text(name))])]


def new_rule(table: str, chain: str, words: Sequence[Word], *, first: bool = False, mark: bytes = b"") -> Message:
    """Append a rule, or put it first. `mark` is kept with it, so that it is found again."""
    attributes = [(1, text(table)), (2, text(chain)), (4 | 0x8000, encode_rule(words))]
    if mark:
        attributes.append((MARK, mark))
    return _message(_NEWRULE, attributes, CREATE | (0 if first else APPEND))


def add_elements(table: str, name: str, elements: Mapping[bytes, bytes]) -> Message:
    """Put elements into a map. They may be there already, but not with another value (EEXIST)."""
    entries: Attributes = [(1, [(1, [(1, key)]), (2, [(1, value)])]) for key, value in elements.items()]
    return _message(_NEWSETELEM, [(1, text(table)), (2, text(name)), (3, entries)], CREATE)


def delete_elements(table: str, name: str, keys: Sequence[bytes]) -> Message:
    """Take elements out of a map (ENOENT where one is absent)."""
    entries: Attributes = [(1, [(1, [(1, key)])]) for key in keys]
    return _message(_DELSETELEM, [(1, text(table)), (2, text(name)), (3, entries)])


def empty(table: str, name: str) -> Message:
    """Take all elements out of a map."""
    return _message(_DELSETELEM, [(1, text(table)), (2, text(name))])


def exists(kernel: Netlink, table: str) -> bool:
    """Is there a table of this name?"""
    try:
        kernel.get(_message(_GETTABLE, [(1, text(table))]))
    except netlink.Refused as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def chains(kernel: Netlink, table: str) -> dict[str, bool]:
    """The chains of a table by name, and whether each drops what no rule decides."""
    found = {}
    for _, body in kernel.dump(_message(_GETCHAIN, ())):
        attributes = netlink.decode(body[4:])
        if attributes.get(1) == text(table):
            found[attributes[3].rstrip(b"\0").decode()] = attributes.get(5) == be32(0)
    return found


def rules(kernel: Netlink, table: str, chain: str) -> list[dict[int, bytes]]:
    """The rules of a chain as attributes; the one numbered MARK is what was kept with it."""
    request = _message(_GETRULE, [(1, text(table)), (2, text(chain))])
    return [netlink.decode(body[4:]) for _, body in kernel.dump(request)]


def told(datagram: bytes) -> list[tuple[str, str]]:
    """What a notification of CHANGES is about: `table-gone` or `chain`, and the table's name."""
    found = []
    for kind, _, _, body in netlink.messages(datagram):
        subject = {_DELTABLE: "table-gone", _NEWCHAIN: "chain", _DELCHAIN: "chain", _DELRULE: "chain"}.get(
            kind & 0xFF
        )
        if subject and kind >> 8 == _SUBSYSTEM and body[:1] == bytes([_FAMILY_IP]):
            found.append((subject, netlink.decode(body[4:]).get(1, b"").rstrip(b"\0").decode(errors="replace")))
    return found


def _new_map(table: str, number: int, each: Map) -> Message:
    attributes: Attributes = [
        (1, text(table)),
        (2, text(each.name)),
        (3, be32(_MAP_FLAG)),
        *((kind, be32(value)) for kind, value in zip((4, 5), _concatenate(each.key), strict=True)),
        *((kind, be32(value)) for kind, value in zip((6, 7), _concatenate(each.value), strict=True)),
        (10, be32(number)),
    ]
    return _message(_NEWSET, attributes, CREATE)


def _concatenate(names: Sequence[str]) -> tuple[int, int]:
    """Type number and length of a concatenation: six bits a type, each part padded to four bytes."""
    kind = 0
    for name in names:
        kind = kind << 6 | _TYPES[name][0]
    return kind, 4 * len(names)


def _new_chain(table: str, chain: Chain) -> Message:
    attributes: list[tuple[int, bytes | Attributes]] = [(1, text(table)), (3, text(chain.name))]
    if chain.hook:
        hook = [(1, be32(_HOOKS[chain.hook])), (2, be32(_priority(chain.priority)))]
        attributes += [(4, hook), (5, be32(1)), (7, text(chain.type))]
    return _message(_NEWCHAIN, attributes, CREATE)


def _priority(name: str) -> int:
    return _PRIORITIES[name] if name in _PRIORITIES else int(name)


def _message(kind: int, attributes: Attributes, flags: int = 0) -> Message:
    head = struct.pack(">BBH", _FAMILY_IP, 0, 0)  # struct nfgenmsg
    return Message(_SUBSYSTEM << 8 | kind, head + encode(attributes), flags)
