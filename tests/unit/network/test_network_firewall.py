"""The ruleset as text: who reads this test reads what may pass."""

import struct
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from core.network import coexist, netlink, nftables, pyroute
from core.network.firewall import ANYWHERE, Forward, ruleset, table_name
from core.network.nftwords import DnatByMap, ForThisHost, Interface, Verdict

GOLDEN = Path(__file__).parents[2] / "golden" / "network" / "bridge.nft"


def test_plan() -> None:
    assert str(ruleset("onggi3", IPv4Network("172.20.0.0/16"))) + "\n" == GOLDEN.read_text()


def test_every_engine_has_its_table() -> None:
    assert [table_name(name) for name in ("onggi0", "onggi1")] == ["onggi", "onggi1"]


def test_install_leaves_the_users_chain_and_the_elements_alone() -> None:
    table = ruleset("onggi0", IPv4Network("172.17.0.0/16"))
    flushed = [
        dict(message.attributes)["NFTA_RULE_CHAIN"]
        for message in nftables.install(table)
        if message.kind == "NFT_MSG_DELRULE"
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
    loads = [dict(load["attrs"]) for load in DnatByMap("m", with_address=True).expressions()[:3]]
    data = [dict(load["NFTA_EXPR_DATA"]["attrs"]) for load in loads]
    registers = [data[0]["NFTA_PAYLOAD_DREG"], data[1]["NFTA_META_DREG"], data[2]["NFTA_PAYLOAD_DREG"]]
    assert registers == [8, 9, 10]


def test_a_rule_is_its_expressions() -> None:
    message = nftables.new_rule("t", "c", [Interface("iif", "docker*"), Verdict("return")], comment="onggi:onggi0")
    data = pyroute.encode(message, 1, netlink.REQUEST)
    rule = pyroute.decode("NFT_MSG_NEWRULE", data)
    names = [each.get_attr("NFTA_EXPR_NAME") for each in rule.get_attr("NFTA_RULE_EXPRESSIONS")]
    assert names == ["meta", "cmp", "immediate"]
    assert b"\x0a\0\1\0docker\0\0" in data  # six bytes compared: the two are padding
    assert b"\0\x0donggi:onggi0\0" in data  # a comment as nft(8) shows it: type, length, text


def test_the_packets_type_is_compared_as_the_kernel_numbers_it() -> None:
    # pyroute2 takes NFT_FIB_RESULT_ADDRTYPE (3) for a set of bits.
    rule = nftables.new_rule("t", "c", [ForThisHost()])
    assert struct.pack("=HH", 8, 2) + struct.pack(">I", 3) in pyroute.encode(rule, 1, 0)


def test_beside_docker_its_own_networks_stay_closed_to_us() -> None:
    shown = [" ".join(str(word) for word in rule) for rule in coexist.exceptions("onggi0")]
    assert shown == [
        'oifname "onggi0" accept',
        'iifname "onggi0" oifname "docker*" return',
        'iifname "onggi0" oifname "br-*" return',
        'iifname "onggi0" accept',
    ]
