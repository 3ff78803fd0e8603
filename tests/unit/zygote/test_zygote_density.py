"""New objects lie side by side once the holes are filled."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core.zygote.options import SOURCE

# In an interpreter of its own, whose heap is that of a zygote and not of all tests before.
_PROGRAM = """
import sys; sys.path.append(sys.argv[2])
from core.zygote import density
size = int(sys.argv[1])
holes = [bytes(size - 33) for _ in range(5000)]
del holes[::2]  # every second block of a few dozen pages is free now
filling = density.settle()
made = [bytes(size - 33) for _ in range(50)]
print(len({id(each) // 4096 for each in made}))
"""


@pytest.mark.parametrize("size", [64, 112, 256])
def test_new_objects_share_few_pages(size: int) -> None:
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(size), SOURCE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 2 + 50 * size // 4096
