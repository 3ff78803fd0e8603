"""Host ports against real sockets, on the loopback address and with high numbers."""

import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address

import pytest

from core.errors import InvalidArgument, Unsupported
from core.model.container import PortBinding
from core.network.ports import FREE_PORTS, HostPorts, PortTaken, Published, as_bindings

HERE = "127.0.0.1"
CONTAINER = IPv4Address("172.17.0.2")


def ask(port: str = "", host: str = HERE) -> tuple[PortBinding, ...]:
    return (PortBinding(host_ip=host, host_port=port),)


def release(published: list[Published]) -> None:
    for each in published:
        each.release()


@pytest.fixture
def other() -> Iterator[socket.socket]:
    """Another process's server."""
    with closing(socket.create_server((HERE, 0))) as server:
        yield server


def number(sock: socket.socket) -> str:
    return str(sock.getsockname()[1])


def test_a_published_port_is_nobody_elses() -> None:
    ports = HostPorts()
    [mine] = ports.publish({"80/tcp": ask()}, CONTAINER)
    taken = mine.forward.host_port
    assert taken in FREE_PORTS
    with pytest.raises(OSError, match="in use"):
        socket.create_server((HERE, taken))
    with pytest.raises(PortTaken, match=f"Bind for {HERE}:{taken} failed: port is already allocated"):
        ports.publish({"81/tcp": ask(str(taken))}, CONTAINER)
    mine.release()
    socket.create_server((HERE, taken)).close()


def test_a_port_of_another_process_is_refused_with_dockers_words(other: socket.socket) -> None:
    with pytest.raises(PortTaken) as raised:
        HostPorts().publish({"80/tcp": ask(number(other))}, CONTAINER)
    assert str(raised.value) == f"Bind for {HERE}:{number(other)} failed: port is already allocated"


def test_none_is_kept_where_one_is_refused(other: socket.socket) -> None:
    ports = HostPorts()
    [probe] = ports.publish({"80/tcp": ask()}, CONTAINER)
    first = str(probe.forward.host_port)
    probe.release()
    with pytest.raises(PortTaken):
        ports.publish({"80/tcp": ask(first), "81/tcp": ask(number(other))}, CONTAINER)
    release(ports.publish({"80/tcp": ask(first)}, CONTAINER))


def test_a_range_gives_its_first_free_port(other: socket.socket) -> None:
    first = int(number(other))
    [got] = HostPorts().publish({"80/tcp": ask(f"{first}-{first + 20}")}, CONTAINER)
    assert first < got.forward.host_port <= first + 20
    got.release()


def test_udp_and_tcp_do_not_clash() -> None:
    ports = HostPorts()
    tcp = ports.publish({"53/tcp": ask()}, CONTAINER)
    wanted = str(tcp[0].forward.host_port)
    udp = ports.publish({"53/udp": ask(wanted)}, CONTAINER)
    with pytest.raises(PortTaken):
        ports.publish({"54/udp": ask(wanted)}, CONTAINER)
    assert as_bindings([*tcp, *udp]) == {
        "53/tcp": (PortBinding(HERE, wanted),),
        "53/udp": (PortBinding(HERE, wanted),),
    }
    release([*tcp, *udp])


def test_any_address_is_shown_as_docker_shows_it() -> None:
    published = HostPorts().publish({"80/tcp": ask(host="")}, CONTAINER)
    assert as_bindings(published)["80/tcp"][0].host_ip == "0.0.0.0"
    release(published)


def test_what_ran_without_an_engine_stays_published(other: socket.socket) -> None:
    [lost] = HostPorts().restore({"80/tcp": ask(number(other))}, CONTAINER)
    assert lost.holder is None
    assert (lost.forward.host_port, lost.forward.container) == (int(number(other)), CONTAINER)
    [held] = HostPorts().restore({"80/tcp": ask(str(FREE_PORTS[-1]))}, CONTAINER)
    assert held.holder is not None
    held.release()


@pytest.mark.parametrize(
    ("host", "error", "text"),
    [
        ("::1", Unsupported, "publish on ::1: IPv6 is not supported yet"),
        ("300.1.1.1", InvalidArgument, "invalid IP address: 300.1.1.1"),
        ("198.51.100.7", PortTaken, "Bind for 198.51.100.7:8080 failed: cannot assign requested address"),
    ],
)
def test_addresses_that_cannot_be(host: str, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        HostPorts().publish({"80/tcp": ask("8080", host)}, CONTAINER)
    assert str(raised.value) == text
