import pytest

from core.client.loglevel import level_of, level_span


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("INFO  POST /orders", "info"),
        ("ERROR order 1042 has no jar", "error"),
        ("WARN: kiln busy", "warn"),
        ("warning: unused variable", "warn"),
        ("[error] 22#22: *3 open() failed", "error"),
        ("2026/11/23 18:10:57 [warn] 22#22: upstream", "warn"),
        ("2026-11-23 18:10:57,123 - shop.orders - ERROR - no jar", "error"),
        ("2026-11-23 18:10:57.123 UTC [88] LOG:  database system is ready", "info"),
        ("[2026-11-23T18:10:57Z] [INFO] started", "info"),
        ("[INFO ] log4j pads its words", "info"),
        ('{"level":"warn","msg":"x"}', "warn"),
        ('{"level":50,"msg":"pino"}', "error"),
        ('time=12:00 level=error msg="no jar"', "error"),
        ("CRITICAL:root:gone", "error"),
        # not claimed, or not by one word alone
        ("no errors found", None),
        ("GET /error 200", None),
        ("Information about jars", None),
        ("error handling is done elsewhere", None),
        ("INFORMATION", "info"),
        ('{"level":"info","inner":{"level":"error"}}', None),
        ("level=info level=error", None),
        ("", None),
        ("  at Error (native)", None),
    ],
)
def test_levels_are_claimed_and_never_guessed(text: str, level: str | None) -> None:
    assert level_of(text) == level


def test_the_place_of_the_word() -> None:
    found = level_span("12:00:01 WARN kiln busy")
    assert found == ("warn", 9, 13)


def test_a_hostile_line_takes_no_time() -> None:
    for text in ("1 " * 200_000, "[a] " * 100_000, "- " * 100_000, "a.a " * 100_000, '{"level":' * 50_000):
        level_of(text)
