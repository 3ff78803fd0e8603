"""Addresses: nobody's twice, nothing outside the subnet, and deterministic."""

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Unavailable
from core.network import ipam

SMALL = IPv4Network("10.0.0.0/27")


def test_first_container_gets_the_second_address() -> None:
    addresses = ipam.Addresses(IPv4Network("172.17.0.0/16"))
    assert addresses.gateway == IPv4Address("172.17.0.1")
    assert [str(addresses.allocate()) for _ in range(3)] == ["172.17.0.2", "172.17.0.3", "172.17.0.4"]


def test_mac_address_is_dockers() -> None:
    assert ipam.mac_address(IPv4Address("172.17.0.2")) == "02:42:ac:11:00:02"


def test_full_subnet_says_so() -> None:
    addresses = ipam.Addresses(IPv4Network("10.0.0.0/30"))
    assert addresses.allocate() == IPv4Address("10.0.0.2")
    with pytest.raises(Unavailable, match=r"no free one is left in 10\.0\.0\.0/30"):
        addresses.allocate()


def test_gateway_and_foreign_addresses_cannot_be_reserved() -> None:
    addresses = ipam.Addresses(SMALL)
    assert not addresses.reserve(SMALL[1])
    assert not addresses.reserve(IPv4Address("10.0.1.2"))
    addresses.release(SMALL[1])
    assert addresses.allocate() == SMALL[2]


@given(st.lists(st.one_of(st.just("allocate"), st.integers(0, 31), st.integers(-32, -1))))
def test_addresses_are_given_once(steps: list[str | int]) -> None:
    """Random allocations, reservations (n) and releases (-n) against a set kept beside."""
    addresses = ipam.Addresses(SMALL)
    ours: set[IPv4Address] = set()
    hosts = set(SMALL.hosts()) - {SMALL[1]}
    for step in steps:
        if isinstance(step, int) and step < 0:
            addresses.release(SMALL[-step - 1])
            ours.discard(SMALL[-step - 1])
        elif isinstance(step, int):
            wanted = SMALL[step]
            if addresses.reserve(wanted):
                assert wanted not in ours
                ours.add(wanted)
        elif hosts - ours:
            address = addresses.allocate()
            assert address == min(hosts - ours)
            ours.add(address)


@given(st.lists(st.sampled_from(ipam.POOLS), unique=True))
def test_free_subnet_is_the_first_pool_left(taken: list[IPv4Network]) -> None:
    left = [pool for pool in ipam.POOLS if pool not in taken]
    if left:
        assert ipam.free_subnet(taken) == left[0]
    else:
        with pytest.raises(Unavailable):
            ipam.free_subnet(taken)


def test_free_subnet_minds_parts_and_wholes() -> None:
    part, whole = IPv4Network("172.17.5.0/24"), IPv4Network("172.18.0.0/15")
    assert ipam.free_subnet([part, whole]) == IPv4Network("172.20.0.0/16")


def test_the_subnet_of_last_time_is_preferred_while_it_is_free() -> None:
    preferred = IPv4Network("172.25.0.0/16")
    assert ipam.free_subnet([], preferred=preferred) == preferred
    assert ipam.free_subnet([preferred], preferred=preferred) == ipam.POOLS[0]
