"""netlink's forms: what is encoded reads back, and what is no message ends the reading."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from core.network import links, netlink, nftables

values = st.binary(max_size=40)
flat = st.lists(st.tuples(st.integers(1, 0x3FFF), values), max_size=8)


@given(flat)
def test_attributes_read_back(attributes: list[tuple[int, bytes]]) -> None:
    data = netlink.encode(attributes)
    assert len(data) % 4 == 0
    assert list(netlink.walk(data)) == attributes


def test_nested_attributes_carry_their_flag() -> None:
    data = netlink.encode([(5, [(1, b"abc")])])
    assert data == struct.pack("=HH", 12, 0x8005) + struct.pack("=HH", 7, 1) + b"abc\0"
    assert netlink.decode(netlink.decode(data)[5]) == {1: b"abc"}


@given(st.binary(max_size=200))
def test_any_bytes_end(data: bytes) -> None:
    list(netlink.walk(data))
    list(netlink.messages(data))
    nftables.told(data)


def test_a_veth_is_one_message_with_both_ends() -> None:
    message = links.new_veth("on-a", 7, peer="eth0", netns_fd=9, mac="02:42:ac:11:00:02", mtu=1500)
    attributes = netlink.decode(message.body[16:])
    assert attributes[10] == netlink.u32(7)
    data = netlink.decode(netlink.decode(attributes[18])[2])
    peer = netlink.decode(data[1][16:])
    assert peer == {
        1: bytes.fromhex("0242ac110002"),
        3: b"eth0\0",
        4: netlink.u32(1500),
        28: netlink.u32(9),
    }
