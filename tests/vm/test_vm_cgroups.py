"""Containers in cgroups v2, in an emulated machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vm.machine import Machine, missing

pytestmark = pytest.mark.root
GUEST = Path(__file__).with_name("guest_cgroups.py")
CONTRACT = Path(__file__).parents[1] / "contract/cgroups_contract.py"


@pytest.mark.skipif(bool(missing()), reason=f"needs {missing()}")
def test_limits_devices_oom_and_freezing_on_version_2(tmp_path: Path) -> None:
    files = {"cgroups_contract.py": CONTRACT.read_text(), "guest.py": GUEST.read_text()}
    script = "".join(f"cat > /run/{name} <<'END-OF-GUEST'\n{text}\nEND-OF-GUEST\n" for name, text in files.items())
    script += "/python /run/guest.py\n"
    console = Machine(tmp_path).boot(script, timeout=300)
    results = [line for line in console.splitlines() if line.startswith(("ok ", "FAILED ", "left "))]
    assert not [line for line in results if line.startswith("FAILED")], console[-6000:]
    assert "version 2\n" in console
    asked = GUEST.read_text().count("(group: Cgroup) -> None:") + CONTRACT.read_text().count("(manager: Manager)")
    assert sum(line.startswith("ok ") for line in results) == asked
    assert results[-1] == "left False"
