"""What can be asked of a build beside its Dockerfile: limits, hosts, networks, outputs, further contexts."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from core.errors import EngineError
from tests.integration.cli.cli_kit import Cli
from tests.integration.conftest import EngineUnderTest

pytestmark = pytest.mark.root


def folder(place: Path, text: str, **files: str) -> str:
    place.mkdir(exist_ok=True)
    (place / "Dockerfile").write_text(text)
    for name, content in files.items():
        (place / name).write_text(content)
    return str(place)


def said(cli: Cli, place: Path, text: str, *asked: str) -> str:
    done = cli("build", "--no-cache", *asked, folder(place, text))
    assert done.code == 0, done
    return done.err


def test_programs_get_what_was_asked_for(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    text = "FROM busybox\nRUN grep named /etc/hosts; df -k /dev/shm | tail -1; ulimit -n; ls /sys/class/net\n"
    asked = ("--add-host", "named:10.1.2.3", "--shm-size", "8m", "--ulimit", "nofile=77:77", "--network", "none")
    found = said(cli, tmp_path, text, *asked)
    assert "10.1.2.3" in found and " 8192 " in found and " 77\n" in found and "eth0" not in found
    assert "eth0" in said(
        cli, tmp_path, text.replace("; ulimit", "|| true; ulimit").replace("grep named /etc/hosts;", "")
    )
    overridden = "FROM busybox\nRUN --network=none ls /sys/class/net\n"
    assert "eth0" not in said(cli, tmp_path, overridden, "--network", "bridge")


def test_a_limit_of_memory_holds(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    text = "FROM busybox\nRUN head -c 100000000 /dev/zero | tail | wc -c\n"
    assert cli("build", "--no-cache", "-m", "16m", "--memory-swap", "16m", folder(tmp_path, text)).code != 0 or (
        "Killed" in cli("builder", "logs").out
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (("--network", "container:x"), "joining another container's network is not supported yet"),
        (("--network", "nosuch"), "network nosuch not found"),
        (("--squash", "--cache-to", "type=inline"), "an image that is squashed has no layers for an inline cache"),
        (("--ssh", "x=/nosuch"), "--ssh x: /nosuch: no such file or directory"),
        (("--ssh", "x=/etc/hostname"), "--ssh x: "),
        (("--cache-from", "type=gha"), "cache of type gha is not supported: use type=registry or type=local"),
        (("--cache-from", "type=nosuch"), "type is one of inline, local, registry"),
        (("--cache-from", "type=local"), "type=local needs a src=FOLDER"),
        (("--cache-to", "type=registry"), "type=registry needs a ref=NAME"),
        (("--cache-to", "type=registry,ref=A B"), "invalid reference format"),
        (("--cache-to", "type=inline,mode=most"), "mode is min or max"),
        (("--cache-to", "type=inline,nosuch=1"), "unknown option nosuch"),
        (("-d", "--cache-from", "type=local,src=/tmp"), "a build in the background cannot ask for"),
        (("-o", "type=nosuch"), "invalid output type: nosuch"),
        (("-o", "type=local,dest=/tmp/x,nosuch=1"), "output option nosuch is not supported"),
        (("-o", "type=oci,dest=/tmp/x,tar=false"), "tar=false is not supported"),
        (("--push",), "tag is needed when pushing to registry"),
        (("--metadata-file", "/nosuch/file"), "failed to write /nosuch/file: no such file or directory"),
        (("--iidfile", "/nosuch/file"), "failed to write /nosuch/file: no such file or directory"),
        (("--allow", "security.insecure"), "--allow is not supported: entitlements are not given"),
        (("--sbom", "true"), "--sbom is not supported: attestations are not supported"),
        (("--provenance", "mode=max"), "--provenance is not supported"),
        (("--annotation", "a=b"), "--annotation is not supported: annotations are not supported: use --label"),
        (("--security-opt", "seccomp=unconfined"), "--security-opt is not supported: every step is confined"),
        (("--cgroup-parent", "x"), "--cgroup-parent is not supported"),
        (("--isolation", "hyperv"), "--isolation is not supported"),
        (("--call", "outline"), "--call=outline is not supported"),
        (("--secret", "src=/x"), "it needs an id"),
        (("--secret", "id=x,src=/nosuch"), "failed to read secret x: /nosuch: no such file or directory"),
        (("--secret", "type=env,id=NOSUCHVAR"), "the variable NOSUCHVAR is not set"),
        (("--secret", "type=vault,id=x"), "it is id=NAME[,src=FILE|,env=VARIABLE]"),
        (("-o", "type=local"), "output type local needs a dest=FOLDER"),
        (("--build-context", "x"), "invalid build context"),
        (("--build-context", "x=/nosuch"), 'failed to get build context x: path "/nosuch" not found'),
    ],
)
def test_what_cannot_be_is_one_line(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest, asked: tuple[str, ...], message: str
) -> None:
    done = cli("build", *asked, folder(tmp_path, "FROM busybox\nRUN true\n"))
    assert done.code != 0 and message in done.err.splitlines()[-1]


def test_no_query_makes_a_program_privileged(engine: EngineUnderTest, tmp_path: Path, cli: Cli) -> None:
    """CVE-2024-23653: entitlements are the engine's to give, and it gives none."""
    from core.client import buildcontext

    file, _ = buildcontext.pack(
        folder(tmp_path, "FROM busybox\nRUN --security=insecure true\n"), ""
    )  # fmt: skip
    with file:
        events = list(engine.client.open("POST", "/build", {"onggi": "1"}, file).values())
    assert "error" in events[-1] or events[-1]["Event"] == "failed"
    file, _ = buildcontext.pack(folder(tmp_path, "FROM busybox\nRUN grep CapEff /proc/self/status\n"), "")
    query = {"onggi": "1", "nocache": "1", "privileged": "1", "ulimits": "[]", "capadd": "ALL"}
    with file:
        body = engine.client.open("POST", "/build", query, file).read()
    from base64 import b64decode

    output = b"".join(
        b64decode(event["Data"]) for event in map(json.loads, body.splitlines()) if event.get("Event") == "output"
    )
    assert b"00000000a80425fb" in output


TEXT = """FROM busybox AS made
RUN mkdir /out && echo x > /out/f && ln -s f /out/l
FROM scratch
COPY --from=made /out /
"""


def test_files_and_archives_instead_of_an_image(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    place, images = folder(tmp_path / "c", TEXT), cli.ok("images", "-aq")
    cli.ok("build", "-o", str(tmp_path / "local"), place)
    assert (tmp_path / "local/f").read_text() == "x\n" and (tmp_path / "local/l").is_symlink()
    cli.ok("build", "-o", f"type=tar,dest={tmp_path}/t.tar", place)
    with tarfile.open(tmp_path / "t.tar") as archive:
        assert {"f", "l"} <= {name.removeprefix("./") for name in archive.getnames()}
    assert cli.ok("images", "-aq") == images and cli.ok("ps", "-aq") == ""
    for kind in ("docker", "oci"):
        cli.ok("build", "-t", "out:1", "-o", f"type={kind},dest={tmp_path}/{kind}.tar", place)
        with tarfile.open(tmp_path / f"{kind}.tar") as archive:
            assert {"manifest.json", "index.json", "oci-layout"} <= set(archive.getnames())
    cli.ok("rmi", "out:1")
    assert "out:1" in cli.ok("load", "-i", str(tmp_path / "docker.tar"))
    piped = cli("build", "-q", "-o", "-", place)
    with tarfile.open(fileobj=io.BytesIO(piped.out.encode("latin-1", "replace")), mode="r|") as archive:
        assert archive.next() is not None


LISTING = "FROM busybox\nCOPY . /x\nRUN cd /x && find . -type f | sort\n"


@pytest.mark.parametrize(
    ("files", "arguments", "stdin", "expected"),
    [
        ({".dockerignore": "b\n"}, ["."], "", {".dockerignore", "Dockerfile", "a"}),
        ({".dockerignore": "*\n!a\n"}, ["."], "", {"a"}),
        ({".dockerignore": "*\n!a\n", "sub/D": LISTING}, ["-f", "sub/D", "."], "", {"a"}),
        ({"Dockerfile.dockerignore": "*\n!a\n"}, ["."], "", {"a"}),
        ({}, ["-f", "-", "."], LISTING, {"Dockerfile", "a", "b"}),
        ({}, ["-f", "../outside", "."], "", {"Dockerfile", "a", "b"}),
    ],
)
def test_a_dockerfile_is_copied_only_where_it_belongs_to_the_context(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest, monkeypatch: pytest.MonkeyPatch,
    files: dict[str, str], arguments: list[str], stdin: str, expected: set[str],
) -> None:  # fmt: skip
    (tmp_path / "outside").write_text(LISTING)
    place = folder(tmp_path / "c", LISTING, a="", b="")
    (tmp_path / "c/sub").mkdir()
    for name, text in files.items():
        (tmp_path / "c" / name).write_text(text)
    monkeypatch.chdir(place)
    done = cli("build", "--no-cache", *arguments, stdin=stdin.encode())
    assert done.code == 0, done.err
    assert set(re.findall(r"(?m)^#3 [\d.]+ \./(\S+)$", done.err)) == expected


def test_further_contexts_are_copied_and_mounted_from(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    other = folder(tmp_path / "other", "", one="from other", two="kept at home")
    (tmp_path / "other/.dockerignore").write_text("two\n")
    text = (
        "FROM base\nCOPY --from=more one /one\nRUN cat /one; ! test -e /.onggi-contexts\n"
        "RUN --mount=from=more,target=/m ls /m; cat /m/one\nCOPY . /all\nRUN ls -a /all\n"
    )
    asked = ("--build-context", f"more={other}", "--build-context", "base=docker-image://busybox")
    found = said(cli, tmp_path / "c", text, *asked)
    assert found.count("from other") == 2 and "two" not in found and " .onggi-contexts" not in found
    failed = cli("build", *asked, folder(tmp_path / "c", "FROM base\nCOPY --from=more two /\n"))
    assert failed.code == 1 and "file not found in build context" in failed.err


def test_a_url_can_be_the_context(engine: EngineUnderTest, cli: Cli, tmp_path: Path) -> None:
    """By the API, as Docker's client asks for it: `remote`."""
    served = tmp_path / "served"
    folder(served, "FROM busybox\nRUN echo alone; ls /f; true\n")
    (tmp_path / "c").mkdir()
    (tmp_path / "c/Dockerfile").write_text("FROM busybox\nCOPY f /f\nRUN cat /f\n")
    (tmp_path / "c/f").write_text("from the archive\n")
    with tarfile.open(served / "c.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "c", ".")
    argv = [
        "nsenter",
        f"--net={engine.netns}",
        sys.executable,
        "-u",
        "-m",
        "http.server",
        "0",
        "--bind",
        "127.0.0.1",
    ]
    with subprocess.Popen(argv, cwd=served, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split("port ")[1].split()[0]

            def build(name: str) -> str:
                query = {"remote": f"http://127.0.0.1:{port}/{name}", "nocache": "1"}
                return engine.client.open("POST", "/build", query).read().decode()

            assert "alone" in build("Dockerfile") and "from the archive" in build("c.tar.gz")
            assert "fetch http" in build_error(engine, f"http://127.0.0.1:{port}/nosuch")
        finally:
            server.terminate()
    assert "invalid git reference" in build_error(engine, "https://x/y.git#--upload-pack=evil")
    assert "it is a repository, or a URL" in build_error(engine, "ext::sh -c evil")


def build_error(engine: EngineUnderTest, url: str) -> str:
    with pytest.raises(EngineError) as failed:
        engine.client.open("POST", "/build", {"remote": url}).read()
    return failed.value.message


def test_what_was_built_is_written_down(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    place = folder(tmp_path / "c", "FROM busybox\nRUN true\n")
    asked = ("--metadata-file", str(tmp_path / "meta"), "--iidfile", str(tmp_path / "id"))
    image = cli.ok("build", "-q", "-t", "noted:1", "-o", "type=image,name=noted/more:2", "--load", *asked, place)
    told = json.loads((tmp_path / "meta").read_text())
    assert told["containerimage.config.digest"] == image == (tmp_path / "id").read_text()
    assert told["image.name"] == "docker.io/library/noted:1,docker.io/noted/more:2"
    assert told["containerimage.platform"]["os"] == "linux"
    assert {"noted:1", "noted/more:2"} <= set(json.loads(cli.ok("inspect", image))[0]["RepoTags"])
    images = cli.ok("images", "-aq")
    cli.ok("build", "-q", "-o", "type=cacheonly", folder(tmp_path / "c", "FROM busybox\nRUN echo 1 > /cached\n"))
    assert cli.ok("images", "-aq") == images


def test_the_cache_of_one_stage_is_left_out(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    place = folder(
        tmp_path, "FROM busybox AS one\nRUN echo 1\nFROM busybox\nRUN echo 2\nCOPY --from=one /bin/sh /x\n"
    )
    cli.ok("build", "-q", place)
    done = cli("build", "--no-cache-filter", "one", place)
    assert done.err.count("CACHED") == 2 and done.err.count("not cached: --no-cache") == 1


def test_checks_build_nothing(cli: Cli, tmp_path: Path) -> None:
    odd = "FROM busybox as one\nENV A b\nFROM one\nRUN ['x']\n"
    found = cli("build", "--check", folder(tmp_path, odd))
    assert found.code == 1 and found.out.startswith("Check complete, 3 warnings have been found!")
    assert "WARNING: LegacyKeyValueFormat\nwrite ENV A=b\nDockerfile:2\n" in found.out
    assert "   2 | >>> ENV A b" in found.out
    assert cli.ok("build", "--check", folder(tmp_path, "# check=skip=all\n" + odd)) == (
        "Check complete, no warnings found."
    )
    assert cli.ok("build", "--call", "targets", folder(tmp_path, odd)) == "TARGET\none\n1 (default)"
    skipped = ("--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=FromAsCasing,LegacyKeyValueFormat")
    assert "1 warning has been found" in cli("build", "--check", *skipped, folder(tmp_path, odd)).out


def test_a_file_may_forbid_what_is_odd(cli: Cli, tmp_path: Path, engine: EngineUnderTest) -> None:
    strict = folder(tmp_path, "# check=error=true\nFROM busybox\nENV A b\n")
    done = cli("build", strict)
    assert done.code == 1
    assert done.err.splitlines()[-1].endswith(
        "dockerfile parse error line 3: lint violation found for rules: LegacyKeyValueFormat: write ENV A=b"
    )
    cli.ok("build", "-q", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=all", strict)


def test_other_platforms_can_be_built_for_without_running_anything(
    cli: Cli, tmp_path: Path, engine: EngineUnderTest
) -> None:
    text = (
        "FROM --platform=$BUILDPLATFORM busybox AS make\nARG TARGETARCH\nRUN echo $TARGETARCH > /arch\n"
        "FROM scratch\nCOPY --from=make /arch /arch\n"
    )
    image = cli.ok("build", "-q", "--platform", "linux/riscv64", folder(tmp_path, text))
    assert json.loads(cli.ok("inspect", image))[0]["Architecture"] == "riscv64"
    failed = cli(
        "build", "--platform", "linux/riscv64", folder(tmp_path, "FROM scratch\nCOPY Dockerfile /\nRUN x\n")
    )
    assert "cannot run programs of linux/riscv64 on this machine, which is linux/" in failed.err
