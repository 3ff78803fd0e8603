"""What a container's first process finds itself in, seen from inside."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import EngineError, InitFailed, InvalidSpec
from core.oci.runtime import ConsoleSize, Device, Mount, Namespace, Rlimit, Root, Spec, User
from core.runtime import spec_defaults as defaults
from core.runtime.create import SECCOMP_ANNOTATION
from core.runtime.default_profile import default_seccomp
from core.runtime.filter import compile_seccomp
from tests.support.containers import KINDS, Sandbox, docker_like

pytestmark = pytest.mark.root


def status(text: str) -> dict[str, str]:
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def with_linux(spec: Spec, **members: object) -> Spec:
    return replace(spec, linux=replace(spec.linux, **members))  # type: ignore[arg-type]


def test_the_process_is_confined_as_docker_confines_it(sandbox: Sandbox) -> None:
    program = sandbox.folder / "filter.bpf"
    program.write_bytes(compile_seccomp(default_seccomp(defaults.CAPABILITIES), os.uname().machine))
    spec = replace(docker_like("cat", "/proc/self/status"), annotations={SECCOMP_ANNOTATION: str(program)})
    found = status(sandbox.run(spec).output)
    for name in ("CapEff", "CapPrm", "CapBnd"):
        assert found[name] == "00000000a80425fb"
    for name in ("CapInh", "CapAmb", "SigIgn", "SigBlk", "SigPnd"):
        assert int(found[name], 16) == 0
    assert (found["Seccomp"], found["Seccomp_filters"], found["NoNewPrivs"]) == ("2", "1", "0")
    assert (found["Pid"], found["PPid"], found["TracerPid"]) == ("1", "0", "0")
    assert found["Umask"] == "0022"


def test_seccomp_refuses_what_docker_refuses(sandbox: Sandbox) -> None:
    spec = with_linux(
        docker_like("sh", "-c", "unshare -m true; mount -t tmpfs x /tmp; dmesg; echo over"),
        seccomp=default_seccomp(defaults.CAPABILITIES),
    )
    output = sandbox.run(spec).output
    assert output.count("ermi") == 3  # "not permitted" or "permission denied", as the applets say it
    assert output.endswith("over\n")


def test_no_new_privileges_is_kept_with_seccomp(sandbox: Sandbox) -> None:
    spec = docker_like("cat", "/proc/self/status", no_new_privileges=True, user=User(1000, 1000))
    found = status(sandbox.run(with_linux(spec, seccomp=default_seccomp(defaults.CAPABILITIES))).output)
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


def test_only_the_three_streams_are_open(sandbox: Sandbox) -> None:
    assert sandbox.run(docker_like("sh", "-c", "ls /proc/1/fd; true")).output.split() == ["0", "1", "2"]


def test_every_namespace_is_its_own(sandbox: Sandbox) -> None:
    names = ("mnt", "uts", "ipc", "net", "pid", "cgroup")
    output = sandbox.run(docker_like("sh", "-c", f"for n in {' '.join(names)}; do readlink /proc/self/ns/$n; done"))
    own = [str(Path(f"/proc/self/ns/{name}").readlink()) for name in names]
    found = output.output.split()
    assert len(found) == 6
    assert not set(found) & set(own)


def test_a_namespace_that_is_not_listed_is_shared(sandbox: Sandbox) -> None:
    spec = with_linux(
        docker_like("sh", "-c", "readlink /proc/self/ns/net; readlink /proc/self/ns/uts"),
        namespaces=tuple(Namespace(kind) for kind in KINDS if kind not in ("network", "uts")),
    )
    output = sandbox.run(replace(spec, hostname="")).output
    assert output.split() == [str(Path("/proc/self/ns/net").readlink()), str(Path("/proc/self/ns/uts").readlink())]


def test_a_given_network_namespace_is_joined(sandbox: Sandbox) -> None:
    spec = with_linux(
        docker_like("readlink", "/proc/self/ns/net"),
        namespaces=tuple(Namespace(kind, "/proc/self/ns/net" if kind == "network" else "") for kind in KINDS),
    )
    assert sandbox.run(spec).output.strip() == str(Path("/proc/self/ns/net").readlink())


def test_a_new_network_namespace_has_its_loopback_up(sandbox: Sandbox) -> None:
    lines = sandbox.run(docker_like("ip", "-o", "addr")).output.splitlines()
    assert [line.split()[1:4] for line in lines if " inet " in line] == [["lo", "inet", "127.0.0.1/8"]]


def test_mounts_are_dockers(sandbox: Sandbox) -> None:
    lines = sandbox.run(docker_like("cat", "/proc/mounts")).output.splitlines()
    mounts = {line.split()[1]: line.split() for line in lines}
    options = {target: set(fields[3].split(",")) for target, fields in mounts.items()}
    assert mounts["/"][2] == "overlay"
    assert {"nosuid", "noexec", "nodev", "rw"} <= options["/proc"]
    assert mounts["/dev"][2] == "tmpfs"
    assert {"nosuid", "size=65536k", "mode=755"} <= options["/dev"]
    assert {"nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"} <= options["/dev/pts"]
    assert {"ro", "nosuid", "noexec", "nodev"} <= options["/sys"]
    assert {"nosuid", "noexec", "nodev", "size=65536k"} <= options["/dev/shm"]
    for path in filter(os.path.exists, defaults.READONLY_PATHS):
        assert {"ro", "nosuid", "noexec", "nodev"} <= options[path]
    assert {"ro", "relatime"} <= options["/sys/firmware"]
    assert "/proc/kcore" in mounts or not Path("/proc/kcore").exists()
    assert "/proc/keys" in mounts or not Path("/proc/keys").exists()


def test_masked_files_are_the_hosts_null_device(sandbox: Sandbox) -> None:
    output = sandbox.run(
        docker_like("sh", "-c", "stat -c %t:%T /proc/interrupts; cat /proc/interrupts; ls /sys/firmware")
    )
    assert output.output == "1:3\n"


def test_kernel_parameters_are_read_only_and_dev_is_not(sandbox: Sandbox) -> None:
    script = "echo 1 > /proc/sys/kernel/panic; : > /dev/null && echo x > /dev/shm/y && echo fine"
    output = sandbox.run(docker_like("sh", "-c", script)).output
    assert output.count("Read-only file system") == 1
    assert output.endswith("fine\n")


def test_devices_and_links(sandbox: Sandbox) -> None:
    output = sandbox.run(
        docker_like(
            "sh", "-c", "cd /dev; stat -c '%n %a %t:%T' null tty; for l in fd ptmx core; do readlink $l; done; ls"
        )
    ).output
    assert output.splitlines()[:5] == ["null 666 1:3", "tty 666 5:0", "/proc/self/fd", "pts/ptmx", "/proc/kcore"]
    assert "console" not in output


def test_an_added_device_has_its_mode_and_owner(sandbox: Sandbox) -> None:
    spec = docker_like("stat", "-c", "%a %u %g %t:%T", "/dev/net/tun")
    spec = with_linux(spec, devices=(*spec.linux.devices, Device("/dev/net/tun", "c", 10, 200, 0o640, 3, 4)))
    assert sandbox.run(spec).output == "640 3 4 a:c8\n"


def test_a_terminal_is_one_of_the_containers_own(sandbox: Sandbox) -> None:
    script = "tty; stty size; stat -c '%u %t:%T' /dev/console; sleep 0 < /dev/tty && echo controlling"
    spec = docker_like("sh", "-c", script, terminal=True, console_size=ConsoleSize(33, 101), user=User(1000, 1000))
    assert sandbox.run(spec).output.split("\r\n")[:4] == ["/dev/pts/0", "33 101", "1000 88:0", "controlling"]


def test_a_user_has_no_capabilities_and_only_its_groups(sandbox: Sandbox) -> None:
    spec = docker_like("sh", "-c", "id; cat /proc/self/status", user=User(1234, 2345, None, (2345, 7)))
    output = sandbox.run(spec).output
    found = status(output)
    assert output.startswith("uid=1234 gid=2345 groups=7,2345\n")
    assert (found["CapEff"], found["CapPrm"]) == ("0000000000000000", "0000000000000000")
    assert found["CapBnd"] == "00000000a80425fb"


@pytest.mark.parametrize(
    ("program", "code", "message"),
    [
        ("nope", 127, 'exec: "nope": executable file not found in $PATH'),
        ("/nope", 127, 'exec: "/nope": stat /nope: no such file or directory'),
        ("/etc", 126, 'exec: "/etc": is a directory'),
        ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
        ("/etc/passwd/x", 127, 'exec: "/etc/passwd/x": not a directory'),
    ],
)
def test_a_program_that_cannot_run(sandbox: Sandbox, program: str, code: int, message: str) -> None:
    with pytest.raises(InitFailed) as caught:
        sandbox.run(docker_like(program))
    assert (str(caught.value), caught.value.exit_code) == (message, code)


def test_a_program_of_another_format(hostile: Sandbox) -> None:
    (hostile.lower / "bin/odd").write_bytes(b"\x7fnot a program")
    (hostile.lower / "bin/odd").chmod(0o755)
    with pytest.raises(InitFailed) as caught:
        hostile.run(docker_like("/bin/odd"))
    assert (str(caught.value), caught.value.exit_code) == ('exec: "/bin/odd": exec format error', 126)


def test_the_exit_code_and_signal_come_through(sandbox: Sandbox) -> None:
    assert sandbox.run(docker_like("sh", "-c", "exit 42")).code == 42
    # pid 1 is deaf to signals of its own namespace, so a child shows that the default disposition is in force
    assert (
        sandbox.run(docker_like("sh", "-c", "(kill -PIPE $(exec sh -c 'echo $PPID'); echo lived); echo $?")).output
        == "141\n"
    )


def test_the_working_folder_is_made(sandbox: Sandbox) -> None:
    spec = docker_like("sh", "-c", "pwd; stat -c '%a %u' .", cwd="/a/b")
    assert sandbox.run(spec).output == "/a/b\n755 0\n"


def test_a_read_only_root(sandbox: Sandbox) -> None:
    spec = replace(
        docker_like("sh", "-c", "echo x > /x; echo y > /dev/shm/y && echo fine"), root=Root("rootfs", True)
    )
    output = sandbox.run(spec).output
    assert "Read-only file system" in output
    assert output.endswith("fine\n")


def test_binds_of_files_and_folders(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/inner").write_text("inner\n")
    (tmp_path / "file").write_text("file\n")
    spec = docker_like(
        "sh", "-c", "cat /new/place/inner /etc/new/file; echo x > /new/place/y; echo z > /etc/new/file; echo end"
    )
    spec = replace(
        spec,
        mounts=(
            *spec.mounts,
            Mount("/new/place", "bind", str(tmp_path / "data"), ("rbind", "rprivate", "ro")),
            Mount("/etc/new/file", "bind", str(tmp_path / "file"), ("rbind", "rprivate")),
        ),
    )
    output = sandbox.run(spec).output
    assert output.startswith("inner\nfile\n")
    assert output.count("Read-only file system") == 1
    assert (tmp_path / "file").read_text() == "z\n"


def test_a_missing_bind_source_says_so(sandbox: Sandbox) -> None:
    spec = docker_like("true")
    spec = replace(spec, mounts=(*spec.mounts, Mount("/x", "bind", "/no/such/source", ("rbind",))))
    with pytest.raises(InitFailed, match="mount /no/such/source at /x: no such file or directory"):
        sandbox.run(spec)


def test_limits_are_set_as_far_as_they_may_be(sandbox: Sandbox) -> None:
    limits = (
        Rlimit("RLIMIT_NOFILE", 512, 1024),
        Rlimit("RLIMIT_CORE", 0, 0),
        Rlimit("RLIMIT_NPROC", 1 << 40, 1 << 40),
    )
    output = sandbox.run(docker_like("sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -c", rlimits=limits)).output
    assert output.split() == ["512", "1024", "0"]


def test_kernel_parameters_of_own_namespaces_are_set(sandbox: Sandbox) -> None:
    spec = docker_like("cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/kernel/shm_rmid_forced")
    spec = with_linux(spec, sysctl={"net.ipv4.ip_unprivileged_port_start": "80", "kernel.shm_rmid_forced": "1"})
    assert sandbox.run(spec).output == "80\n1\n"


def test_a_lower_oom_score_degrades_and_a_higher_one_holds(sandbox: Sandbox) -> None:
    assert sandbox.run(docker_like("cat", "/proc/self/oom_score_adj", oom_score_adj=300)).output == "300\n"
    assert sandbox.run(docker_like("true", oom_score_adj=-900)).code == 0


def test_environment_is_exactly_what_was_asked(sandbox: Sandbox) -> None:
    spec = docker_like("env", env=("PATH=/bin", "A=1=2", "한=글", "EMPTY=", "nonsense"))
    lines = [line for line in sandbox.run(spec).output.splitlines() if not line.startswith(("SHLVL", "PWD"))]
    assert sorted(lines) == ["A=1=2", "EMPTY=", "PATH=/bin", "한=글"]


def test_a_spec_that_asks_for_the_hosts_mounts_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(InvalidSpec, match="needs a new mount namespace"):
        sandbox.run(with_linux(docker_like("true"), namespaces=(Namespace("pid"),)))


def test_failures_leave_no_process_behind(sandbox: Sandbox) -> None:
    before = len(list(Path("/proc").glob(f"{os.getpid()}/task/*/children")))
    with pytest.raises(EngineError):
        sandbox.run(docker_like("nope"))
    assert len(list(Path("/proc").glob(f"{os.getpid()}/task/*/children"))) == before


def test_what_a_user_reads_is_one_short_line(sandbox: Sandbox) -> None:
    spec = docker_like("true")
    spec = replace(spec, mounts=(*spec.mounts, Mount("/" + "y" * 3000, "bind", "/etc", ("bind",))))
    with pytest.raises(InitFailed, match="name too long") as caught:
        sandbox.run(spec)
    assert len(str(caught.value)) < 400
