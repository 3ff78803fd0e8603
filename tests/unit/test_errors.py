from __future__ import annotations

import errno

import pytest

from core import errors
from core.errors import EngineError, InitFailed, NoSuchContainer, SyscallFailed, from_wire, to_wire


@pytest.mark.parametrize(
    "error",
    [
        NoSuchContainer("No such container: web"),
        SyscallFailed("mount", "/proc", errno.EPERM),
        InitFailed('exec: "x": executable file not found in $PATH', exit_code=127),
        errors.KernelLacks("overlayfs is missing", detail="modprobe overlay"),
    ],
)
def test_an_error_survives_the_wire(error: EngineError) -> None:
    again = from_wire(to_wire(error))
    assert type(again) is type(error)
    assert (str(again), again.detail, again.exit_code) == (str(error), error.detail, error.exit_code)


def test_an_oserror_travels_as_what_was_being_done() -> None:
    again = from_wire(to_wire(FileNotFoundError(errno.ENOENT, "no", "/nope")))
    assert isinstance(again, SyscallFailed)
    assert again.errno == errno.ENOENT
    assert "/nope" in str(again)


def test_an_unknown_kind_is_still_an_error() -> None:
    assert str(from_wire({"kind": "__import__", "message": "hello"})) == "hello"
    assert type(from_wire({})) is EngineError


def test_every_text_is_one_line() -> None:
    assert "\n" not in str(SyscallFailed("open", "/x", errno.EACCES))
    assert str(SyscallFailed("open", "/x", errno.EACCES)) == "open /x: permission denied"
