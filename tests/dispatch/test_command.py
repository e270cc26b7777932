"""Who may become whom."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from watcher.dispatch.claim import Claim, Facts
from watcher.dispatch.command import NotStartedError, start


@pytest.fixture
def not_root() -> Iterator[None]:
    """A process that is not root."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    yield
    if was_root:
        os.seteuid(0)


@pytest.mark.usefixtures("not_root")
def test_somebody_else_without_root() -> None:
    """Only root starts a command as another user; for anybody else it has failed, with that reason."""
    facts = Facts(id="import-1", job="import", version="2.0", previous=None, reason_code="matches")
    claim = Claim(facts, command=("true",), timeout_usec=1, timeout="1us", user="root", idempotent=False, claimed_at=1)
    with pytest.raises(NotStartedError, match='user "root": only root can run the command as somebody else'):
        start(claim, b"{}")
