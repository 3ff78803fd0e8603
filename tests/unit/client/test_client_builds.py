"""Builds by way of the engine: what is sent, what is understood, what is refused."""

from __future__ import annotations

import tarfile
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from core.client.builds import Wish, begin, follow, inspect, listed, source
from core.errors import EngineError, EngineUnreachable, InvalidArgument
from core.model.build import Output, Planned
from core.wire.credentials import CONFIG_HEADER, decode_all


class Engine:
    """Answers with what it is given, and keeps what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = answers
        self.query: Mapping[str, Any] = {}
        self.headers: Mapping[str, str] = {}
        self.names: list[str] = []

    async def get(self, path: str, **query: Any) -> Any:
        return self.answers[0]

    async def post(
        self, path: str, body: object = None, headers: Mapping[str, str] | None = None, /, **query: Any
    ) -> Any:
        return None

    async def delete(self, path: str, **query: Any) -> Any:
        return None

    async def stream(
        self, path: str, *, method: str = "GET", body: object = None, headers: Any = None, **query: Any
    ) -> AsyncGenerator[Any, None]:
        for answer in self.answers:
            yield answer

    async def upload(
        self,
        path: str,
        file: IO[bytes],
        progress: Callable[[int, int], None] | None = None,
        headers: Any = None,
        **query: Any,
    ) -> AsyncGenerator[Any, None]:
        self.query, self.headers = query, headers
        with tarfile.open(fileobj=file) as archive:
            self.names = archive.getnames()
        for answer in self.answers:
            yield answer


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/config.json").write_text(
        '{"auths": {"kiln.example:5000": {"auth": "cG90dGVyOnNlY3JldA=="}, "other.example": {"auth": "YTpi"}}}'
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "Dockerfile").write_text("ARG HOST=x\nFROM $HOST/clay\nFROM alpine\n")
    (folder / "secret").write_text("s")
    (folder / ".dockerignore").write_text("secret\n")
    return folder


async def test_the_context_goes_with_the_credentials_of_its_bases_alone(shop: Path) -> None:
    engine = Engine({"Id": "17"})
    wish = Wish(folder=str(shop), names=("jar:1",), args={"HOST": "kiln.example:5000"})
    assert await begin(engine, wish) == "17"
    assert engine.names == [".dockerignore", "Dockerfile"]
    assert engine.query["detach"] is True
    assert engine.query["place"] == str(shop.resolve())
    found = decode_all(engine.headers[CONFIG_HEADER])
    assert {name: one.username for name, one in found.items()} == {"kiln.example:5000": "potter"}


async def test_a_dockerfile_of_elsewhere_goes_along(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "Other").write_text("FROM scratch\n")
    engine = Engine({"Id": "17"})
    await begin(engine, Wish(folder=str(shop), dockerfile=str(tmp_path / "Other")))
    assert engine.query["dockerfile"] in engine.names


async def test_what_cannot_be_begun_says_why(shop: Path) -> None:
    with pytest.raises(InvalidArgument, match="not found"):
        await begin(Engine(), Wish(folder=str(shop / "nosuch")))
    with pytest.raises(EngineError, match="no room"):
        await begin(Engine({"error": "no room"}), Wish(folder=str(shop)))
    with pytest.raises(EngineUnreachable):
        await begin(Engine({"stream": "Step 1/2"}), Wish(folder=str(shop)))


async def test_events_are_understood_and_an_error_of_no_step_too() -> None:
    step = {"Id": 1, "Stage": "s", "Number": 1, "Total": 1, "Text": "RUN x", "Line": 1, "LastLine": 1}
    engine = Engine(
        {"Event": "planned", "Steps": [step], "Warnings": [], "At": 0.5},
        {"Event": "output", "Id": 1, "Stream": 2, "Data": "aGk=", "At": 1.0},
        {"errorDetail": {"message": "over"}, "error": "over"},
    )
    told = [one async for one in follow(engine, "1")]
    assert isinstance(told[0].event, Planned) and told[0].at == 0.5
    assert told[1].event == Output(1, 2, b"hi")
    assert (told[2].event, told[2].error) == (None, "over")


@pytest.mark.parametrize("value", [{"Event": "output", "Id": "x"}, {"Event": "nosuch"}])
async def test_what_no_engine_says_is_no_event(value: dict[str, Any]) -> None:
    with pytest.raises(EngineUnreachable):
        [one async for one in follow(Engine(value), "1")]


async def test_the_list_and_one_of_it() -> None:
    entry = {"Id": "1", "Started": 5.0, "Names": ["a"], "Outcome": "done", "Total": 3, "Done": 3, "Cached": 1}
    (one,) = await listed(Engine([entry]))
    assert (one.id, one.names, one.cached) == ("1", ("a",), 1)
    assert (await inspect(Engine({"Id": "1", "Started": 5.0, "Source": "FROM a"}), "1")).source == "FROM a"
    with pytest.raises(EngineUnreachable):
        await inspect(Engine({"Id": 1}), "1")


def test_a_dockerfile_is_read_as_far_as_it_can_be_one(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"#" * (2 << 20))
    assert len(source(str(tmp_path / "big"))) == 1 << 20
    with pytest.raises(OSError):
        source(str(tmp_path / "nosuch"))
