"""Dockerfiles again from histories: those of Docker's classic builder, of BuildKit, and our own."""

from __future__ import annotations

from typing import Any

import pytest

from core.client.dockerfiles import as_dockerfile, config_lines
from core.dockerfile.parser import parse

NOP = "/bin/sh -c #(nop) "


def steps(*created_by: str, size: int = 0) -> list[dict[str, Any]]:
    return [{"CreatedBy": text, "Size": size} for text in created_by][::-1]


CONFIG = {
    "Env": ["PATH=/bin:/usr/bin", "GREETING=hello dear world", "EMPTY="],
    "Labels": {"a": "b c", "d.e": "f", "price": "$5"},
}

CASES = [
    (f'{NOP} CMD ["sh" "-c" "echo \\"x\\""]', 'CMD ["sh", "-c", "echo \\"x\\""]'),
    ('CMD ["sh" "-c"]', 'CMD ["sh", "-c"]'),
    ('ENTRYPOINT ["/entry"] # buildkit', 'ENTRYPOINT ["/entry"]'),
    (f"{NOP} ENV GREETING=hello dear world EMPTY=", 'ENV GREETING="hello dear world" EMPTY=""'),
    ("ENV PATH=/bin:/usr/bin", "ENV PATH=/bin:/usr/bin"),
    (f"{NOP} LABEL a=b c d.e=f price=$5", 'LABEL a="b c" d.e=f price="\\$5"'),
    (f"{NOP}WORKDIR /work", "WORKDIR /work"),
    ("WORKDIR /work", "WORKDIR /work"),
    (f"{NOP} EXPOSE 53/udp 80", "EXPOSE 53/udp 80"),
    ("EXPOSE map[80/tcp:{} 443/tcp:{}]", "EXPOSE 443/tcp 80/tcp"),
    (f"{NOP} VOLUME [/a /b]", 'VOLUME ["/a", "/b"]'),
    (f"{NOP} USER 1000:1000", "USER 1000:1000"),
    (f"{NOP} STOPSIGNAL SIGQUIT", "STOPSIGNAL SIGQUIT"),
    (f"{NOP} ONBUILD RUN true", "ONBUILD RUN true"),
    (f"{NOP} MAINTAINER me <me@x>", "MAINTAINER me <me@x>"),
    (f"{NOP} ARG V=1 2", 'ARG V="1 2"'),
    ("/bin/sh -c make", "RUN make"),
    ("RUN /bin/sh -c make && make install # buildkit", "RUN make \\\n && make install"),
    ("/bin/sh -c set -e\nmake\n", "RUN <<EOF\nset -e\nmake\nEOF"),
    ("|2 A=1 B=two words /bin/sh -c echo $A", 'ARG A=1\nARG B="two words"\nRUN echo $A'),
    ("RUN |1 A=1 /bin/sh -c echo $A # buildkit", "ARG A=1\nRUN echo $A"),
    ("COPY a b /x/ # buildkit", "COPY a b /x/"),
    (
        f"{NOP}COPY --chown=1:2 file:{'ab' * 32} in /x ",
        "# COPY: the image does not say what file-abababababab was\nCOPY --chown=1:2 file-abababababab /x",
    ),
    (
        f"{NOP}ADD file:{'cd' * 32} in / ",
        "# ADD: the image does not say what file-cdcdcdcdcdcd was\nADD file-cdcdcdcdcdcd /",
    ),
    (
        f"{NOP} HEALTHCHECK &{{[\"CMD-SHELL\" \"curl -f x\"] \"30s\" \"5s\" \"0s\" '\\x03'}}",
        "HEALTHCHECK --interval=30s --timeout=5s --retries=3 CMD curl -f x",
    ),
    (
        'HEALTHCHECK &{["CMD" "a" "b"] "1m0s" "0s" "0s" "2s" \'\\n\'}',
        'HEALTHCHECK --interval=1m0s --start-interval=2s --retries=10 CMD ["a", "b"]',
    ),
    (f"{NOP} HEALTHCHECK &{{[\"NONE\"] \"0s\" \"0s\" \"0s\" '\\x00'}}", "HEALTHCHECK NONE"),
    ("bash", "# a commit, or a program in exec form:\n#   bash"),
    ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("created_by", "line"), CASES)
def test_a_step_becomes_its_line(created_by: str, line: str) -> None:
    made = as_dockerfile(steps(created_by), CONFIG, base="b:1")
    assert made == f"FROM b:1\n{line}\n".replace("\n\n", "\n")


def test_all_of_them_parse_again() -> None:
    made = as_dockerfile(steps(*(text for text, _ in CASES)), CONFIG)
    assert len(parse(made.encode()).stages[0].commands) > 25


def test_a_shell_counts_for_what_follows() -> None:
    history = steps(f"{NOP} SHELL [/bin/bash -o pipefail -c]", "/bin/bash -o pipefail -c a | b")
    assert as_dockerfile(history, {}) == 'FROM scratch\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN a | b\n'


def test_the_steps_of_the_base_are_left_out_and_unknown_layers_told() -> None:
    history = [{"CreatedBy": "", "Size": 7}, {"CreatedBy": "base"}]
    assert (
        as_dockerfile(history, {}, base="b", skip=1) == "FROM b\n# a layer of 7 bytes of which nothing is known\n"
    )


def test_hostile_histories_never_break_a_line_out() -> None:
    made = as_dockerfile(
        steps(f"{NOP} ENV A=x\nRUN evil", "bash\nRUN evil", "x" * 100_000), {"Env": ["A=x\nRUN evil"]}
    )
    assert not [line for line in made.split("\n") if line.startswith("RUN")]


def test_what_a_container_was_given_becomes_instructions() -> None:
    before = {"Env": ["A=1"], "Cmd": ["sh"], "WorkingDir": "/"}
    after = {
        "Env": ["A=1", "B=x y", "HOSTNAME=h"], "Cmd": ["a", "b"], "WorkingDir": "/w", "User": "1",
        "ExposedPorts": {"80/tcp": {}}, "Volumes": {"/v": {}}, "Labels": {"l": "m"}, "Entrypoint": None,
    }  # fmt: skip
    assert config_lines(after, before) == [
        'ENV B="x y"', "LABEL l=m", "EXPOSE 80/tcp", 'VOLUME ["/v"]', "USER 1", "WORKDIR /w", 'CMD ["a", "b"]',
    ]  # fmt: skip
