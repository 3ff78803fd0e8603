"""Containers on the bridge, with published ports, through the API."""

from __future__ import annotations

import subprocess

import pytest

from core import errors
from tests.integration.conftest import EngineUnderTest, wait_until

pytestmark = pytest.mark.root


def in_namespace(engine: EngineUnderTest, *words: str) -> str:
    """Run a program of the host in the engine's network namespace; what it wrote."""
    command = ["nsenter", f"--net={engine.netns}", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout


def bridge(**host: object) -> dict[str, object]:
    return {"NetworkMode": "default", **host}


def test_a_container_on_the_bridge_has_an_address_and_says_so(engine: EngineUnderTest) -> None:
    ident = engine.run("sh", "-c", "ip -4 addr show eth0; ip route; cat /etc/hosts; sleep 60", host=bridge())
    settings = engine.inspect(ident)["NetworkSettings"]
    address, gateway = settings["IPAddress"], settings["Gateway"]
    assert settings["Networks"]["bridge"]["IPAddress"] == address
    text = in_namespace(engine, "/bin/busybox", "ping", "-c1", "-W5", address)
    assert "1 packets received" in text
    wait_until(lambda: f"{address}\t{ident[:12]}" in engine.logs(ident), "the container has said so")
    log = engine.logs(ident)
    assert f"inet {address}/16" in log
    assert f"default via {gateway}" in log
    network = engine.client.get("/networks/bridge")
    assert network["Containers"][ident]["IPv4Address"] == f"{address}/16"
    engine.client.delete(f"/containers/{ident}", {"force": "1"})
    assert engine.client.get("/networks/bridge")["Containers"] == {}


def test_a_published_port_leads_to_the_container_until_it_stops(engine: EngineUnderTest) -> None:
    host = bridge(PortBindings={"80/tcp": [{"HostPort": "18080"}]})
    script = "mkdir /w; echo hello > /w/index.html; httpd -f -p 80 -h /w"
    ident = engine.run("sh", "-c", script, host=host, ExposedPorts={"80/tcp": {}})
    (port,) = engine.client.get("/containers/json")[0]["Ports"]
    assert port == {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 18080, "Type": "tcp"}
    assert engine.inspect(ident)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"] == "18080"
    fetch = ["curl", "-s", "--retry", "20", "--retry-connrefused", "--retry-delay", "0", "http://127.0.0.1:18080/"]
    assert in_namespace(engine, *fetch) == "hello\n"

    second = engine.create("true", name="second", host=host)
    with pytest.raises(errors.EngineError) as caught:
        engine.client.post(f"/containers/{second}/start")
    text = str(caught.value)
    assert text.startswith("driver failed programming external connectivity on endpoint second (")
    assert text.endswith("): Bind for 0.0.0.0:18080 failed: port is already allocated")
    assert engine.state(second)["Status"] == "created"
    assert not engine.paths.task(second).exists(), "its shim, which came up meanwhile, has ended"

    engine.client.delete(f"/containers/{ident}", {"force": "1"})
    engine.client.post(f"/containers/{second}/start")
    assert engine.wait(second) == 0
    engine.client.delete(f"/containers/{second}")


def test_none_has_only_loopback_and_host_has_everything(engine: EngineUnderTest) -> None:
    assert engine.output("ls", "/sys/class/net").split() == ["lo"]
    bridge_name = engine.client.get("/networks/bridge")["Options"]["com.docker.network.bridge.name"]
    assert bridge_name in engine.output("ls", "/sys/class/net", host={"NetworkMode": "host"}).split()


def test_a_published_port_outlives_the_daemon(fresh_engine: EngineUnderTest) -> None:
    engine = fresh_engine
    host = bridge(PortBindings={"80/tcp": [{"HostPort": "18081"}]})
    script = "mkdir /w; echo hello > /w/index.html; httpd -f -p 80 -h /w"
    ident = engine.run("sh", "-c", script, host=host)
    fetch = ["curl", "-s", "--retry", "20", "--retry-connrefused", "--retry-delay", "0", "http://127.0.0.1:18081/"]
    assert in_namespace(engine, *fetch) == "hello\n"
    engine.kill_daemon()
    assert in_namespace(engine, *fetch) == "hello\n"
    second = engine.create("true", host=host)
    with pytest.raises(errors.EngineError, match="port is already allocated"):
        engine.client.post(f"/containers/{second}/start")
    third = engine.run("sleep", "60", host=bridge())
    addresses = [engine.inspect(each)["NetworkSettings"]["IPAddress"] for each in (ident, third)]
    assert addresses[0] and addresses[1] and addresses[0] != addresses[1]
