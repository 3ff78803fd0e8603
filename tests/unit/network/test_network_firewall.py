"""The ruleset as text: who reads this test reads what may pass."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from core.network import coexist, netlink, nftables
from core.network.firewall import ANYWHERE, Forward, ruleset, table_name
from core.network.nftwords import DnatByMap, Interface, Verdict, encode_rule

GOLDEN = Path(__file__).parents[2] / "golden" / "network" / "bridge.nft"


def test_plan() -> None:
    assert str(ruleset("onggi3", IPv4Network("172.20.0.0/16"))) + "\n" == GOLDEN.read_text()


def test_every_engine_has_its_table() -> None:
    assert [table_name(name) for name in ("onggi0", "onggi1")] == ["onggi", "onggi1"]


def test_install_leaves_the_users_chain_and_the_elements_alone() -> None:
    table = ruleset("onggi0", IPv4Network("172.17.0.0/16"))
    flushed = [
        netlink.decode(message.body[4:])[2].rstrip(b"\0").decode()
        for message in nftables.install(table)
        if message.kind & 0xFF == 8
    ]
    assert flushed == [chain.name for chain in table.chains if chain.name != "user"]


@pytest.mark.parametrize(
    ("host", "where", "key"),
    [
        (ANYWHERE, "published", "06000000 1f900000"),
        (IPv4Address("127.0.0.1"), "published-on", "7f000001 06000000 1f900000"),
    ],
)
def test_a_published_port_is_one_element(host: IPv4Address, where: str, key: str) -> None:
    forward = Forward("tcp", host, 8080, IPv4Address("172.17.0.2"), 80)
    assert forward.map == where
    assert forward.key == bytes.fromhex(key)
    assert forward.value == bytes.fromhex("ac110002 00500000")


def test_a_key_lies_in_registers_one_after_the_other() -> None:
    loads = DnatByMap("m", with_address=True).expressions()[:3]
    registers = [int.from_bytes(dict(attributes)[1], "big") for _, attributes in loads]
    assert registers == [8, 9, 10]


def test_a_rule_is_its_expressions() -> None:
    rule = encode_rule([Interface("iif", "docker*"), Verdict("return")])
    names = [netlink.decode(element)[1] for _, element in netlink.walk(rule)]
    assert names == [b"meta\0", b"cmp\0", b"immediate\0"]
    assert b"docker\0\0" in rule  # six bytes compared: the two are padding


def test_beside_docker_its_own_networks_stay_closed_to_us() -> None:
    shown = [" ".join(str(word) for word in rule) for rule in coexist.exceptions("onggi0")]
    assert shown == [
        'oifname "onggi0" accept',
        'iifname "onggi0" oifname "docker*" return',
        'iifname "onggi0" oifname "br-*" return',
        'iifname "onggi0" accept',
    ]
