"""The bench's table: units, ratios to ours, and what is not there."""

from bench.table import render


def test_table() -> None:
    rows = [
        ("start", "≤ 60 ms", "ms", {"onggi": 0.05, "docker": 0.2, "podman": "failed"}),
        ("memory", "", "MB", {"onggi": 1_500_000, "docker": "–"}),
        ("idle", "~0", "%", {"onggi": 0.0, "docker": 0.01, "podman": 0.0}),
    ]
    assert render(["onggi", "docker", "podman"], rows).splitlines() == [
        "|  | goal | onggi | docker | × onggi | podman | × onggi |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| start | ≤ 60 ms | 50.0 ms | 200.0 ms | 4.0 | failed | – |",
        "| memory |  | 1.50 MB | – | – | – | – |",
        "| idle | ~0 | 0.00 % | 1.00 % | – | 0.00 % | – |",
    ]
