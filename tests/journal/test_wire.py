from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.journal.written import JOB, T0
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import Usec
from watcher.core.found import JobTally, Match, RunBegan, RunEnded, RunOutcome
from watcher.core.names import JobName, RuleName
from watcher.core.rule import FieldCondition, Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.journal.position import Spot
from watcher.journal.reading import Reading, joined
from watcher.journal.source import Source
from watcher.journal.wire import (
    Announced,
    Control,
    Message,
    Plan,
    Trouble,
    WireError,
    decode_control,
    decode_message,
    decode_plan,
    encode_control,
    encode_message,
    encode_plan,
)

RULE = Rule(
    name=RuleName("half"),
    severity=Severity.CRITICAL,
    pack="own",
    match="a|b",
    unless="c",
    message_id="d9b373ed55a64feb8242e02dbe79a49c",
    where=(
        FieldCondition(field="_COMM", values=("python3", "gunicorn")),
        FieldCondition(field="PRIORITY", at_most=4),
    ),
    until="^end",
    once="run",
    capture=(("exception", r"^(\w+)"),),
)
OTHER = WatchedJob(
    name=JobName("other"), units=("a@*.service",), identifiers=("cron",), rules=(RULE, RULE), expected=RULE, run_as=1000
)
READING = Reading(
    read_until=T0,
    last_entry_at=Usec(T0 - 1),
    tallies=(JobTally(job=JobName("other"), entries=3, first_at=Usec(5), last_at=Usec(9)),),
    found=(
        Match(
            job=JobName("other"),
            rules=(RuleName("half"), RuleName("whole")),
            severity=Severity.ERROR,
            at=Usec(7),
            cursor="s=1",
            invocation="1f",
            began=Usec(6),
            is_expected=True,
        ),
        RunBegan(job=JobName("other"), unit="a@1.service", invocation="1f", at=Usec(6), cursor="s=3"),
        RunEnded(
            job=JobName("other"),
            unit="a@1.service",
            invocation="1f",
            at=Usec(8),
            outcome=RunOutcome.FAILED,
            cursor="s=2",
            began=Usec(6),
            result="signal",
            status="9",
        ),
    ),
    gaps=(
        Gap(reason=GapReason.MISSING, since=Usec(1), until=Usec(2), entries=3),
        Gap(reason=GapReason.DROPPED, since=Usec(1), until=Usec(2), job=JobName("other")),
    ),
    position='{"cursor":"s=1;\\u00e9"}',
    entries=11,
    at_tail=True,
    visible=True,
)


def test_plan_survives_the_pipe() -> None:
    """A plan with everything in it is the same on the other side."""
    spots = (Spot(cursor="s=1", stepping=True), Spot(cursor="s=2", stepping=False))
    plan = Plan(
        source=Source(directory="/some where"),
        jobs=(JOB, OTHER),
        position="text",
        probe=True,
        pinned=spots,
        poll=Usec(7),
    )
    assert plan == decode_plan(encode_plan(plan))
    first_start = Plan(source=Source(namespace="x"), jobs=())
    assert first_start == decode_plan(encode_plan(first_start))


@given(st.from_type(WatchedJob))
def test_whatever_a_job_says_survives_the_pipe(job: WatchedJob) -> None:
    """Every field of a job and of its rules arrives: a forgotten one would be a rule that fires in replay alone."""
    plan = Plan(source=Source(), jobs=(job,))
    assert plan == decode_plan(encode_plan(plan))


@pytest.mark.parametrize(
    "message",
    [READING, Reading(read_until=T0), Trouble("why"), Announced(None), Announced(Spot(cursor="s=1", stepping=True))],
)
def test_message_survives_the_pipe(message: Message) -> None:
    """Each message is one line and the same on the other side."""
    line = encode_message(message)
    assert 1 == line.count(b"\n")
    assert message == decode_message(line)


def test_control_survives_the_pipe() -> None:
    """So does a change of pace."""
    assert Control(poll=Usec(10_000)) == decode_control(encode_control(Control(poll=Usec(10_000))))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no json",
        b"[]",
        b"{}",
        b'{"batch":{}}',
        b'{"trouble":5}',
        b'{"at":[5,true]}',
        encode_message(READING).replace(b'"last":1', b'"last":"1"').replace(b'"entries":11', b'"entries":"11"'),
        encode_message(READING).replace(b'"missing"', b'"unheard-of"'),
    ],
)
def test_line_that_nobody_can_have_meant(line: bytes) -> None:
    """Decoding fails loudly instead of guessing."""
    with pytest.raises(WireError):
        decode_message(line)


def test_two_readings_as_one() -> None:
    """Tallies are summed, matches and gaps follow each other, the later place counts."""
    later = Reading(read_until=Usec(T0 + 5), tallies=READING.tallies, entries=4, visible=True)
    both = joined(READING, later)
    assert (T0 + 5, T0 - 1, 15) == (both.read_until, both.last_entry_at, both.entries)
    assert [6] == [tally.entries for tally in both.tallies]
    assert (READING.found, READING.gaps, READING.position) == (both.found, both.gaps, both.position)
    assert not both.at_tail
