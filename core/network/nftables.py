"""nf_tables over netlink: tables, chains, maps, rules and elements as messages. linux/netfilter/nf_tables.h."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.network import netlink, pyroute
from core.network.netlink import APPEND, CREATE, NETFILTER, Netlink
from core.network.nftwords import Word, expressions
from core.network.pyroute import Attributes, Message, nest

CHANGES = 7  # NFNLGRP_NFTABLES, the multicast group of every change

_SUBSYSTEM = 10
_FAMILY_IP = 2
_ACCEPT, _DROP = 1, 0
_HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
_PRIORITIES = {"raw": -300, "dstnat": -100, "filter": 0, "srcnat": 100}
_TYPES = {"ipv4_addr": 7, "inet_proto": 12, "inet_service": 13}  # nft's own numbers


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
    kinds = ("NFNL_MSG_BATCH_BEGIN", "NFNL_MSG_BATCH_END")
    begin, end = (Message(kind, fields={"res_id": _SUBSYSTEM}) for kind in kinds)
    kernel.send(batch, transaction=(begin, end))


def connect() -> Netlink:
    """A socket to nf_tables. Raises OSError where the kernel has no nfnetlink."""
    return Netlink(NETFILTER)


def install(table: Table) -> list[Message]:
    """Make the table, or make an older one like it; the elements of maps and the user's chains stay."""
    batch = [_message("NEWTABLE", [("NFTA_TABLE_NAME", table.name), ("NFTA_TABLE_FLAGS", 0)], CREATE)]
    batch += [_new_map(table.name, number, each) for number, each in enumerate(table.maps, 1)]
    batch += [_new_chain(table.name, chain) for chain in table.chains]
    for chain in table.chains:
        if chain.keep:
            continue
        batch.append(_message("DELRULE", _in_chain(table.name, chain.name)))
        batch += [new_rule(table.name, chain.name, rule) for rule in chain.rules]
    return batch


def remove(name: str) -> list[Message]:
    """Remove a table with all that is in it."""
    return [_message("DELTABLE", [("NFTA_TABLE_NAME", name)])]


def new_rule(table: str, chain: str, words: Sequence[Word], *, first: bool = False, comment: str = "") -> Message:
    """Append a rule, or put it first. `comment` is kept with it, so that it is found again."""
    attributes = [*_in_chain(table, chain), ("NFTA_RULE_EXPRESSIONS", expressions(words))]
    if comment:
        attributes.append(("NFTA_RULE_USERDATA", comment))
    return _message("NEWRULE", attributes, CREATE | (0 if first else APPEND))


def add_elements(table: str, name: str, elements: Mapping[bytes, bytes]) -> Message:
    """Put elements into a map. They may be there already, but not with another value (EEXIST)."""
    entries = [
        nest(
            ("NFTA_SET_ELEM_KEY", nest(("NFTA_DATA_VALUE", key))),
            ("NFTA_SET_ELEM_DATA", nest(("NFTA_DATA_VALUE", value))),
        )
        for key, value in elements.items()
    ]
    return _message("NEWSETELEM", [*_in_map(table, name), ("NFTA_SET_ELEM_LIST_ELEMENTS", entries)], CREATE)


def delete_elements(table: str, name: str, keys: Sequence[bytes]) -> Message:
    """Take elements out of a map (ENOENT where one is absent)."""
    entries = [nest(("NFTA_SET_ELEM_KEY", nest(("NFTA_DATA_VALUE", key)))) for key in keys]
    return _message("DELSETELEM", [*_in_map(table, name), ("NFTA_SET_ELEM_LIST_ELEMENTS", entries)])


def empty(table: str, name: str) -> Message:
    """Take all elements out of a map."""
    return _message("DELSETELEM", _in_map(table, name))


def exists(kernel: Netlink, table: str) -> bool:
    """Is there a table of this name?"""
    try:
        kernel.get(_message("GETTABLE", [("NFTA_TABLE_NAME", table)]))
    except netlink.Refused as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def chains(kernel: Netlink, table: str) -> dict[str, bool]:
    """The chains of a table by name, and whether each drops what no rule decides."""
    return {
        chain.get_attr("NFTA_CHAIN_NAME"): chain.get_attr("NFTA_CHAIN_POLICY") == _DROP
        for chain in kernel.dump(_message("GETCHAIN"))
        if chain.get_attr("NFTA_CHAIN_TABLE") == table
    }


def rules(kernel: Netlink, table: str, chain: str) -> list[bytes]:
    """The rules of a chain as the kernel keeps them: other programs' expressions are nothing we could read."""
    return kernel.dump_raw(_message("GETRULE", _in_chain(table, chain)))


_SUBJECTS = {
    "NFT_MSG_DELTABLE": ("table-gone", "NFTA_TABLE_NAME"),
    "NFT_MSG_NEWCHAIN": ("chain", "NFTA_CHAIN_TABLE"),
    "NFT_MSG_DELCHAIN": ("chain", "NFTA_CHAIN_TABLE"),
    "NFT_MSG_DELRULE": ("chain", "NFTA_RULE_TABLE"),
}


def told(datagram: bytes) -> list[tuple[str, str]]:
    """What a notification of CHANGES is about: `table-gone` or `chain`, and the table's name."""
    found = []
    kinds = {pyroute.number(kind): kind for kind in _SUBJECTS}
    for number, _, _, data in netlink.messages(datagram):
        kind = kinds.get(number)
        if kind is None:
            continue
        subject, name = _SUBJECTS[kind]
        try:
            change = pyroute.decode(kind, data)
        except OSError:
            continue
        if change["nfgen_family"] == _FAMILY_IP:
            found.append((subject, str(change.get_attr(name))))
    return found


def _new_map(table: str, number: int, each: Map) -> Message:
    (key, key_length), (value, value_length) = _concatenate(each.key), _concatenate(each.value)
    attributes = (
        ("NFTA_SET_TABLE", table),
        ("NFTA_SET_NAME", each.name),
        ("NFTA_SET_FLAGS", ("NFT_SET_MAP",)),
        ("NFTA_SET_KEY_TYPE", key),
        ("NFTA_SET_KEY_LEN", key_length),
        ("NFTA_SET_DATA_TYPE", value),
        ("NFTA_SET_DATA_LEN", value_length),
        ("NFTA_SET_ID", number),
    )
    return _message("NEWSET", attributes, CREATE)


def _concatenate(names: Sequence[str]) -> tuple[int, int]:
    """Type number and length of a concatenation: six bits a type, each part padded to four bytes."""
    kind = 0
    for name in names:
        kind = kind << 6 | _TYPES[name]
    return kind, 4 * len(names)


def _new_chain(table: str, chain: Chain) -> Message:
    attributes: list[tuple[str, object]] = [("NFTA_CHAIN_TABLE", table), ("NFTA_CHAIN_NAME", chain.name)]
    if chain.hook:
        priority = ("NFTA_HOOK_PRIORITY", _priority(chain.priority))
        hook = nest(("NFTA_HOOK_HOOKNUM", _HOOKS[chain.hook]), priority)
        attributes += [
            ("NFTA_CHAIN_HOOK", hook),
            ("NFTA_CHAIN_POLICY", _ACCEPT),
            ("NFTA_CHAIN_TYPE", chain.type),
        ]
    return _message("NEWCHAIN", attributes, CREATE)


def _priority(name: str) -> int:
    return _PRIORITIES[name] if name in _PRIORITIES else int(name)


def _in_chain(table: str, chain: str) -> list[tuple[str, object]]:
    return [("NFTA_RULE_TABLE", table), ("NFTA_RULE_CHAIN", chain)]


def _in_map(table: str, name: str) -> list[tuple[str, object]]:
    return [("NFTA_SET_ELEM_LIST_TABLE", table), ("NFTA_SET_ELEM_LIST_SET", name)]


def _message(kind: str, attributes: Attributes = (), flags: int = 0) -> Message:
    return Message(f"NFT_MSG_{kind}", attributes, {"nfgen_family": _FAMILY_IP}, flags)
