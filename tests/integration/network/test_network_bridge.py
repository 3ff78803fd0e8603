"""Containers' networks with real packets: between two machines made of network namespaces."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from network_machines import HOST, NEIGHBOUR, Machines, call, ip, run

pytestmark = pytest.mark.root

WEB, OTHER = "a" * 64, "b" * 64
PUBLISHED = {"80/tcp": [["", "8080"]]}
SHORT = 0.5  # patience where no answer is expected


def test_a_container_has_dockers_addresses(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    answer = networks.ask("attach", WEB, "bridge", {})
    endpoint = answer["endpoint"]
    assert (endpoint["IPAddress"], endpoint["IPPrefixLen"]) == ("172.17.0.2", 16)
    assert (endpoint["Gateway"], endpoint["MacAddress"]) == ("172.17.0.1", "02:42:ac:11:00:02")
    shown = run(answer["netns"], "ip", "-o", "addr")
    assert "inet 172.17.0.2/16 brd 172.17.255.255" in shown
    assert "inet6 fe80" not in shown
    links = run(answer["netns"], "ip", "link")
    assert "02:42:ac:11:00:02" in links
    assert "mtu 1500" in links
    assert "default via 172.17.0.1 dev eth0" in run(answer["netns"], "ip", "route")


def test_a_namespace_that_was_made_ahead_serves_the_next_container(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    assert networks.ask("ahead", 0) == {"made": 0}, "nobody has used the bridge"
    networks.ask("attach", WEB, "bridge", {})
    assert networks.ask("ahead", 2) == {"made": 2}
    other = networks.ask("attach", OTHER, "bridge", {})
    assert networks.ask("ahead", 3) == {"made": 3}, "one for the container after this"
    assert networks.ask("ahead", 3) == {"made": 3}
    shown = run(other["netns"], "ip", "-o", "addr")
    assert "inet 172.17.0.3/16" in shown and "lo    inet 127.0.0.1/8" in shown


def test_published_port_from_everywhere(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    web = networks.ask("attach", WEB, "bridge", PUBLISHED)
    other = networks.ask("attach", OTHER, "bridge", {})
    assert web["endpoint"]["Ports"] == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
    machines.serve(web["netns"], 80)
    assert call(machines.lan, HOST, 8080) == NEIGHBOUR  # the client's own address, not ours
    assert call(machines.host, "127.0.0.1", 8080) == "172.17.0.1"
    assert call(machines.host, HOST, 8080) in (HOST, "172.17.0.1")
    assert call(other["netns"], "172.17.0.2", 80) == "172.17.0.3"
    assert call(other["netns"], HOST, 8080) == "172.17.0.1"  # hairpin
    assert call(web["netns"], HOST, 8080) == "172.17.0.1"  # to itself by way of the host


def test_a_container_reaches_outside_as_the_host(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    web = networks.ask("attach", WEB, "bridge", {})
    machines.serve(machines.lan, 7000)
    assert call(web["netns"], NEIGHBOUR, 7000) == HOST


def test_what_is_not_published_is_closed_to_the_neighbour(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    web = networks.ask("attach", WEB, "bridge", {"80/tcp": [["127.0.0.1", "8080"]]})
    machines.serve(web["netns"], 80)
    machines.serve(web["netns"], 81)
    assert call(machines.host, "127.0.0.1", 8080) == "172.17.0.1"
    ip("-n", machines.lan, "route", "add", "172.17.0.0/16", "via", HOST)
    assert call(machines.lan, "172.17.0.2", 81, patience=SHORT) == ""
    assert call(machines.lan, "172.17.0.2", 80, patience=SHORT) == ""
    assert call(machines.lan, HOST, 8080, patience=SHORT) == ""
    # The neighbour sends packets for 127.0.0.1 over the wire.
    run(machines.lan, "sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    ip("-n", machines.lan, "addr", "del", "127.0.0.1/8", "dev", "lo")
    ip("-n", machines.lan, "route", "add", "127.0.0.0/8", "via", HOST, "src", NEIGHBOUR)
    assert call(machines.lan, "127.0.0.1", 8080, patience=SHORT) == ""


def test_taken_ports(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    networks.ask("attach", WEB, "bridge", PUBLISHED)
    error = networks.ask("attach", OTHER, "bridge", PUBLISHED)["error"]
    assert error["message"].startswith("driver failed programming external connectivity on endpoint web (")
    assert error["message"].endswith("): Bind for 0.0.0.0:8080 failed: port is already allocated")
    machines.serve(machines.host, 9090)
    error = networks.ask("attach", OTHER, "bridge", {"80/tcp": [["", "9090"]]})["error"]
    assert "Bind for 0.0.0.0:9090 failed: port is already allocated" in error["message"]
    again = networks.ask("attach", OTHER, "bridge", {"80/tcp": [["", "8081"]]})
    assert again["endpoint"]["IPAddress"] == "172.17.0.3"  # the refused attempts gave theirs back


def _left(machines: Machines) -> tuple[list[str], str]:
    rules = run(machines.host, "nft", "list", "ruleset") if shutil.which("nft") else ""
    links = [line.split()[0] for line in ip("-n", machines.host, "-br", "link").splitlines()]
    return links, rules


def test_detach_leaves_nothing(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    before = _left(machines)
    assert "onggi0" in before[0]
    networks.ask("attach", WEB, "bridge", {**PUBLISHED, "53/udp": [["127.0.0.1", "5353"]]})
    assert _left(machines) != before
    networks.ask("detach", WEB)
    networks.ask("detach", WEB)  # the second time it waits for the kernel
    assert _left(machines) == before
    machines.serve(machines.host, 8080)


def test_a_udp_peer_that_never_pauses_is_led_anew(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    talker = machines.talk_udp(HOST, 5353)
    assert talker() == ""  # nobody there: the kernel remembers where this flow goes
    published = {"53/udp": [["", "5353"]]}
    web = networks.ask("attach", WEB, "bridge", published)
    machines.serve_udp(web["netns"], 53, "web")
    assert talker() == "web"
    networks.ask("attach", "c" * 64, "bridge", {})
    networks.ask("detach", WEB)
    assert networks.ask("attach", "d" * 64, "bridge", {})["endpoint"]["IPAddress"] == "172.17.0.2"
    other = networks.ask("attach", OTHER, "bridge", published)
    machines.serve_udp(other["netns"], 53, "other")
    assert talker() == "other"


def test_an_address_is_given_again_at_once(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    machines.serve(machines.host, 7000)
    networks.ask("attach", WEB, "bridge", PUBLISHED)
    for ident in (OTHER, WEB, OTHER):
        networks.ask("detach", WEB if ident == OTHER else OTHER)
        answer = networks.ask("attach", ident, "bridge", PUBLISHED)
        assert answer["endpoint"]["IPAddress"] == "172.17.0.2"
        assert call(answer["netns"], "172.17.0.1", 7000) == "172.17.0.2"


def test_none_and_host(machines: Machines) -> None:
    networks = machines.networks()  # neither needs the bridge: not started
    none = networks.ask("attach", WEB, "none", {})
    assert (none["netns"], none["endpoint"]["Network"]) == (None, "none")
    host = networks.ask("attach", OTHER, "host", {})
    assert (host["netns"], host["endpoint"]["Network"]) == (None, "host")
    error = networks.ask("attach", "c" * 64, "bridge", {})["error"]
    assert error["message"] == "the bridge network is not set up"


def _answers(machines: Machines, want: str, seconds: float = 5.0) -> bool:
    """Does the published port answer so before long?"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if call(machines.lan, HOST, 8080, patience=SHORT) == want:
            return True
    return False


@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft")
def test_flushed_rules_come_back(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    web = networks.ask("attach", WEB, "bridge", PUBLISHED)
    machines.serve(web["netns"], 80)
    run(machines.host, "nft", "flush", "ruleset")
    assert _answers(machines, NEIGHBOUR)
    # A flush while no engine runs: the next one makes them again.
    run(machines.host, "nft", "flush", "ruleset")
    networks.ask("readopt", str(networks.root), WEB)
    assert call(machines.lan, HOST, 8080) == NEIGHBOUR


@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft")
def test_the_kernel_has_the_plan(machines: Machines) -> None:
    machines.networks().ask("start")
    golden = Path(__file__).parents[2] / "golden" / "network" / "bridge.nft"
    plan = golden.read_text().replace("onggi3 {", "onggi {").replace("onggi3", "onggi0").replace("172.20", "172.17")
    assert run(machines.host, "nft", "list", "table", "ip", "onggi") == plan


@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft")
def test_the_administrators_chain_is_asked_first_and_kept(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    web = networks.ask("attach", WEB, "bridge", PUBLISHED)
    machines.serve(web["netns"], 80)
    run(machines.host, "nft", "add rule ip onggi user ip saddr 192.0.2.2 drop")
    assert call(machines.lan, HOST, 8080, patience=SHORT) == ""
    networks.ask("readopt", str(networks.root), WEB)
    assert call(machines.lan, HOST, 8080, patience=SHORT) == ""
    assert call(machines.host, "127.0.0.1", 8080) == "172.17.0.1"


def test_the_next_engine_takes_over(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    web = networks.ask("attach", WEB, "bridge", PUBLISHED)
    networks.ask("attach", OTHER, "bridge", {"81/tcp": [["", "8081"]]})
    machines.serve(web["netns"], 80)
    networks.ask("readopt", str(networks.root), WEB)  # OTHER is nobody's now
    links = ip("-n", machines.host, "-br", "link")
    assert f"on-{WEB[:11]}" in links
    assert f"on-{OTHER[:11]}" not in links
    assert call(machines.lan, HOST, 8080) == NEIGHBOUR
    third = networks.ask("attach", "c" * 64, "bridge", {"81/tcp": [["", "8081"]]})
    assert third["endpoint"]["IPAddress"] == "172.17.0.3"
    error = networks.ask("attach", "d" * 64, "bridge", PUBLISHED)["error"]
    assert "port is already allocated" in error["message"]


def test_who_comes_before_the_firewall_is_up_waits_for_it(machines: Machines) -> None:
    networks = machines.networks()
    web = networks.ask("hurry", WEB, PUBLISHED)
    machines.serve(web["netns"], 80)
    assert call(machines.lan, HOST, 8080) == NEIGHBOUR


@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft")
def test_a_container_that_ends_while_the_next_engine_begins_leaves_nothing(machines: Machines) -> None:
    networks = machines.networks()
    networks.ask("start")
    before = _left(machines)
    networks.ask("attach", WEB, "bridge", PUBLISHED)
    networks.ask("relieve", str(networks.root), WEB)
    networks.ask("detach", WEB)  # waits for the kernel
    assert _left(machines) == before


def test_two_engines_on_one_host(machines: Machines) -> None:
    one, two = machines.networks("one"), machines.networks("two")
    first, second = (engine.ask("start")["networks"][0] for engine in (one, two))
    assert (first["Interface"], first["Subnet"]) == ("onggi0", "172.17.0.0/16")
    assert (second["Interface"], second["Subnet"]) == ("onggi1", "172.18.0.0/16")
    web = two.ask("attach", WEB, "bridge", PUBLISHED)
    machines.serve(web["netns"], 80)
    assert call(machines.lan, HOST, 8080) == NEIGHBOUR
    error = one.ask("attach", OTHER, "bridge", PUBLISHED)["error"]
    assert "port is already allocated" in error["message"]
    client = one.ask("attach", OTHER, "bridge", {})
    assert call(client["netns"], "172.18.0.2", 80, patience=SHORT) == ""
    two.end()
    again = machines.networks("two").ask("start")["networks"][0]
    assert (again["Interface"], again["Id"]) == ("onggi1", second["Id"])


def test_bridges_of_engines_that_are_no_more_are_taken_away(machines: Machines, tmp_path: Path) -> None:
    owners = {"onggi0": "onggi:/nowhere/empty", "onggi1": "onggi:/nowhere/used", "onggi2": f"onggi:{tmp_path}"}
    for name, owner in owners.items():
        ip("-n", machines.host, "link", "add", name, "type", "bridge")
        ip("-n", machines.host, "link", "set", name, "alias", owner)
    ip("-n", machines.host, "link", "add", "port", "type", "veth", "peer", "name", "other")
    ip("-n", machines.host, "link", "set", "port", "master", "onggi1")
    answer: dict[str, Any] = machines.networks().ask("start")
    assert answer["networks"][0]["Interface"] == "onggi0"  # anew
    left = ip("-n", machines.host, "link", "show", "type", "bridge")
    assert "/nowhere/empty" not in left
    assert "/nowhere/used" in left
    assert str(tmp_path) in left


def test_subnets_of_the_host_are_left_alone(machines: Machines) -> None:
    ip("-n", machines.host, "link", "add", "docker0", "type", "bridge")
    ip("-n", machines.host, "addr", "add", "172.17.0.1/16", "dev", "docker0")
    ip("-n", machines.host, "route", "add", "172.18.4.0/24", "via", NEIGHBOUR)
    answer: dict[str, Any] = machines.networks().ask("start")
    assert answer["networks"][0]["Subnet"] == "172.19.0.0/16"


@pytest.mark.parametrize(
    ("program", "said"), [("iptables-nft", "iptables"), ("iptables-legacy", "iptables-legacy")]
)
def test_beside_a_firewall_that_drops(machines: Machines, program: str, said: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    run(machines.host, program, "-P", "FORWARD", "DROP")
    networks = machines.networks()
    [warning] = networks.ask("start")["warnings"]
    assert f"{said} -I FORWARD -i onggi0 -j ACCEPT" in warning
    web = networks.ask("attach", WEB, "bridge", PUBLISHED)
    machines.serve(web["netns"], 80)
    assert call(machines.lan, HOST, 8080, patience=SHORT) == ""
    # Docker arrives: its chain for exceptions gets ours.
    run(machines.host, program, "-N", "DOCKER-USER")
    run(machines.host, program, "-I", "FORWARD", "-j", "DOCKER-USER")
    legacy = program == "iptables-legacy"
    if not legacy:  # whose changes nobody is told of: the next start of anything sees them
        assert _answers(machines, NEIGHBOUR)
    assert networks.ask("readopt", str(networks.root), WEB)["warnings"] == []
    assert _answers(machines, NEIGHBOUR)
    rules = run(machines.host, program, "-S", "DOCKER-USER")
    assert [rules.count(f"-{way} onggi0") for way in "oi"] == [1, 3]
    assert rules.count('--comment "onggi:onggi0"') == (0 if legacy else 4)
