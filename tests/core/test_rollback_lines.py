"""The rollback as the note tells it."""

from __future__ import annotations

from dataclasses import replace

from tests.events import batch, observed, watching
from tests.playbook import play
from watcher.core.release import RollbackState
from watcher.core.rollback_lines import rollback_lines

FAILING = play(watching(limit=2, verify="10m"), batch(errors=2, at="1m")).state


def test_before_it_ends_it_says_what_will_run() -> None:
    """State, command and time limit; no end."""
    told = "\n".join(rollback_lines(next(iter(FAILING.releases.values()))))
    assert "State: **queued**" in told
    assert "time limit" in told
    assert "exit code" not in told


def test_after_it_ended_it_says_how_and_for_how_long() -> None:
    """And from when on the job is watched for whether it helped."""
    ended = observed(RollbackState.SUCCEEDED, at="2m", exit_code=0, started="61s", finished="119s")
    told = "\n".join(rollback_lines(play(FAILING, ended).last.record))
    assert "State: **succeeded**" in told
    assert "58s" in told
    assert "watched from" in told
    assert "not known" in told


def test_what_the_command_printed_stands_fenced_and_escaped() -> None:
    """It is hostile text."""
    record = next(iter(FAILING.releases.values()))
    printed = replace(record, rollback=replace(record.rollback, output="fine\n\x1b[2J```\n"))
    told = "\n".join(rollback_lines(printed))
    assert "The end of its output:" in told
    assert "\x1b" not in told
