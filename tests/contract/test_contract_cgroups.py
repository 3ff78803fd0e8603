"""The cgroup manager of this machine keeps to the contract; `tests/vm` asks the same of version 2."""

from __future__ import annotations

import pytest
from cgroups_contract import CHECKS

from core import cgroups

pytestmark = pytest.mark.root


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_manager_of_this_machine(check) -> None:  # type: ignore[no-untyped-def]
    check(cgroups.detect())
