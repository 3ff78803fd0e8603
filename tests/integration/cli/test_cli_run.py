"""run, create, start, attach, exec: streams, terminals, detach keys, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest

from tests.integration.cli.cli_kit import PATIENCE, Cli
from tests.integration.conftest import EngineUnderTest, wait_until

pytestmark = pytest.mark.root

QUIET = ("--network", "none")
PROMPT = r"/ # "


def status(cli: Cli, name: str) -> str:
    return cli.ok("ps", "-a", "-f", f"name=^/{name}$", "--format", "{{.Status}}")


def test_exit_ends_the_terminal_and_the_container(cli: Cli) -> None:
    with cli.terminal("run", *QUIET, "-i", "-t", "--name", "u1", "busybox") as terminal:
        terminal.see(PROMPT)
        assert terminal.is_raw
        terminal.type("exit\r")
        assert terminal.end() == 0
        assert not terminal.is_raw
    assert status(cli, "u1").startswith("Exited (0)")


def test_ctrl_d_ends_it_and_its_code_comes_through(cli: Cli) -> None:
    with cli.terminal("run", *QUIET, "-it", "--name", "u1", "busybox") as terminal:
        terminal.see(PROMPT)
        terminal.type("(exit 4)\r")
        terminal.see(PROMPT)
        terminal.type("\x04")
        assert terminal.end() == 4
    assert status(cli, "u1").startswith("Exited (4)")


def test_detach_leaves_silently_and_attach_comes_back(cli: Cli) -> None:
    with cli.terminal("run", *QUIET, "-it", "--name", "u1", "busybox") as terminal:
        terminal.see(PROMPT)
        terminal.seen = b""
        terminal.type("\x10\x11")
        assert terminal.end() == 0
        assert terminal.seen == b""
        assert not terminal.is_raw
    assert status(cli, "u1").startswith("Up")
    with cli.terminal("attach", "u1") as terminal:
        terminal.type("\r")
        terminal.see(PROMPT)
        terminal.type("exit 5\r")
        assert terminal.end() == 5


def test_detaching_from_attach_is_told_and_ends_with_1(cli: Cli) -> None:
    cli.ok("run", *QUIET, "-dit", "--name", "u1", "busybox")
    for keys, option in (("\x10\x11", ()), ("\x18x", ("--detach-keys", "ctrl-x,x"))):
        with cli.terminal("attach", *option, "u1") as terminal:
            terminal.type("\r")
            terminal.see(PROMPT)
            terminal.type(keys)
            assert terminal.end() == 1
            assert b"read escape sequence" in terminal.seen
    assert status(cli, "u1").startswith("Up")


def test_other_detach_keys_leave_ctrl_p_ctrl_q_to_the_program(cli: Cli) -> None:
    argv = (
        "run",
        *QUIET,
        "-it",
        "--rm",
        "--detach-keys",
        "ctrl-x,x",
        "busybox",
        "sh",
        "-c",
        "stty raw -echo; echo ready; od -c",
    )
    with cli.terminal(*argv) as terminal:
        wait_until(lambda: terminal.is_raw, "the terminal is raw")
        terminal.see("ready")
        terminal.type("\x10\x11" + "a" * 14)
        terminal.see(r"020 021")


def test_start_and_attach_with_a_second_terminal(cli: Cli) -> None:
    cli.ok("create", *QUIET, "-it", "--name", "c1", "busybox")
    assert status(cli, "c1") == "Created"
    with cli.terminal("start", "-ai", "c1") as one:
        one.see(PROMPT)
        with cli.terminal("attach", "c1") as two:
            two.type("\r")
            two.see(PROMPT)  # it is joined
            one.type("echo mir''rored\r")
            one.see("mirrored")
            two.see("mirrored")
            two.type("exit 5\r")
            assert one.end() == 5
            assert two.end() == 5


def test_the_terminal_has_a_size_from_the_first_byte_and_follows(cli: Cli) -> None:
    script = "stty size; while test $(stty size | cut -c1-2) = 30; do sleep 0.05; done; stty size"
    argv = ("run", *QUIET, "-it", "--rm", "busybox", "sh", "-c", script)
    with cli.terminal(*argv, size=(30, 100)) as terminal:
        terminal.see("30 100")
        terminal.resize(40, 120)
        terminal.see("40 120")
        assert terminal.end() == 0


def test_exec_has_a_terminal_of_its_own(cli: Cli) -> None:
    cli.ok("run", *QUIET, "-d", "--name", "e1", "busybox", "sleep", "1000")
    with cli.terminal("exec", "-it", "e1", "sh", size=(33, 77)) as terminal:
        terminal.see(PROMPT)
        terminal.type("stty size; exit 6\r")
        terminal.see("33 77")
        assert terminal.end() == 6
    with cli.terminal("exec", "-it", "e1", "sh") as terminal:
        terminal.see(PROMPT)
        terminal.type("\x10\x11")
        assert terminal.end() == 0
    assert status(cli, "e1").startswith("Up")


def test_a_killed_command_gives_its_terminal_back(cli: Cli) -> None:
    with cli.terminal("run", *QUIET, "-it", "--name", "u1", "busybox") as terminal:
        terminal.see(PROMPT)
        assert terminal.is_raw
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        assert not terminal.is_raw
    assert status(cli, "u1").startswith("Up")


def test_output_streams_stay_apart_and_the_code_comes_through(cli: Cli) -> None:
    done = cli("run", *QUIET, "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    done = cli("run", *QUIET, "--rm", "-a", "stderr", "busybox", "sh", "-c", "echo out; echo err >&2")
    assert (done.code, done.out, done.err) == (0, "", "err\n")


def test_a_pipe_loses_no_byte_in_either_direction(cli: Cli) -> None:
    data = os.urandom(3_000_000)
    done = subprocess.run(
        cli.argv("run", *QUIET, "--rm", "-i", "busybox", "cat"),
        input=data, capture_output=True, env=cli.environment, timeout=PATIENCE * 2, check=True,
    )  # fmt: skip
    assert done.stdout == data


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_a_slow_reader_holds_the_container_and_gets_every_byte(cli: Cli, verb: str) -> None:
    size = 64 << 20
    if verb == "run":
        argv = ("run", *QUIET, "--rm", "busybox", "head", "-c", str(size), "/dev/zero")
    else:
        cli.ok("run", *QUIET, "-d", "--name", "e1", "busybox", "sleep", "1000")
        argv = ("exec", "e1", "head", "-c", str(size), "/dev/zero")
    process = cli.open(*argv)
    assert process.stdout and process.stdin and process.stderr
    time.sleep(1)  # the reader that is slow
    got = 0
    while piece := process.stdout.read(1 << 20):
        got += len(piece)
    assert process.wait(PATIENCE) == 0
    assert got == size
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_a_reader_that_leaves_ends_the_command(cli: Cli) -> None:
    process = cli.open("run", *QUIET, "--name", "y1", "busybox", "yes")
    assert process.stdout and process.stdin and process.stderr
    assert process.stdout.read(4) == b"y\ny\n"
    process.stdout.close()
    assert process.wait(PATIENCE) == 141
    assert process.stderr.read() == b""
    process.stdin.close()
    process.stderr.close()


def test_signals_are_passed_on_where_there_is_no_terminal(cli: Cli) -> None:
    process = cli.open(
        "run", *QUIET, "--name", "s1", "busybox", "sh", "-c", "trap 'exit 9' TERM; echo up; sleep 1000 & wait"
    )
    assert process.stdout and process.stdin and process.stderr
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 9
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def test_exec_brings_streams_environment_and_code(cli: Cli) -> None:
    cli.ok("run", *QUIET, "-d", "--name", "e1", "busybox", "sleep", "1000")
    done = cli("exec", "-e", "X=y", "-w", "/tmp", "-u", "1", "e1", "sh", "-c", "pwd; id -u; echo $X >&2; exit 9")
    assert (done.code, done.out, done.err) == (9, "/tmp\n1\n", "y\n")
    assert cli.ok("exec", "-i", "e1", "cat", stdin=b"through") == "through"
    assert cli.ok("exec", "-d", "e1", "touch", "/made") == ""
    wait_until(lambda: cli("exec", "e1", "ls", "/made").code == 0, "the detached command has run")


@pytest.mark.parametrize(
    ("program", "code", "text"),
    [
        ("nosuchprogram", 127, 'exec: "nosuchprogram": executable file not found in $PATH'),
        ("/etc", 126, 'exec: "/etc": '),
        ("/etc/passwd", 126, 'exec: "/etc/passwd": permission denied'),
    ],
)
def test_a_program_that_does_not_start(cli: Cli, program: str, code: int, text: str) -> None:
    done = cli("run", *QUIET, "--name", "x1", "busybox", program)
    assert done.code == code
    assert text in done.first_error and done.first_error.startswith("onggi: Error response from daemon: ")
    assert status(cli, "x1") == "Created"
    cli.ok("run", *QUIET, "-d", "--name", "e1", "busybox", "sleep", "1000")
    done = cli("exec", "e1", program)
    assert done.code == code
    assert text in done.out + done.err


def test_a_terminal_is_asked_for_where_there_is_none(cli: Cli) -> None:
    for argv in (("run", "-it", "busybox"), ("exec", "-it", "x", "sh")):
        done = cli(*argv)
        assert (done.code, done.err) == (1, "the input device is not a TTY\n")


DAEMON = "Error response from daemon: "


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("-m", "1m", "busybox"), "Minimum memory limit allowed is 6MB"),
        (("--restart", "on-failur", "busybox"), "invalid restart policy 'on-failur'"),
        (("--restart", "always:3", "busybox"), "maximum retry count cannot be used with restart policy 'always'"),
        (
            ("--rm", "--name", "bad/name", "busybox"),
            "Invalid container name (bad/name), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
        ),
        (("--pull", "never", "nosuch:1"), "No such image: nosuch:1"),
        (("-w", "rel", "busybox"), "the working directory 'rel' is invalid, it needs to be an absolute path"),
        (
            (*QUIET, "-u", "nosuch", "busybox", "true"),
            "unable to find user nosuch: no matching entries in passwd file",
        ),
        (("-v", "/:/", "busybox"), "invalid volume specification: '/:/': "),
    ],
)
def test_what_the_engine_does_not_take_is_one_clear_line(cli: Cli, argv: tuple[str, ...], text: str) -> None:
    done = cli("run", *argv)
    assert done.code == 125
    assert done.first_error.startswith(f"onggi: {DAEMON}{text}")
    assert done.err.endswith("\n\nRun 'onggi run --help' for more information\n")


@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (("run", "-name", "x", "busybox"), 125, "unknown shorthand flag: 'n' in -name"),
        (("run", "nosuch:1"), 125, "Unable to find image 'nosuch:1' locally"),
        (("create", "nosuch"), 1, "Unable to find image 'nosuch:latest' locally"),
        (("start", "nope"), 1, f"{DAEMON}No such container: nope"),
        (("attach", "nope"), 1, f"{DAEMON}No such container: nope"),
        (("exec", "nope", "true"), 1, f"{DAEMON}No such container: nope"),
    ],
)
def test_what_is_not_there_is_one_clear_line(cli: Cli, argv: tuple[str, ...], code: int, text: str) -> None:
    done = cli(*argv)
    assert (done.code, done.first_error) == (code, text)


def test_the_typical_slip_is_explained(cli: Cli) -> None:
    done = cli("create", "-i", "it", "--name", "x", "busybox")
    assert done.code == 1
    assert done.first_error == "Unable to find image 'it:latest' locally"
    assert 'did you mean "-it' in done.err


def test_a_name_that_is_taken(cli: Cli) -> None:
    ident = cli.ok("create", "--name", "n1", "busybox")
    assert re.fullmatch(r"[0-9a-f]{64}", ident)
    done = cli("run", "--name", "n1", "busybox")
    assert done.code == 125
    assert f'The container name "/n1" is already in use by container "{ident}"' in done.first_error


def test_environment_user_folder_and_entrypoint(cli: Cli, tmp_path: object) -> None:
    file = f"{tmp_path}/env"
    with open(file, "w", encoding="utf-8") as out:
        out.write('FROM_FILE="quoted"\n')
    cli.environment["MINE"] = "of the caller"
    text = cli.ok(
        "run", *QUIET, "--rm", "-e", "A=1", "-e", "MINE", "-e", "NOT_SET", "-e", "EMPTY=", "--env-file", file,
        "-h", "box", "-w", "/tmp", "-u", "1:1", "--entrypoint", "env", "busybox",
    )  # fmt: skip
    variables = dict(line.split("=", 1) for line in text.splitlines())
    assert variables["FROM_FILE"] == '"quoted"'
    assert (variables["A"], variables["MINE"], variables["EMPTY"], variables["HOSTNAME"]) == (
        "1",
        "of the caller",
        "",
        "box",
    )
    assert "NOT_SET" not in variables


def test_a_shell_in_the_background_ends_at_once(cli: Cli) -> None:
    ident = cli.ok("run", *QUIET, "-d", "--name", "b1", "busybox", "/bin/sh")
    assert cli.ok("wait", "b1") == "0"
    assert cli.ok("ps", "-a", "--no-trunc", "-q") == ident
    with cli.terminal("run", *QUIET, "-d", "busybox", "/bin/sh") as terminal:
        terminal.see('has no terminal and ends at once; add "-it" to keep it')


def test_rm_goes_away_by_itself_and_a_cidfile_remembers(cli: Cli, tmp_path: object) -> None:
    file = f"{tmp_path}/cid"
    assert cli.ok("run", *QUIET, "--rm", "--cidfile", file, "busybox", "echo", "hi") == "hi"
    with open(file, encoding="ascii") as text:
        ident = text.read()
    assert cli.ok("ps", "-aq") == ""
    assert cli("inspect", ident).code == 1
    assert cli("run", "--cidfile", file, "busybox").code == 125


def test_the_engine_dies_and_the_session_goes_on(fresh_cli: Cli, fresh_engine: EngineUnderTest) -> None:
    with fresh_cli.terminal("run", *QUIET, "--rm", "-it", "busybox") as terminal:
        terminal.see(PROMPT)
        os.kill(fresh_engine.daemon_pid(), signal.SIGKILL)
        terminal.type("echo al''ive; exit 9\r")
        terminal.see("alive")
        assert terminal.end() == 9
    wait_until(lambda: fresh_cli("ps", "-aq").out == "", "the next engine has removed it")


def test_an_engine_that_was_stopped_is_not_started_by_a_session_before_its_end(
    fresh_cli: Cli, fresh_engine: EngineUnderTest
) -> None:
    with fresh_cli.terminal("run", *QUIET, "-it", "--name", "k1", "busybox") as terminal:
        terminal.see(PROMPT)
        assert fresh_cli.ok("engine", "stop") == ""
        terminal.type("echo al''ive\r")
        terminal.see("alive")
        assert fresh_cli("engine", "status").code == 1
        fresh_engine.start()
        terminal.type("exit 9\r")
        assert terminal.end() == 9


def test_a_container_remembers_the_command_that_made_it(cli: Cli) -> None:
    argv = ("run", *QUIET, "-d", "--name", "r1", "-e", "A=한 b", "busybox", "sleep", "1000")
    cli.ok(*argv)
    assert cli.ok("inspect", "-f", "{{json .Onggi.CommandLine}}", "r1") == json.dumps(
        ["onggi", *argv], ensure_ascii=False, separators=(",", ":")
    )
