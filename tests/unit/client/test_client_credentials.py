"""Docker's configuration file, read and written as Docker's client does, and the helpers that it names."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from core.client.credentials import HUB_KEY, ConfigFile, config_path, hostname, key_of
from core.errors import InvalidArgument
from core.model.registry import Credentials

SAM = Credentials(username="sam", password="pass word", server_address="127.0.0.1:5932")
AS_DOCKER_WRITES_IT = (
    '{\n\t"auths": {\n\t\t"127.0.0.1:5932": {\n\t\t\t"auth": "c2FtOnBhc3Mgd29yZA=="\n\t\t}\n\t}\n}'
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "docker" / "config.json"


def test_the_first_login_makes_the_file_as_docker_does(path: Path) -> None:
    assert ConfigFile.load(path).keep(SAM) == ""
    assert path.read_text() == AS_DOCKER_WRITES_IT
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert ConfigFile.load(path).find("127.0.0.1:5932") == SAM
    assert [entry.name for entry in path.parent.iterdir()] == ["config.json"]


def test_what_others_keep_there_stays(path: Path) -> None:
    path.parent.mkdir()
    before = {"detachKeys": "ctrl-x", "auths": {"a.test": {"auth": "dTpw"}}, "nobody": {"knows": ["this", 1, None]}}
    path.write_text(json.dumps(before))
    path.chmod(0o640)
    ConfigFile.load(path).keep(SAM)
    after = json.loads(path.read_text())
    assert after["auths"].pop("127.0.0.1:5932") and after == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    ConfigFile.load(path).erase("127.0.0.1:5932")
    ConfigFile.load(path).erase("a.test")
    assert json.loads(path.read_text()) == {**before, "auths": {}}


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    real = tmp_path / "real.json"
    real.write_text("{}")
    path.symlink_to(real)
    ConfigFile.load(path).keep(SAM)
    assert path.is_symlink() and json.loads(real.read_text())["auths"]


def test_keeping_what_is_kept_writes_nothing(path: Path) -> None:
    ConfigFile.load(path).keep(SAM)
    before = path.stat().st_ino
    file = ConfigFile.load(path)
    assert file.unchanged(SAM)
    file.keep(SAM)
    assert path.stat().st_ino == before


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"auth": "dTpw"}, Credentials(username="u", password="p", server_address="r.test")),
        ({"auth": "dTpwAAA="}, Credentials(username="u", password="p", server_address="r.test")),
        ({"username": "u", "password": "p"}, Credentials(username="u", password="p", server_address="r.test")),
        (
            {"auth": "dTo=", "identitytoken": "t"},
            Credentials(username="u", identity_token="t", server_address="r.test"),
        ),
        ({"registrytoken": "t"}, Credentials(registry_token="t", server_address="r.test")),
        ({}, None),
        ([], None),
        ({"auth": 1}, None),
    ],
)
@pytest.mark.parametrize("name", ["r.test", "https://r.test/v1/", "http://r.test"])
def test_every_way_an_entry_is_written(path: Path, name: str, entry: object, found: Credentials | None) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"auths": {name: entry}}))
    assert ConfigFile.load(path).find("r.test") == found


@pytest.mark.parametrize("server", ["", "docker.io", "index.docker.io", "https://index.docker.io/v1/"])
def test_every_name_of_the_hub_is_one_key(path: Path, server: str) -> None:
    assert key_of(server) == HUB_KEY
    ConfigFile.load(path).keep(Credentials(username="u", password="p", server_address=server))
    assert list(json.loads(path.read_text())["auths"]) == [HUB_KEY]
    assert ConfigFile.load(path).holds("docker.io")


def test_hosts() -> None:
    assert hostname("https://r.test:5000/v2/x") == "r.test:5000"
    assert key_of("http://r.test:5000/") == "r.test:5000"


@pytest.mark.parametrize("text", ["[]", "{", '{"auths": [1]}', '{"auths": "x"}', "\xff", "[" * 100000])
def test_a_file_that_cannot_be_understood_is_told_and_left_alone(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InvalidArgument, match="cannot read"):
        ConfigFile.load(path)
    assert path.read_text(encoding="latin-1") == text


def test_a_secret_that_cannot_be_used_is_told_without_it(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"auths": {"r.test": {"auth": "aHVudGVyMg=="}}}')
    with pytest.raises(InvalidArgument) as caught:
        ConfigFile.load(path).find("r.test")
    assert "r.test" in str(caught.value) and "hunter2" not in str(caught.value) and "aHVu" not in str(caught.value)


def test_where_the_file_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert config_path() == tmp_path / "config.json"
    monkeypatch.delenv("DOCKER_CONFIG")
    monkeypatch.setenv("HOME", "/home/sam")
    assert config_path() == Path("/home/sam/.docker/config.json")
    assert ConfigFile.load(Path("/dev/null/config.json")).find("x") is None


HELPER = r"""#!/bin/sh
# keeps one file a server; the protocol is that of docker/docker-credential-helpers
cd "$(dirname "$0")" || exit 1
case "$1" in
store) cat > asked; cp asked kept ;;
get) read -r server; echo "$server" > asked
     [ -f kept ] || { echo "credentials not found in native keychain"; exit 1; }; cat kept ;;
erase) read -r server; echo "$server" > asked; rm -f kept ;;
esac
"""


@pytest.fixture
def helper(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the helper `box`, which keeps everything for r.test."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker-credential-box"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    path.parent.mkdir()
    path.write_text('{"credHelpers": {"r.test": "box"}}')
    return folder


def test_a_helper_keeps_the_secret(path: Path, helper: Path) -> None:
    assert not ConfigFile.load(path).holds("r.test")
    mine = Credentials(username="u", password="hunter2", server_address="r.test")
    assert ConfigFile.load(path).keep(mine) == "box"
    assert json.loads((helper / "asked").read_text()) == {
        "ServerURL": "r.test", "Username": "u", "Secret": "hunter2",
    }  # fmt: skip
    assert json.loads(path.read_text())["auths"] == {"r.test": {}}
    assert "hunter2" not in path.read_text()
    assert ConfigFile.load(path).find("r.test") == mine
    assert (helper / "asked").read_text() == "r.test\n"
    ConfigFile.load(path).keep(SAM)  # another server is nothing to this helper
    assert json.loads((helper / "kept").read_text())["Username"] == "u"
    ConfigFile.load(path).erase("r.test")
    assert not (helper / "kept").exists() and ConfigFile.load(path).find("r.test") is None


def test_a_helper_keeps_identity_tokens_under_their_own_name(path: Path, helper: Path) -> None:
    token = Credentials(username="u", identity_token="t", server_address="r.test")
    ConfigFile.load(path).keep(token)
    assert json.loads((helper / "kept").read_text())["Username"] == "<token>"
    assert ConfigFile.load(path).find("r.test") == Credentials(identity_token="t", server_address="r.test")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo out of order; exit 3", "error getting credentials - err: exit status 3, out: `out of order`"),
        ("echo hunter2", "error getting credentials - docker-credential-box answers no JSON"),
        ('echo \'{"Secret": "hunter2"}\'', "error getting credentials - docker-credential-box answers no JSON"),
    ],
)
def test_a_helper_that_fails(path: Path, helper: Path, script: str, words: str) -> None:
    (helper / "docker-credential-box").write_text(f"#!/bin/sh\ncat >/dev/null\n{script}\n")
    with pytest.raises(InvalidArgument) as caught:
        ConfigFile.load(path).find("r.test")
    assert str(caught.value) == words


@pytest.mark.parametrize("name", ["nosuchhelper", "../box", "-x", "a b"])
def test_a_helper_that_is_none(path: Path, name: str) -> None:
    path.parent.mkdir()
    path.write_text(json.dumps({"credsStore": name}))
    with pytest.raises(InvalidArgument, match="error getting credentials - err: "):
        ConfigFile.load(path).find("r.test")
