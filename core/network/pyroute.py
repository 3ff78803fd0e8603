"""The kernel's messages by pyroute2's names. The only file that imports pyroute2, and it does so late.

A `Message` is plain data, so that a plan can be made, printed and compared without the library; its classes turn
it into bytes and the kernel's answers back. Its sockets are not used: with AsyncIPRoute a container takes a third
longer, and the loop stands still while the kernel works, which it does inside sendmsg(2).
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

Attributes = Sequence[tuple[str, Any]]

_NETLINK = "pyroute2.netlink"
# Where the numbers are, where the class is, its name; and the messages that are of it.
_SOURCES = {
    ("rtnl", "rtnl.ifinfmsg", "ifinfmsg"): "RTM_NEWLINK RTM_DELLINK RTM_GETLINK",
    ("rtnl", "rtnl.ifaddrmsg", "ifaddrmsg"): "RTM_NEWADDR RTM_GETADDR",
    ("rtnl", "rtnl.rtmsg", "rtmsg"): "RTM_NEWROUTE RTM_GETROUTE",
    ("nfnetlink.nftsocket",) * 2 + ("nft_table_msg",): "NFT_MSG_NEWTABLE NFT_MSG_GETTABLE NFT_MSG_DELTABLE",
    ("nfnetlink.nftsocket",) * 2 + ("nft_chain_msg",): "NFT_MSG_NEWCHAIN NFT_MSG_GETCHAIN NFT_MSG_DELCHAIN",
    ("nfnetlink.nftsocket",) * 2 + ("nft_rule_msg",): "NFT_MSG_NEWRULE NFT_MSG_GETRULE NFT_MSG_DELRULE",
    ("nfnetlink.nftsocket",) * 2 + ("nft_set_msg",): "NFT_MSG_NEWSET",
    ("nfnetlink.nftsocket",) * 2 + ("nft_set_elem_list_msg",): "NFT_MSG_NEWSETELEM NFT_MSG_DELSETELEM",
    ("nfnetlink.nfctsocket",) * 2 + ("nfct_msg",): "IPCTNL_MSG_CT_GET IPCTNL_MSG_CT_DELETE",
}
_FORMS = {kind: source for source, kinds in _SOURCES.items() for kind in kinds.split()}
_SUBSYSTEMS = {"NFT": "NFNL_SUBSYS_NFTABLES", "IPCTNL": "NFNL_SUBSYS_CTNETLINK"}
_BATCH = {
    "NFNL_MSG_BATCH_BEGIN": 16,
    "NFNL_MSG_BATCH_END": 17,
}  # linux/netfilter/nfnetlink.h; pyroute2 has no names

_forms: dict[str, tuple[int, Any]] = {}
_lock = threading.RLock()


@dataclass(frozen=True, slots=True)
class Message:
    """One request: pyroute2's name for it, the fields of its fixed head, its attributes, its nlmsg_flags."""

    kind: str
    attributes: Attributes = ()
    fields: Mapping[str, int] = field(default_factory=dict)
    flags: int = 0


def nest(*attributes: tuple[str, Any], **fields: int) -> dict[str, Any]:
    """The value of an attribute that holds others."""
    return {**fields, "attrs": list(attributes)}


def preload() -> None:
    """Load what links, addresses and routes need: 10 ms, for a thread that has nothing else to do."""
    _form("RTM_NEWLINK")


def number(kind: str) -> int:
    """A message's nlmsg_type."""
    return _form(kind)[0]


def encode(message: Message, sequence: int, flags: int) -> bytes:
    """The message with its header, as sendmsg(2) takes it; the length is a multiple of four."""
    kind, form = _form(message.kind)
    letter = form()
    letter.update(message.fields)
    letter["attrs"] = list(message.attributes)
    letter["header"].update(type=kind, flags=message.flags | flags, sequence_number=sequence)
    letter.encode()
    return bytes(letter.data)


def decode(kind: str, data: bytes) -> Any:
    """A message of the kernel as pyroute2 has it: a dict of the fields, `get_attr(name)` for the attributes.

    Raises OSError (EBADMSG) for what is none.
    """
    try:
        letter = _form(kind)[1](data)
        letter.decode()
    except Exception as error:  # whatever the library stumbles over
        raise OSError(errno.EBADMSG, f"cannot read {kind}", str(error)) from error
    return letter


def decode_error(data: bytes) -> tuple[int, str]:
    """errno and the kernel's own words (extended ack), "" where it has none; errno 0 = done."""
    letter = _module("").nlmsgerr(data)
    letter.decode()
    words = letter.get_attr("NLMSGERR_ATTR_MSG")
    return -letter["error"], words.lower() if isinstance(words, str) else ""


def _form(kind: str) -> tuple[int, Any]:
    """The number and the class of a message."""
    found = _forms.get(kind)
    if found is None:
        with _lock:
            found = _forms[kind] = _find(kind)
    return found


def _find(kind: str) -> tuple[int, Any]:
    if kind in _BATCH:
        return _BATCH[kind], _module("nfnetlink").nfgen_msg
    names, module, form = _FORMS[kind]
    subsystem = _SUBSYSTEMS.get(kind.partition("_")[0])
    high = getattr(_module("nfnetlink"), subsystem) << 8 if subsystem else 0
    return high | getattr(_module(names), kind), getattr(_module(module), form)


def _module(name: str) -> ModuleType:
    """A part of pyroute2.netlink, loaded at its first use."""
    with _lock:
        full = f"{_NETLINK}.{name}".rstrip(".")
        loaded = sys.modules.get(full)
        if loaded is None:
            with _hollow_root():
                loaded = importlib.import_module(full)
        return loaded


@contextlib.contextmanager
def _hollow_root() -> Iterator[None]:
    """Import from pyroute2 without its `__init__`, which loads all there is: 90 ms and 12 MB, of which the
    messages are a third. Whoever imports pyroute2 later gets the whole of it."""
    spec = importlib.util.find_spec("pyroute2")
    if spec is None or "pyroute2" in sys.modules:
        yield
        return
    hollow = sys.modules["pyroute2"] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        if sys.modules.get("pyroute2") is hollow:
            del sys.modules["pyroute2"]
