"""registries.toml, and who may be spoken to without TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InvalidArgument
from core.oci.reference import Reference
from core.registry.settings import Settings, load, parse_server, search_target

FILE = """
insecure = ["registry.lan:5000", "10.0.0.0/8"]
downloads = 4
[aliases]
tools = "registry.lan:5000/team/tools"
[mirrors]
"docker.io" = ["https://mirror.lan"]
"""


def test_reads_the_file_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.toml"
    monkeypatch.setenv("ONGGI_CONFIG", str(path))
    assert load() == Settings()
    path.write_text(FILE)
    settings = load()
    assert settings.downloads == 4
    assert settings.mirrors == {"docker.io": ("https://mirror.lan",)}
    for bad in ("x = 1", "downloads = 0", "insecure = 3", "["):
        path.write_text(bad)
        with pytest.raises(InvalidArgument, match="is not acceptable"):
            load()


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5000", "127.0.0.1:1", "127.9.9.9", "[::1]:5000", "10.1.2.3:5"]
)
def test_plain_is_fine(host: str) -> None:
    assert Settings(insecure=("10.0.0.0/8",)).may_be_plain(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1.evil.example", "localhost.evil", "128.0.0.1", "registry.lan:5001", "1270.0.0.1"]
)
def test_plain_is_not_fine(host: str) -> None:
    assert not Settings(insecure=("registry.lan:5000",)).may_be_plain(host)


def test_short_names() -> None:
    settings = Settings(aliases={"tools": "registry.lan:5000/team/tools"})
    found = settings.expand(Reference.parse("tools:2"), "tools:2")
    assert str(found) == "registry.lan:5000/team/tools:2"
    full = Reference.parse("docker.io/library/tools:2")
    assert settings.expand(full, "docker.io/library/tools:2") == full


def test_servers_as_people_write_them() -> None:
    for text in ("", "https://index.docker.io/v1/", "docker.io", "registry-1.docker.io"):
        assert parse_server(text) == "docker.io"
    assert parse_server("http://127.0.0.1:5000/") == "127.0.0.1:5000"
    for bad in ("a b", "user@host", "host:port:1", "x\n"):
        with pytest.raises(InvalidArgument):
            parse_server(f"{bad}y")
    assert search_target("127.0.0.1:5000/web") == ("127.0.0.1:5000", "web")
    assert search_target("team/web") == ("docker.io", "team/web")
