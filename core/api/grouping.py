"""Removals of one command that takes several requests: one undo brings all of it back."""

from __future__ import annotations

from core.api.routing import Request
from core.images.undo import Group, join_group


def join_asked(request: Request) -> None:
    """Count what this request removes to the group that its query names: `group` is the same in all requests of
    one command, `command` what the user gave."""
    token = request.text("group")[:64]
    join_group(Group(token, request.text("command")[:1024] or "remove") if token else None)
