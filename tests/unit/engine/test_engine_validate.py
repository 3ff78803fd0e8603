"""What a create request may ask for, and Docker's words when it may not."""

from __future__ import annotations

import msgspec
import pytest

from core import errors
from core.engine import validate
from core.engine.limits import HostCpus, check_resources, parse_cpu_list
from core.model.container import (
    ContainerConfig,
    DeviceMapping,
    HostConfig,
    LogConfig,
    PortBinding,
    RestartPolicy,
    Ulimit,
)

TWO = HostCpus(2, frozenset({0, 1}))
MIB = 1024 * 1024


@pytest.mark.parametrize("name", ["web", "/web", "a1", "A.b_c-d", "0ab"])
def test_good_names(name: str) -> None:
    assert validate.check_name(name) == name.removeprefix("/")


@pytest.mark.parametrize("name", ["", "a", "-a", "_a", "a b", "a/b", "../x", "ä1", "a\n", "//a1", "x" * 256])
def test_bad_names(name: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=r"only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed"):
        validate.check_name(name)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"memory": 1 * MIB}, "Minimum memory limit allowed is 6MB"),
        ({"memory": -1}, "Minimum memory limit allowed is 6MB"),
        (
            {"memory_swap": 10 * MIB},
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        ),
        (
            {"memory": 20 * MIB, "memory_swap": 10 * MIB},
            "Minimum memoryswap limit should be larger than memory limit, see usage",
        ),
        ({"memory_reservation": 1 * MIB}, "Minimum memory reservation allowed is 6MB"),
        (
            {"memory": 8 * MIB, "memory_reservation": 9 * MIB},
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ),
        (
            {"nano_cpus": 99 * 10**9},
            "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
        ),
        ({"nano_cpus": 1}, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
        (
            {"nano_cpus": 10**9, "cpu_period": 1000},
            "Conflicting options: Nano CPUs and CPU Period cannot both be set",
        ),
        (
            {"nano_cpus": 10**9, "cpu_quota": 1000},
            "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
        ),
        (
            {"cpu_period": 999},
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ),
        ({"cpu_quota": 999}, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
        ({"cpuset_cpus": "2"}, "Requested CPUs are not available - requested 2, available: 0,1"),
        ({"cpuset_cpus": "0-18446744073709551615"}, "Invalid value 0-18446744073709551615 for cpuset cpus"),
        ({"cpuset_cpus": "a"}, "Invalid value a for cpuset cpus"),
        ({"cpuset_mems": "1-0"}, "Invalid value 1-0 for cpuset mems"),
        ({"shm_size": -1}, "SHM size can not be less than 0"),
        ({"oom_score_adj": 1001}, "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
    ],
)
def test_limits_that_cannot_be(members: dict[str, int], words: str) -> None:
    host = msgspec.structs.replace(HostConfig(), **members)
    with pytest.raises(errors.InvalidArgument) as caught:
        check_resources(host, TWO)
    assert str(caught.value) == words


def test_limits_that_can_be() -> None:
    check_resources(HostConfig(), TWO)
    check_resources(
        HostConfig(memory=6 * MIB, memory_swap=-1, nano_cpus=5 * 10**8, cpuset_cpus="0-1", pids_limit=-1), TWO
    )
    assert parse_cpu_list("0-2,7") == {0, 1, 2, 7}


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (RestartPolicy("on-failur"), "invalid restart policy 'on-failur'"),
        (RestartPolicy("always", 3), "maximum retry count cannot be used with restart policy 'always'"),
        (RestartPolicy("on-failure", -1), "maximum retry count cannot be negative"),
    ],
)
def test_restart_policies_that_cannot_be(policy: RestartPolicy, words: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        validate.check_host(HostConfig(restart_policy=policy))
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (
            HostConfig(auto_remove=True, restart_policy=RestartPolicy("always")),
            "can't create 'AutoRemove' container with restart policy",
        ),
        (HostConfig(cap_add=("FOO",)), 'invalid CapAdd: unknown capability: "CAP_FOO"'),
        (HostConfig(cap_drop=("CAP_FOO",)), 'invalid CapDrop: unknown capability: "CAP_FOO"'),
        (HostConfig(dns=("x",)), "invalid IP address: x"),
        (HostConfig(dns_search=("a\nnameserver 6.6.6.6",)), "invalid DNS option: 'a\\nnameserver 6.6.6.6'"),
        (HostConfig(extra_hosts=("a",)), 'bad format for add-host: "a"'),
        (HostConfig(extra_hosts=("a:b",)), 'invalid IP address in add-host: "b"'),
        (HostConfig(extra_hosts=("a\nb:1.2.3.4",)), 'bad format for add-host: "a\nb:1.2.3.4"'),
        (
            HostConfig(sysctls={"kernel.core_pattern": "|/x"}),
            "invalid sysctl 'kernel.core_pattern': not one that belongs to a container alone",
        ),
        (HostConfig(ulimits=(Ulimit("files", 1, 2),)), "invalid ulimit type: files"),
        (
            HostConfig(ulimits=(Ulimit("nofile", 3, 2),)),
            "ulimit soft limit must be less than or equal to hard limit: 3 > 2",
        ),
        (HostConfig(log_config=LogConfig("syslog")), 'logger: no log driver named "syslog" is registered'),
        (HostConfig(devices=(DeviceMapping("/dev/null", "/x", "q"),)), "invalid device mode: q"),
        (HostConfig(devices=(DeviceMapping("null"),)), "invalid device path: 'null'"),
        (HostConfig(port_bindings={"0": (PortBinding(),)}), 'invalid port specification: "0"'),
        (HostConfig(pid_mode="x"), "invalid PID mode: x"),
    ],
)
def test_host_configurations_that_cannot_be(host: HostConfig, words: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        validate.check_host(host)
    assert str(caught.value) == words


def test_what_is_not_there_yet_says_so() -> None:
    with pytest.raises(errors.InvalidArgument, match="network mine not found"):
        validate.check_host(HostConfig(network_mode="mine"))
    with pytest.raises(errors.Unsupported):
        validate.check_host(HostConfig(network_mode="container:x"))


@pytest.mark.parametrize(
    "config",
    [
        ContainerConfig(env=("=x",)),
        ContainerConfig(env=("A=\0",)),
        ContainerConfig(cmd=("a\0b",)),
        ContainerConfig(cmd=("x" * 200_000,)),
        ContainerConfig(working_dir="tmp"),
        ContainerConfig(hostname="a\nb"),
        ContainerConfig(domainname="a b"),
        ContainerConfig(stop_signal="SIGNOPE"),
        ContainerConfig(exposed_ports={"x": {}}),
    ],
)
def test_configurations_that_cannot_be(config: ContainerConfig) -> None:
    with pytest.raises(errors.InvalidArgument):
        validate.check_config(config)


def test_a_usual_request_passes() -> None:
    validate.check_config(
        ContainerConfig("busybox", ("sh",), env=("A=b", "UNSET"), working_dir="/tmp", exposed_ports={"80/tcp": {}})
    )
    validate.check_host(
        HostConfig(
            binds=("/tmp:/x:ro", "data:/data"),
            extra_hosts=("a:1.2.3.4", "b=::1", "c:host-gateway"),
            sysctls={"net.ipv4.ip_forward": "1"},
            cap_add=("all", "net_admin", "CAP_SYS_TIME"),
        )
    )
