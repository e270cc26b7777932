"""The daemon's own log, to a real datagram socket in the journal's place, and as lines."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher.adapters.log import IDENTIFIER, log, say_transition, start_logging
from watcher.adapters.message_ids import PHASES, ROLLBACKS
from watcher.core.duration import Usec
from watcher.core.messages import Transition, TransitionKind
from watcher.core.names import JobName, ReleaseId
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Phase, RollbackState
from watcher.dispatch import voice
from watcher.dispatch.voice import Voice

FAILED = Transition(
    at=Usec(1),
    kind=TransitionKind.PHASE,
    before="watching",
    after=Phase.FAILED,
    release=ReleaseId("import-1"),
    job=JobName("import"),
    reasons=(Reason(code=ReasonCode.PERSON, what="bad\nnews\x1b[2J"),),
    author="anna",
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    """What journald listens at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "journal"))
        listener.settimeout(5)
        yield listener


@pytest.fixture
def in_journal(journal: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The daemon's log as in a service whose standard error leads to the journal."""
    found = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    monkeypatch.setattr(voice, "SOCKET", str(journal.getsockname()))
    monkeypatch.setattr(Voice.__init__, "__defaults__", (str(journal.getsockname()),))
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    start_logging(verbose=False)
    yield journal
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


def entry(journal: socket.socket) -> dict[str, str]:
    """The next entry, taken apart as journald does it."""
    data, fields = journal.recv(65536), {}
    while data:
        head, _, rest = data.partition(b"\n")
        if b"=" in head:
            name, _, value = head.partition(b"=")
            fields[name.decode()], data = value.decode(), rest
        else:
            size = int.from_bytes(rest[:8], "little")
            fields[head.decode()], data = rest[8 : 8 + size].decode(), rest[9 + size :]
    return fields


def test_a_transition_is_one_entry_with_fields(in_journal: socket.socket) -> None:
    """Release, job, verdict and the rest can be asked for by name; text of others is escaped."""
    say_transition(FAILED)
    fields = entry(in_journal)
    words = fields.pop("MESSAGE")
    assert {
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "MESSAGE_ID": PHASES[Phase.FAILED],
        "WATCHER_RELEASE_ID": "import-1",
        "WATCHER_JOB": "import",
        "WATCHER_KIND": "phase",
        "WATCHER_STATE": "failed",
        "WATCHER_VERDICT": "failed",
        "WATCHER_BEFORE": "watching",
        "WATCHER_AUTHOR": "anna",
        "WATCHER_REASON": "decided by a person: bad\\nnews\\x1b[2J",
    } == fields
    assert words.startswith("release is failed release=import-1 job=import before=watching author=anna reason=")


def test_every_state_has_an_entry_of_its_own(in_journal: socket.socket) -> None:
    """A rollback's states differ from a release's."""
    for state in RollbackState:
        say_transition(
            Transition(at=Usec(1), kind=TransitionKind.ROLLBACK, before="none", after=state, release=ReleaseId("r"))
        )
        found = entry(in_journal)
        assert (ROLLBACKS[state], str(state)) == (found["MESSAGE_ID"], found["WATCHER_STATE"])
        assert "WATCHER_VERDICT" not in found


def test_whether_a_rollback_helped_is_no_state_of_the_rollback(in_journal: socket.socket) -> None:
    """That nobody can say it reads unlike a rollback whose own end is unknown."""
    for after, words in (("helped", "the rollback helped"), ("unknown", "whether the rollback helped is unknown")):
        say_transition(
            Transition(at=Usec(1), kind=TransitionKind.VERIFICATION, before="", after=after, release=ReleaseId("r"))
        )
        assert f"{words} release=r" == entry(in_journal)["MESSAGE"]


def test_several_lines_are_one_entry(in_journal: socket.socket) -> None:
    """A traceback stays whole."""
    try:
        int("ours")
    except ValueError:
        log.exception("failed", extra={"facts": {"listen.metrics": 1}})
    fields = entry(in_journal)
    assert ("3", "1") == (fields["PRIORITY"], fields["WATCHER_LISTEN_METRICS"])
    assert fields["MESSAGE"].startswith("failed listen.metrics=1\nTraceback")


def test_a_journal_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The entry goes to standard error, which PID 1 keeps for it, with its priority."""
    found = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
    Voice(str(tmp_path / "nobody"), identifier="x").say(4, "two\nlines", {"WATCHER_JOB": "import"})
    assert "<4>two\n<4>lines\n" == capfd.readouterr().err


def test_by_hand(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Another standard error than the one that PID 1 has made: plain lines."""
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    Voice(identifier="x").say(4, "a line", {})
    assert "a line\n" == capfd.readouterr().err
