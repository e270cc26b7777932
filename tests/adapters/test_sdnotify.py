"""The notification socket, with a real socket at the other end."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from watcher.adapters.sdnotify import Notifier


def test_the_manager_hears_each_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call is one datagram, and no child inherits the address."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "10000000")
        notifier = Notifier()
        notifier.ready()
        notifier.status("watching 2 jobs\nsecond line")
        notifier.alive()
        notifier.stopping()
        assert [b"READY=1", b"STATUS=watching 2 jobs", b"WATCHDOG=1", b"STOPPING=1"] == [
            manager.recv(100) for _ in range(4)
        ]
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & os.environ.keys()


def test_without_a_manager_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run by hand there is nobody to tell."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    notifier.ready()
    assert not notifier.is_asked
