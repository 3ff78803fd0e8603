"""Public conformance suites, where they are at hand. The floors are the gate."""

import pytest

from tests.support import terminal_suites as suites


@pytest.mark.parametrize(
    ("suite", "run", "floor"),
    [("esctest2", suites.esctest2, 0.85), ("libvterm", suites.libvterm, 0.92)],
)
def test_suite(suite: str, run: object, floor: float) -> None:
    where = suites.folder(suite)
    if isinstance(where, str):
        pytest.skip(where)
    grade = run(where)  # type: ignore[operator]
    assert grade.share >= floor, "\n".join(grade.failed)
