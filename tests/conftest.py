"""Markers that need something of the machine say so when it is not there; nothing waits for ever, nothing stays."""

from __future__ import annotations

import faulthandler
import os
import shutil
import signal
from collections.abc import Iterator
from types import FrameType

import psutil
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as profiles
from pytest_timeout import Settings as Limit

from tests.support.dockerd import WORDS, client_version

_LAST_RESORT = 400  # seconds; for what is deaf to signals, and for a tear-down that hangs too
_AGAIN = 20.0  # seconds between calls to a test whose time is over
_LEAVING = 60  # seconds from the last report to the end of the process
_SILENCE = 600  # seconds without a word from any of several workers
_PROGRAMS = {"docker": "docker", "skopeo": "skopeo", "tmux": "tmux"}

# How long an example takes says how busy the machine is. Where `CI` is set, each run tries the same examples.
profiles.register_profile(
    "onggi", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
profiles.load_profile("onggi")

# While a test runs, descriptor 2 is a file that nobody sees when the process does not come to its end.
_STDERR = pytest.StashKey[int]()

# readline(3), which pytest loads, sets these behind Python's back: a worker would have them, and what it starts.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)

# A shell leaves SIGINT ignored in what it starts in the background, and then in everything that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup, which the app respects
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class TookTooLong(BaseException):
    """No `Exception`, nor pytest's: hypothesis takes those for findings, and tries again what hangs."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        from tests.support.workers import turn

        items.sort(key=turn)
    compared = [item for item in items if item.get_closest_marker("docker_words")]
    if compared and (version := client_version()) < WORDS:
        reason = f"compares words with those of Docker's client {WORDS}, and here is {version or 'none'}"
        for item in compared:
            item.add_marker(pytest.mark.skip(reason=reason))
    for item in items:
        if item.get_closest_marker("root") and os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root: sudo make test"))
        for marker, program in _PROGRAMS.items():
            if item.get_closest_marker(marker) and shutil.which(program) is None:
                item.add_marker(pytest.mark.skip(reason=f"needs {program}"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    from tests.support.workers import ByFile

    config.option.loadscopereorder = False
    return ByFile(config, log)


class Listener:
    """Among several, the one that hands out the tests runs none itself: it ends the run when nothing comes back."""

    def __init__(self, stderr: int) -> None:
        self._stderr = stderr
        self.pytest_runtest_logreport()

    def pytest_runtest_logreport(self) -> None:
        faulthandler.dump_traceback_later(_SILENCE, exit=True, file=self._stderr)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STDERR] = os.dup(2)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Listener(config.stash[_STDERR]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """End the process, with every stack, rather than wait for ever."""
    faulthandler.dump_traceback_later(_LAST_RESORT, exit=True, file=item.config.stash[_STDERR])
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Limit) -> bool:
    """End a test whose time is over, however often something in it goes on all the same."""
    owner = os.getpid()

    def over(number: int, frame: FrameType | None) -> None:
        if os.getpid() == owner:  # what a test forks has alarms of its own
            faulthandler.dump_traceback(2)
        raise TookTooLong(f"no end after {settings.timeout} seconds")

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    item.cancel_timeout = cancel  # type: ignore[attr-defined]
    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, _AGAIN)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what tests have started and left: it may hold our output open. A thread that hangs ends with us.

    Of several workers each ends its own, and then waits for the others; the one that hands out the tests ends them.
    """
    left = psutil.Process().children(recursive=True)
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            pass
    psutil.wait_procs(left, timeout=5)
    if not hasattr(session.config, "workerinput"):
        faulthandler.dump_traceback_later(_LEAVING, exit=True, file=session.config.stash[_STDERR])
