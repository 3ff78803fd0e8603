from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping

import pytest

from core.errors import Unavailable
from tui.glyphs import UNICODE
from tui.remote import forms
from tui.remote.registry import TagFacts, facts_of, outcome, platform_words, repository_of, server_of
from tui.screens.form import Form, Plan
from tui.state import Image, World

WORLD = World(images=(Image("k", "sha256:1", "nginx:1.27", 5),), loaded=True)


class Registries:
    def __init__(self, tags: list[str] | None) -> None:
        self.there = tags
        self.asked: list[str] = []

    async def tags(self, repository: str) -> list[str]:
        self.asked.append(repository)
        if self.there is None:
            raise Unavailable("no route")
        return self.there


def lookup(tags: list[str] | None, *repositories: str) -> forms.Lookup:
    found = forms.Lookup(Registries(tags))  # type: ignore[arg-type]

    async def ask() -> None:
        for one in repositories:
            await found.ask(one)

    asyncio.run(ask())
    return found


def judged(form: Form, **values: str) -> Plan:
    return form.plan(values)


def pull(tags: list[str] | None = None, users: Mapping[str, str] | None = None, **values: str) -> Plan:
    given = {"name": "", "tag": "", "platform": "", "all": ""} | values
    known = lookup(tags, repository_of(given["name"])) if tags is not None else lookup(None)
    return judged(forms.pull(WORLD, users or {}, known, "", UNICODE), **given)


def test_the_command_of_a_pull_names_what_is_asked_for() -> None:
    assert pull(name="nginx").command == "onggi pull nginx"
    assert pull(name="nginx", tag="1.27").command == "onggi pull nginx:1.27"
    assert pull(name="nginx:1.26", tag="1.27").command == "onggi pull nginx:1.26"
    assert pull(name="nginx", platform="linux/arm64").command == "onggi pull --platform linux/arm64 nginx"
    assert pull(name="nginx", tag="1", all="yes").command == "onggi pull -a nginx"
    digest = "nginx@sha256:" + "0" * 64
    assert pull(name=digest, tag="x").command == f"onggi pull {digest}"


def test_a_pull_is_judged_while_it_is_typed() -> None:
    assert not pull().ready
    assert not pull(name="No Name").ready
    assert not pull(name="nginx", platform="arm").ready
    assert pull(name="nginx", tag="1.27").remarks["name"].text == "here; Docker Hub"
    assert (
        pull(name="localhost:5000/x", users={"localhost:5000": "bob"}).remarks["name"].text
        == "localhost:5000 as bob"
    )


def test_tags_that_are_there_complete_what_is_typed() -> None:
    plan = pull(tags=["1", "2.3", "2.4"], name="nginx", tag="2")
    assert plan.known["tag"] == ("1", "2.3", "2.4")
    assert plan.remarks["tag"].text == "not there; 2.3 2.4 are"
    assert not plan.ready
    assert pull(tags=["1"], name="nginx", tag="1").remarks["tag"].text == "is there"
    assert pull(tags=["1"], name="nginx").remarks["tag"].text == "1 tag: 1"


def test_a_repository_is_asked_about_once_and_trouble_is_no_obstacle() -> None:
    registries = Registries(None)
    found = forms.Lookup(registries)  # type: ignore[arg-type]
    assert asyncio.run(found.ask("docker.io/library/nginx"))
    assert not asyncio.run(found.ask("docker.io/library/nginx"))
    assert registries.asked == ["docker.io/library/nginx"]
    assert found.trouble("docker.io/library/nginx") == "no route"
    plan = judged(forms.pull(WORLD, {}, found, "", UNICODE), name="nginx", tag="", platform="", all="")
    assert plan.ready
    assert plan.remarks["tag"].text == "latest; its tags cannot be listed"


def test_another_image_has_another_tag() -> None:
    form = forms.pull(WORLD, {}, lookup(None), "nginx:1.27", UNICODE)
    values = {"name": "nginx", "tag": "1.27", "platform": "", "all": ""}
    assert form.plan(values).clear == ()
    assert form.plan(values | {"name": "redis"}).clear == ("tag",)


def test_a_push_under_another_name_tags_first() -> None:
    form = forms.push(WORLD, {}, "nginx:1.27", UNICODE)
    assert judged(form, target="nginx:1.27").command == "onggi push nginx:1.27"
    plan = judged(form, target="localhost:5000/nginx:1")
    assert plan.command == "onggi tag nginx:1.27 localhost:5000/nginx:1 && onggi push localhost:5000/nginx:1"
    assert "log in first" in judged(form, target="nginx:1.27").hint
    assert judged(forms.push(WORLD, {"docker.io": "bob"}, "a", UNICODE), target="bob/a").hint == ""


def test_a_copy_is_three_commands() -> None:
    form = forms.copy(WORLD, {}, "nginx:1", UNICODE)
    plan = judged(form, source="nginx:1", target="r:5000/nginx:1")
    assert plan.command.split(" && ") == [
        "onggi pull nginx:1",
        "onggi tag nginx:1 r:5000/nginx:1",
        "onggi push r:5000/nginx:1",
    ]
    assert not judged(form, source="nginx:1", target="nginx:1").ready


def test_a_password_is_in_no_command() -> None:
    form = forms.login({}, "", UNICODE)
    plan = judged(form, server="localhost:5000", user="bob", password="geheim")
    assert plan.ready
    assert plan.command == "onggi login -u bob --password-stdin localhost:5000"
    shown = plan.command + plan.hint + "".join(remark.text for remark in plan.remarks.values())
    assert "geheim" not in shown
    assert not judged(form, server="x y", user="bob", password="p").ready
    assert not judged(form, server="", user="bob", password="").ready


def test_a_commit_says_what_its_fields_say() -> None:
    form = forms.commit(WORLD, "web", True, UNICODE)
    values = {"name": "shop/web:2", "message": "a b", "author": "", "changes": 'CMD ["x"]; ENV A=b', "pause": ""}
    assert shlex.split(form.plan(values).command) == [
        "onggi", "commit", "-m", "a b", "-c", 'CMD ["x"]', "-c", "ENV A=b", "--pause=false", "web", "shop/web:2",
    ]  # fmt: skip
    assert form.plan(values | {"name": ""}).ready


@pytest.mark.parametrize(
    ("reference", "server", "repository"),
    [
        ("nginx:1", "docker.io", "docker.io/library/nginx"),
        ("localhost:5000/a/b", "localhost:5000", "localhost:5000/a/b"),
        ("No", "", ""),
    ],
)
def test_where_a_name_leads(reference: str, server: str, repository: str) -> None:
    assert (server_of(reference), repository_of(reference)) == (server, repository)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("Status: Downloaded newer image for nginx:1", "pulled"),
        ("Status: Image is up to date for nginx:1", "nothing newer there"),
        ("1: digest: sha256:" + "ab" * 32 + " size: 528", "sha256:abababababab"),
        ("", ""),
    ],
)
def test_the_last_line_in_few_words(status: str, words: str) -> None:
    assert outcome(status) == words


def test_facts_of_a_tag_from_the_engines_answer() -> None:
    answer = {"Descriptor": {"digest": "sha256:1", "mediaType": "m"}, "Size": 9, "Platforms": ["linux/amd64"]}
    assert facts_of(answer) == TagFacts(9, "sha256:1", ("linux/amd64",), "m")
    index = {"manifests": [{"platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}}, {}]}
    assert facts_of({"Manifest": index}).platforms == ("linux/arm64/v8",)
    assert facts_of({}) == TagFacts()
    assert platform_words({}) == ""
