"""How tests are shared out among several workers (`pytest -n`): whole files, those that take long first."""

from __future__ import annotations

from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

_TESTS = Path(__file__).parents[1]
_FIRST = ("vm", "integration", "contract", "tui")  # the short files of the other rooms fill the gaps at the end


def turn(item: pytest.Item) -> int:
    """When the file of a test is handed out, among the others."""
    room = item.path.relative_to(_TESTS).parts[0]
    return _FIRST.index(room) if room in _FIRST else len(_FIRST)


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """A test that takes its worker along fails once; the next worker goes on behind it."""

    def schedule(self) -> None:
        """Hand out what there is; a worker begins when it knows what comes next, or that nothing does."""
        super().schedule()
        for node in self.nodes:
            self._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker has ended; the test that it had not come to the end of, if any."""
        files = self.assigned_work[node]
        lost = next((test for tests in files.values() for test, done in tests.items() if not done), None)
        for file, tests in list(files.items()):
            if lost in tests:
                tests[lost] = True  # or it takes along one worker after another
            if all(tests.values()):
                del files[file]  # or a worker is given nothing to do, and is never heard of again
        super().remove_node(node)
        return lost
