from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidArgument
from core.images.changes import apply_changes
from core.oci.image import ExecutionConfig, Healthcheck

S = 10**9

GOOD: list[tuple[str | list[str], dict[str, Any]]] = [
    ('CMD ["a", "b c"]', {"cmd": ("a", "b c")}),
    ("cmd echo $HOME", {"cmd": ("/bin/sh", "-c", "echo $HOME")}),
    ("CMD ['a']", {"cmd": ("/bin/sh", "-c", "['a']")}),
    ("CMD []", {"cmd": ()}),
    ('ENTRYPOINT ["x"]', {"entrypoint": ("x",)}),
    ("ENV A=1 B='two words' C=x\\ y", {"env": ("A=1", "B=two words", "C=x y")}),
    ("ENV test /home and more", {"env": ("test=/home and more",)}),
    (["ENV A=1", "ENV B=2", "ENV A=3"], {"env": ("A=3", "B=2")}),
    ("ENV A=", {"env": ("A=",)}),
    (["ENV A=1", "ENV B=${A}2 A=3"], {"env": ("A=3", "B=12")}),
    ("EXPOSE 80 53/udp 90-91/tcp", {"exposed_ports": {"80/tcp": {}, "53/udp": {}, "90/tcp": {}, "91/tcp": {}}}),
    ('LABEL a=b "c d"="e f"', {"labels": {"a": "b", "c d": "e f"}}),
    ("ONBUILD RUN make", {"on_build": ("RUN make",)}),
    ("STOPSIGNAL SIGINT", {"stop_signal": "SIGINT"}),
    ("USER me:users", {"user": "me:users"}),
    ('VOLUME ["/a", "/b"]', {"volumes": {"/a": {}, "/b": {}}}),
    ("VOLUME /a /b", {"volumes": {"/a": {}, "/b": {}}}),
    ("WORKDIR /a/../b/", {"working_dir": "/b"}),
    (["WORKDIR /home", "WORKDIR rel"], {"working_dir": "/home/rel"}),
    ("HEALTHCHECK NONE", {"healthcheck": Healthcheck(test=("NONE",))}),
    (
        "HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=0 --retries=2 CMD curl -f localhost",
        {"healthcheck": Healthcheck(("CMD-SHELL", "curl -f localhost"), 90 * S, S // 2, 0, retries=2)},
    ),
    ('HEALTHCHECK CMD ["a","b"]', {"healthcheck": Healthcheck(test=("CMD", "a", "b"))}),
    ("# a comment\n\nUSER x\nENV A=1 \\\n  B=2", {"user": "x", "env": ("A=1", "B=2")}),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "members"), GOOD)
def test_an_instruction_changes_its_member_and_nothing_else(
    changes: str | list[str], members: dict[str, Any]
) -> None:
    changed = apply_changes(ExecutionConfig(), [changes] if isinstance(changes, str) else changes)
    assert changed == msgspec.structs.replace(ExecutionConfig(), **members)


BAD = [
    ("RUN x", "run is not a valid change command"),
    ("from x", "from is not a valid change command"),
    ("ENV", "ENV requires at least one argument"),
    ("ENV A", "ENV must have two arguments"),
    ("ENV A=1 B", 'Syntax error - can\'t find = in "B". Must be of the form: name=value'),
    ("ENV A='1", "unexpected end of statement while looking for matching single-quote"),
    ("ENV =1", "ENV names can not be blank"),
    ("EXPOSE x", "invalid containerPort: x"),
    ("EXPOSE 70000", "invalid containerPort: 70000"),
    ("EXPOSE 90-80", "invalid containerPort: 90-80"),
    ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
    ("ONBUILD ONBUILD x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
    ("USER a b", "USER requires exactly one argument"),
    ("STOPSIGNAL SIGFOO", "Invalid signal: SIGFOO"),
    ("HEALTHCHECK --interval=x CMD y", 'invalid duration "x" for --interval'),
    ("HEALTHCHECK --wrong=1s CMD y", "unknown flag: --wrong"),
    ("HEALTHCHECK --retries=x CMD y", "--retries must be a number, not x"),
    ("HEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
    ("HEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
    ("HEALTHCHECK curl", 'Unknown type "curl" in HEALTHCHECK (try CMD)'),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_is_no_instruction_is_told_in_dockers_words(change: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        apply_changes(ExecutionConfig(), [change])
    assert str(caught.value) == message


@settings(deadline=None)
@given(st.sampled_from(["CMD", "ENV", "LABEL", "EXPOSE", "HEALTHCHECK", "VOLUME", "WORKDIR", "ONBUILD"]), st.text())
def test_any_text_is_taken_or_refused(word: str, text: str) -> None:
    try:
        apply_changes(ExecutionConfig(), [f"{word} {text}"])
    except InvalidArgument as error:
        assert str(error)


def test_a_new_entrypoint_takes_a_command_that_no_instruction_has_set() -> None:
    base = ExecutionConfig(cmd=("sleep", "1"), entrypoint=("old",))
    assert apply_changes(base, ['ENTRYPOINT ["new"]']).cmd == ()
    assert apply_changes(base, ["CMD a", 'ENTRYPOINT ["new"]']).cmd == ("/bin/sh", "-c", "a")
    assert apply_changes(base, ['ENTRYPOINT ["new"]', 'CMD ["a"]']).cmd == ("a",)
    assert apply_changes(base, ['CMD ["a"]']).entrypoint == ("old",)
