"""Everything that is no terminal: lists, lifecycle, images in and out, ports, restarts, volumes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest, wait_until

pytestmark = pytest.mark.root

QUIET = ("--network", "none")
DAEMON = "Error response from daemon: "


def run(cli: Cli, name: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """A container in the background; its id."""
    return cli.ok("run", *QUIET, "-d", "--name", name, *options, "busybox", *(command or ("sleep", "1000")))


def state(cli: Cli, name: str, template: str) -> str:
    return cli.ok("inspect", "-f", "{{" + template + "}}", name)


def test_the_version_is_one_line_and_knows_both_sides(cli: Cli) -> None:
    assert cli.ok("-v") == "onggi version 0.1.0"
    text = cli.ok("version")
    assert (
        text.startswith("Client:\n Version:           0.1.0\n") and "\nServer: onggi\n Engine:\n  Version: " in text
    )
    assert cli.ok("version", "-f", "{{.Client.Version}} {{.Server.Version}}") == "0.1.0 0.1.0"
    assert " Cgroup Version: " in cli.ok("info")


def test_ps_lists_newest_first_in_dockers_columns(cli: Cli) -> None:
    one = run(cli, "one")
    two = cli.ok("create", *QUIET, "--name", "two", "busybox", "sh", "-c", "echo a long command line")
    table = cli.ok("ps", "-a").splitlines()
    assert re.split(r"\s{2,}", table[0]) == [
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ]
    second = re.split(r"\s{2,}", table[1])
    assert (second[0], second[1], second[2], second[-1]) == (two[:12], "busybox", '"sh -c \'echo a long …"', "two")
    assert "Created" in table[1] and re.search(r"Up (Less than a second|\d+ seconds?|1 second)", table[2])
    assert cli.ok("ps", "-a", "-q").split() == [two[:12], one[:12]]
    assert cli.ok("ps", "-q", "--no-trunc") == one
    assert cli.ok("ps", "-l", "--format", "{{.Names}}") == "two"
    assert cli.ok("ps", "-n", "1", "-q") == two[:12]
    assert cli.ok("ps", "-a", "-f", "status=created", "--format", "table {{.Names}}\\t{{.Status}}") == (
        "NAMES     STATUS\ntwo       Created"
    )
    assert json.loads(cli.ok("ps", "--format", "json"))["Names"] == "one"
    assert cli.ok("container", "ls", "-aq") == cli.ok("ps", "-aq")
    refused = cli("ps", "-f", "status=nope")
    assert refused.code == 1 and refused.err.startswith(DAEMON) and "nope" in refused.err


def test_ten_stop_in_the_time_of_one(cli: Cli) -> None:
    names = [f"s{number}" for number in range(10)]
    for name in names:
        run(cli, name)
    started = time.monotonic()
    done = cli("stop", "-t", "1", *names)
    assert (done.code, done.lines) == (0, names)
    assert time.monotonic() - started < 8  # one after the other takes ten seconds and more
    assert {state(cli, name, ".State.ExitCode") for name in names} == {"137"}


def test_a_program_that_listens_is_stopped_by_its_signal(cli: Cli) -> None:
    run(cli, "t1", "sh", "-c", "trap 'exit 9' TERM; echo up; sleep 1000 & wait")
    wait_until(lambda: cli.ok("logs", "t1") == "up", "the trap is set")
    assert cli.ok("stop", "t1") == "t1"
    assert state(cli, "t1", ".State.ExitCode") == "9"
    assert cli.ok("stop", "t1") == "t1"  # it has ended: nothing to do is no failure


def test_one_line_for_each_and_1_when_any_failed(cli: Cli) -> None:
    run(cli, "aa")
    ident = run(cli, "bb")
    cli.ok("stop", "-t", "0", "aa")
    done = cli("rm", "aa", "bb", "nope")
    assert (done.code, done.lines) == (1, ["aa"])
    assert done.err.splitlines() == [
        f"{DAEMON}You cannot remove a running container {ident}. "
        "Stop the container before attempting removal or force remove",
        f"{DAEMON}No such container: nope",
    ]
    done = cli("rm", "-f", "bb", "nope")
    assert (done.code, done.lines, done.first_error) == (0, ["bb"], f"{DAEMON}No such container: nope")
    assert cli("stop").first_error == "onggi: 'onggi stop' requires at least 1 argument"


def test_kill_restart_pause_rename_wait(cli: Cli) -> None:
    ident = run(cli, "k1")
    assert cli.ok("pause", "k1") == "k1"
    assert "(Paused)" in cli.ok("ps")
    assert cli("pause", "k1").code == 1
    assert cli.ok("unpause", "k1") == "k1"
    assert cli("unpause", "k1").first_error == f"{DAEMON}Container {ident} is not paused"
    assert cli.ok("rename", "k1", "k2") == ""
    assert cli.ok("restart", "-t", "0", "k2") == "k2"
    assert cli.ok("start", "k2") == "k2"  # it runs: nothing to do
    assert cli("kill", "-s", "NOPE", "k2").first_error == f"{DAEMON}Invalid signal: NOPE"
    assert cli.ok("kill", "k2") == "k2"
    assert cli.ok("wait", "k2") == "137"
    assert "is not running" in cli("kill", "k2").first_error
    done = cli("wait", "k2", "nope")
    assert (done.code, done.out) == (1, "137\n")
    assert cli("attach", "k2").err == "You cannot attach to a stopped container, start it first\n"


def test_logs(cli: Cli) -> None:
    cli(
        "run",
        *QUIET,
        "--name",
        "l1",
        "busybox",
        "sh",
        "-c",
        "echo one; sleep 0.05; echo two >&2; sleep 0.05; echo three",
    )
    done = cli("logs", "l1")
    assert (done.code, done.out, done.err) == (0, "one\nthree\n", "two\n")
    assert cli("logs", "-n", "1", "l1").out == "three\n"
    assert cli("logs", "--tail", "0", "l1").out == ""
    assert cli("logs", "--since", "1h", "l1").out == "one\nthree\n"
    assert cli("logs", "--until", "1h", "l1").out == ""
    stamped = cli("logs", "-t", "l1").lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z one", stamped[0])
    assert cli("logs", "nope").err == f"{DAEMON}No such container: nope\n"


def test_logs_follow_until_the_end(cli: Cli) -> None:
    run(cli, "l1", "sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.1; done")
    assert cli.ok("logs", "-f", "l1") == "line 1\nline 2\nline 3"


def test_logs_of_several_as_one(cli: Cli) -> None:
    script = "for i in 1 2 3; do echo INFO {0} $i; sleep 0.1; done; echo ERROR {0} >&2; echo '  at' {0} >&2"
    run(cli, "la", "sh", "-c", script.format("a"))
    run(cli, "longer", "sh", "-c", "sleep 0.05; " + script.format("b"))
    for name in ("la", "longer"):
        cli.ok("wait", name)
    lines = cli.ok("logs", "la", "longer").splitlines()
    assert sorted(lines) == [
        *(f"la     | INFO a {n}" for n in (1, 2, 3)),
        *(f"longer | INFO b {n}" for n in (1, 2, 3)),
    ]
    stamps = [line.split(" | ")[1].split()[0] for line in cli.ok("logs", "-f", "-t", "la", "longer").splitlines()]
    assert stamps == sorted(stamps) and len(stamps) == 6
    assert cli("logs", "--stream", "stderr", "la").err == "ERROR a\n  at a\n"
    done = cli("logs", "--level", "error", "--no-log-prefix", "la", "longer")
    assert (done.out, sorted(done.err.splitlines())) == ("", ["  at a", "  at b", "ERROR a", "ERROR b"])
    assert cli.ok("logs", "--grep", "[ab] [13]", "--exclude", "b", "-n", "5", "la") == "INFO a 1\nINFO a 3"
    assert cli("logs", "--grep", "(", "la").code == 125
    assert cli("logs", "la", "nope").first_error == "Error response from daemon: No such container: nope"


def test_a_pattern_that_never_ends_is_given_up(cli: Cli) -> None:
    run(cli, "l1", "sh", "-c", f"echo {'a' * 64}b")
    cli.ok("wait", "l1")
    done = cli("logs", "--grep", "(a+)+$", "l1")
    assert (done.code, done.err) == (1, "match lines: the pattern takes too long; try a simpler one\n")


def test_inspect(cli: Cli) -> None:
    ident = run(cli, "i1", options=("-e", "A=b", "-l", "x=y", "-m", "64m"))
    found = json.loads(cli.ok("inspect", "i1"))
    assert (found[0]["Id"], found[0]["Name"]) == (ident, "/i1")
    assert state(cli, "i1", ".State.Running") == "true"
    assert state(cli, "i1", "json .Config.Labels") == '{"x":"y"}'
    assert state(cli, "i1", ".HostConfig.Memory") == str(64 << 20)
    assert "A=b" in cli.ok("inspect", "-f", "{{range .Config.Env}}{{println .}}{{end}}", "i1")
    done = cli("inspect", "i1", "nope", "-f", "{{.Name}}")
    assert (done.code, done.out, done.err) == (1, "/i1\n", "Error: No such object: nope\n")
    assert cli("inspect", "nope").out == "[]\n"
    assert json.loads(cli.ok("inspect", "--type", "image", "busybox"))[0]["RepoTags"] == ["busybox:latest"]
    assert json.loads(cli.ok("network", "inspect", "none"))[0]["Name"] == "none"


def test_top_stats_and_events(cli: Cli) -> None:
    run(cli, "top1")
    top = cli.ok("top", "top1").splitlines()
    assert top[0].split()[:3] == ["UID", "PID", "PPID"] and "sleep 1000" in top[1]
    stats = cli.ok("stats", "--no-stream", "top1").splitlines()
    assert stats[0].startswith("CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT")
    assert "iB / " in stats[1]
    cli.ok("kill", "top1")
    cli.ok("wait", "top1")
    events = cli.ok("events", "--since", "1m", "--until", "0s", "-f", "container=top1", "--format", "{{.Action}}")
    assert [line for line in events.splitlines() if line in ("create", "start", "kill", "die")] == [
        "create", "start", "kill", "die",
    ]  # fmt: skip


def test_images_tag_history_and_rmi(cli: Cli) -> None:
    table = cli.ok("images").splitlines()
    assert re.split(r"\s{2,}", table[0]) == ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]
    assert table[1].startswith("busybox      latest    ")
    cli.ok("tag", "busybox", "other/name:1")
    assert cli.ok("images", "other/name", "--format", "{{.Repository}}:{{.Tag}}") == "other/name:1"
    assert cli.ok("image", "ls", "-q").split() == [cli.ok("images", "-q", "busybox")] * 2
    assert cli.ok("history", "busybox").startswith("IMAGE          CREATED")
    assert cli.ok("rmi", "other/name:1") == "Untagged: other/name:1"
    assert cli("rmi", "nope").err == f"{DAEMON}No such image: nope:latest\n"
    assert "must be lowercase" in cli("tag", "busybox", "Bad:1").err


def test_save_remove_and_load_again(cli: Cli, tmp_path: Path) -> None:
    cli.ok("tag", "busybox", "a:1")
    ident = cli.ok("inspect", "-f", "{{.Id}}", "a:1")
    file = tmp_path / "a.tar"
    assert cli.ok("save", "-o", str(file), "a:1") == ""
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]
    assert file.stat().st_mode & 0o777 == 0o600  # as Docker's: what is in an image is its owner's
    cli.ok("rmi", "a:1")
    assert cli.ok("load", "-i", str(file)) == "Loaded image: a:1"
    assert cli.ok("inspect", "-f", "{{.Id}}", "a:1") == ident
    cli.ok("rmi", "a:1")
    assert cli.ok("load", stdin=file.read_bytes()) == "Loaded image: a:1"
    cli.ok("rmi", "a:1")
    assert cli("save", "-o", "/nonexistent/x.tar", "busybox").err.startswith(
        "failed to save image: invalid output path"
    )
    for name, words in (("nope", "No such image: nope"), ("nope:1", "reference does not exist")):
        assert cli("save", "-o", str(tmp_path / "b.tar"), name).first_error == f"{DAEMON}{words}"
    assert not (tmp_path / "b.tar").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]
    assert cli("load", "-i", "/nonexistent").err == "open /nonexistent: no such file or directory\n"


def test_a_terminal_is_never_sent_an_archive(cli: Cli) -> None:
    with cli.terminal("save", "busybox") as terminal:
        terminal.see("cowardly refusing to save to a terminal")
        assert terminal.end() == 1


def test_export_and_import_make_one_layer_without_a_command(cli: Cli, tmp_path: Path) -> None:
    cli.ok("run", *QUIET, "--name", "c1", "busybox", "sh", "-c", "echo kept > /kept")
    file = tmp_path / "r.tar"
    cli.ok("export", "-o", str(file), "c1")
    ident = cli.ok("import", "-m", "from a test", "-c", "ENV A=b", str(file), "m:0.0").splitlines()[-1]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", ident)
    assert cli.ok("run", *QUIET, "--rm", "m:0.0", "sh", "-c", "cat /kept; echo $A") == "kept\nb"
    assert cli("run", *QUIET, "m:0.0").first_error == f"onggi: {DAEMON}No command specified"
    assert cli.ok("history", "--format", "{{.Comment}}", "m:0.0") == "from a test"
    assert cli.ok("import", "-", "m:2", stdin=file.read_bytes()).splitlines()[-1].startswith("sha256:")
    assert "run is not a valid change command" in cli("import", "-c", "RUN x", str(file), "m:3").err
    refused = cli("load", "-i", str(file))
    assert refused.code == 1 and "import" in refused.err and len(refused.err.splitlines()) <= 2
    cli.ok("rm", "-f", *cli.ok("ps", "-aq").split())
    cli.ok("rmi", "m:0.0", "m:2")


def test_ports_are_published_listed_and_taken_only_once(cli: Cli) -> None:
    cli.ok(
        "run", "-d", "--name", "web", "-p", "18080:80", "-p", "127.0.0.1:5353:53/udp", "busybox", "sleep", "1000"
    )
    assert cli.ok("port", "web", "80").splitlines()[0] == "0.0.0.0:18080"
    assert "53/udp -> 127.0.0.1:5353" in cli.ok("port", "web").splitlines()
    assert "0.0.0.0:18080->80/tcp" in cli.ok("ps")
    assert cli("port", "web", "99").err == "Error: No public port '99' published for web\n"
    done = cli("run", "-d", "--name", "late", "-p", "18080:80", "busybox", "sleep", "1000")
    assert done.code == 125
    assert "driver failed programming external connectivity on endpoint late" in done.first_error
    assert done.first_error.endswith("Bind for 0.0.0.0:18080 failed: port is already allocated")
    assert cli.ok("ps", "-a", "-f", "name=late", "--format", "{{.Status}}") == "Created"
    address = cli.ok("exec", "web", "ip", "addr", "show", "eth0")
    assert "inet 172." in address


def test_always_comes_back_and_on_failure_gives_up(cli: Cli) -> None:
    run(cli, "always", options=("--restart", "always"))
    first = state(cli, "always", ".State.Pid")
    os.kill(int(first), signal.SIGKILL)
    wait_until(lambda: state(cli, "always", ".State.Pid") not in ("0", first), "it runs again")
    assert cli.ok("kill", "always") == "always"
    wait_until(lambda: state(cli, "always", ".State.Status") == "exited", "a kill by hand ends it")
    run(cli, "fails", "sh", "-c", "exit 1", options=("--restart", "on-failure:2"))
    wait_until(lambda: state(cli, "fails", ".State.Status") == "exited", "it has given up")
    assert state(cli, "fails", ".RestartCount") == "2"
    assert cli("run", "--rm", "--restart", "always", "busybox").first_error == (
        "onggi: conflicting options: cannot specify both --restart and --rm"
    )


def test_volumes_are_kept_shared_and_removed(cli: Cli) -> None:
    assert cli.ok("volume", "create", "data") == "data"
    assert cli.ok("volume", "ls") == "DRIVER    VOLUME NAME\nlocal     data"
    cli.ok("run", *QUIET, "--rm", "-v", "data:/d", "busybox", "sh", "-c", "echo kept > /d/x")
    assert cli.ok("run", *QUIET, "--rm", "-v", "data:/d:ro", "busybox", "cat", "/d/x") == "kept"
    ident = cli.ok("create", *QUIET, "-v", "data:/d", "busybox")
    assert cli("volume", "rm", "data").first_error == f"{DAEMON}remove data: volume is in use - [{ident}]"
    cli.ok("rm", ident)
    assert cli.ok("volume", "rm", "data") == "data"
    assert cli.ok("volume", "ls", "-q") == ""
    assert cli.ok("network", "ls", "--format", "{{.Name}}").split() == ["bridge", "host", "none"]


def test_prune_and_df(cli: Cli) -> None:
    ident = cli.ok("create", *QUIET, "busybox")
    assert cli.ok("system", "df").splitlines()[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    assert cli.ok("container", "prune", stdin=b"n\n").startswith(
        "WARNING! This will remove all stopped containers."
    )
    assert cli.ok("ps", "-aq") == ident[:12]
    assert cli.ok("container", "prune", "-f").splitlines()[:2] == ["Deleted Containers:", ident]


def test_update_is_told_clearly(cli: Cli) -> None:
    assert cli("update", "x").err == "you must provide one or more flags when using this command\n"


def test_a_hostile_name_draws_nothing_on_a_terminal(cli: Cli) -> None:
    cli.ok("create", *QUIET, "-l", "x=\x1b]52;c;eA==\x07", "--name", "h1", "busybox", "\x1b[2J\x1b[31mred")
    with cli.terminal("ps", "-a", "--no-trunc", "--format", "{{.Command}} {{.Labels}}", size=(24, 300)) as terminal:
        assert terminal.end() == 0
        assert b"\x1b" not in terminal.seen and b"\x07" not in terminal.seen
        assert b"red" in terminal.seen
    assert "\x1b]52" in cli.ok("ps", "-a", "--format", "{{.Labels}}")


def test_two_first_commands_start_one_engine(fresh_engine: EngineUnderTest) -> None:
    fresh_engine.stop()
    cli = Cli(fresh_engine.environment, ("ip", "netns", "exec", Path(fresh_engine.netns).name))
    commands = [cli.open("ps", "-q") for _ in range(3)]
    for command in commands:
        out, err = command.communicate(timeout=60)
        assert (command.returncode, out, err) == (0, b"", b"")
    found = subprocess.run(
        ["pgrep", "-f", f"core.zygote.server.*{fresh_engine.paths.root}"], capture_output=True, check=False
    )
    engines = {int(line) for line in found.stdout.split()}
    assert fresh_engine.zygote_pid() in engines
    assert cli.ok("engine", "status").startswith("engine 0.1.0 at unix://")


def test_an_engine_elsewhere_is_never_started(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/docker.sock"
    done = Cli(dict(os.environ))("-H", host, "ps")
    assert done.code == 1
    assert done.err == f"cannot connect to the engine at {host}: no such file or directory; is it running?\n"
    assert list(tmp_path.iterdir()) == []


def test_a_published_port_reaches_the_program(cli: Cli, engine: EngineUnderTest) -> None:
    serve = "mkdir /w; echo reached > /w/index.html; exec httpd -f -p 80 -h /w"
    cli.ok("run", "-d", "--name", "web", "-p", "18081:80", "busybox", "sh", "-c", serve)
    inside = ["ip", "netns", "exec", Path(engine.netns).name, "/bin/busybox", "wget", "-q", "-O", "-"]

    def fetched() -> bytes:
        command = [*inside, "http://127.0.0.1:18081/"]
        return subprocess.run(command, capture_output=True, check=False).stdout

    wait_until(lambda: fetched() == b"reached\n", "the server answers")
    shown = cli.ok("exec", "web", "ifconfig", "eth0")
    address = state(cli, "web", ".NetworkSettings.IPAddress")
    assert f"inet addr:{address}" in shown


def test_policies_hold_over_an_engine_restart(fresh_cli: Cli, fresh_engine: EngineUnderTest) -> None:
    cli = fresh_cli
    for name, policy in (
        ("always", "always"),
        ("unless", "unless-stopped"),
        ("stopped", "unless-stopped"),
        ("no", "no"),
    ):
        run(cli, name, options=("--restart", policy))
    cli.ok("stop", "-t", "0", "stopped")
    before = {name: state(cli, name, ".State.Pid") for name in ("always", "unless", "no")}
    fresh_engine.stop()
    fresh_engine.start()
    assert {name: state(cli, name, ".State.Pid") for name in before} == before
    assert state(cli, "stopped", ".State.Status") == "exited"
    assert cli.ok("stop", "-t", "0", "no") == "no"


def test_the_starter_image_needs_no_archive(cli: Cli) -> None:
    assert cli.ok("import", "--starter").splitlines()[-1] == "onggi/starter:latest"
    assert cli.ok("run", *QUIET, "--rm", "onggi/starter", "sh", "-c", "echo at work") == "at work"
    assert cli("import", "--starter", "x.tar").code == 1
    cli.ok("rmi", "onggi/starter")


def test_ctrl_c_ends_an_engine_in_the_foreground(fresh_engine: EngineUnderTest) -> None:
    fresh_engine.stop()
    cli = Cli(fresh_engine.environment, ("ip", "netns", "exec", Path(fresh_engine.netns).name))
    with cli.terminal("engine") as terminal:
        terminal.see("ready: root ")
        assert cli.ok("images", "-q")  # it is the same data as before
        terminal.type("\x03")
        assert terminal.end() == 0
        assert b"Traceback" not in terminal.seen
    assert cli("engine", "status").code == 1
    assert cli.ok("engine", "stop") == "no engine is running"


def test_health_in_lists_and_events(cli: Cli) -> None:
    flags = ("--health-cmd", "true", "--health-interval", "100ms", "--health-start-interval", "1s")
    run(cli, "well", options=flags)
    wait_until(lambda: cli.ok("ps", "--format", "{{.Status}}").endswith("(healthy)"), "it is healthy")
    assert cli.ok("ps", "--format", "{{.Names}}", "-f", "health=healthy") == "well"
    assert cli.ok("ps", "--format", "{{.Names}}", "-f", "health=none") == ""
    assert cli("ps", "-f", "health=ill").first_error == f"{DAEMON}Unrecognised filter value for health: ill"
    assert state(cli, "well", ".State.Health.Status") == "healthy"
    assert "health_status: healthy" in cli.ok("events", "--since", "1m", "--until", "0s")
    cli.ok("rm", "-f", "well")
