"""The variables of sd_listen_fds(3); descriptors themselves are tried with a whole daemon (test_as_a_service.py)."""

from __future__ import annotations

import os

import pytest

from watcher.adapters.inherited import take_inherited


@pytest.mark.parametrize(
    ("pid", "count"),
    [(None, None), ("1", "2"), ("", "2"), ("self", "two"), ("self", "0"), ("self", "-1")],
)
def test_what_is_not_for_us(monkeypatch: pytest.MonkeyPatch, pid: str | None, count: str | None) -> None:
    """Variables of another process, or without a number: nothing was passed, and no child inherits them."""
    for name, value in (("LISTEN_PID", str(os.getpid()) if pid == "self" else pid), ("LISTEN_FDS", count)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("LISTEN_FDNAMES", "control")
    assert {} == take_inherited()
    assert not {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} & os.environ.keys()
