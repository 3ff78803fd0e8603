"""netlink's forms: what is encoded reads back, and what is no message ends the reading."""

import errno
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.network import links, netlink, nftables, pyroute
from core.network.pyroute import Message, nest

names = st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1, max_size=15)
keys = st.binary(min_size=8, max_size=12)


@given(names, st.dictionaries(keys, st.binary(min_size=8, max_size=8), max_size=8))
def test_elements_read_back(name: str, elements: dict[bytes, bytes]) -> None:
    data = pyroute.encode(nftables.add_elements("onggi", name, elements), 7, netlink.REQUEST)
    assert len(data) % 4 == 0
    [(kind, flags, sequence, whole)] = netlink.messages(data)
    assert (kind, flags, sequence, whole) == (10 << 8 | 12, netlink.CREATE | netlink.REQUEST, 7, data)
    message = pyroute.decode("NFT_MSG_NEWSETELEM", data)
    assert message.get_attr("NFTA_SET_ELEM_LIST_SET") == name
    entries = message.get_attr("NFTA_SET_ELEM_LIST_ELEMENTS") or []
    halves = [
        [entry.get_attr(f"NFTA_SET_ELEM_{half}").get_attr("NFTA_DATA_VALUE") for half in ("KEY", "DATA")]
        for entry in entries
    ]
    assert dict(halves) == elements


def test_a_message_is_encoded_again_alike() -> None:
    message = links.new_veth("on-a", 7, peer="eth0", netns_fd=9, mac="02:42:ac:11:00:02", mtu=1500)
    assert pyroute.encode(message, 1, 0) == pyroute.encode(message, 1, 0)


def test_nested_attributes_lie_within() -> None:
    info = nest(("IFLA_INFO_KIND", "ab"))
    data = pyroute.encode(Message("RTM_NEWLINK", [("IFLA_LINKINFO", info)]), 1, 0)
    assert data[32:] == struct.pack("=HH", 12, 18) + struct.pack("=HH", 7, 1) + b"ab\0\0"


@given(st.binary(max_size=200))
def test_any_bytes_end(data: bytes) -> None:
    list(netlink.messages(data))
    nftables.told(data)


@given(st.sampled_from([2, 3, 4, 5, 8]), st.binary(max_size=120))
def test_any_notification_ends(kind: int, body: bytes) -> None:
    nftables.told(struct.pack("=IHHII", 16 + len(body), 10 << 8 | kind, 0, 0, 0) + body)


def test_a_notification_tells_what_is_gone() -> None:
    batch = [nftables.remove("onggi")[0], nftables.new_rule("onggi", "user", ())]
    datagram = b"".join(pyroute.encode(message, 0, 0) for message in batch)
    assert nftables.told(datagram) == [("table-gone", "onggi")]


def test_what_is_no_message_is_an_error() -> None:
    with pytest.raises(OSError) as caught:
        pyroute.decode("RTM_NEWLINK", b"\0" * 17)
    assert caught.value.errno == errno.EBADMSG


def test_a_veth_is_one_message_with_both_ends() -> None:
    message = links.new_veth("on-a", 7, peer="eth0", netns_fd=9, mac="02:42:ac:11:00:02", mtu=1500)
    found = pyroute.decode("RTM_NEWLINK", pyroute.encode(message, 1, 0))
    assert found.get_attr("IFLA_MASTER") == 7
    data = found.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_DATA")
    peer = data.get_attr("VETH_INFO_PEER")
    assert {each[0]: each[1] for each in peer["attrs"]} == {
        "IFLA_ADDRESS": "02:42:ac:11:00:02",
        "IFLA_IFNAME": "eth0",
        "IFLA_MTU": 1500,
        "IFLA_NET_NS_FD": 9,
    }


def test_only_the_messages_of_the_library_are_loaded() -> None:
    """The whole of it costs 90 ms and 12 MB; who wants it afterwards gets it nevertheless."""
    script = (
        "import sys; from core.network import manager, pyroute; assert 'pyroute2.netlink' not in sys.modules\n"
        "pyroute.number('RTM_NEWLINK'); assert 'pyroute2.netlink.nlsocket' not in sys.modules\n"
        "pyroute.number('NFT_MSG_NEWRULE'); pyroute.number('IPCTNL_MSG_CT_GET')\n"
        "assert not {'pyroute2.ndb', 'pyroute2.iproute', 'pyroute2'} & set(sys.modules)\n"
        "import pyroute2; assert pyroute2.IPRoute"
    )
    subprocess.run([sys.executable, "-I", "-W", "error", "-c", script], check=True)
