"""Every condition on runs, old and new, and what is expected: over real journal files, by the daemon's own reading.

Each is shown crossed, nearly crossed, and where it does not apply.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.parts.journals import START, Fields, write_journal
from tests.parts.pid1 import STOPPING, breaks, fails, line, record, service_starts, succeeds
from watcher.config.load import load_settings
from watcher.core.duration import MINUTE, SECOND, Usec, parse_duration
from watcher.core.found import RunOutcome
from watcher.core.messages import BatchRead
from watcher.core.reason_words import say
from watcher.core.release import Release
from watcher.journal.extent import read_extent
from watcher.journal.source import Source
from watcher.replay import Replay, Replayed

RELEASED = Usec(START + 10 * MINUTE)

Story = Sequence[tuple[str, Iterable[Fields]]]
"""What stands in the journal when, counted from the release; `-` is before it."""


def at(when: str) -> int:
    """An instant counted from the release."""
    return RELEASED - parse_duration(when[1:]) if when.startswith("-") else RELEASED + parse_duration(when)


def replayed(directory: Path, story: Story, release: str, packs: str = "") -> Replayed:
    """What the daemon would have made of it."""
    config = directory / "watcher.yaml"
    config.write_text(
        "version: 1\njobs:\n  import:\n    units: [import]\n    rules: [{name: boom, match: boom, severity: error}]\n"
        f"    packs: [{packs}]\n"
        f"    release: {{settle: 0s, {release}}}\n",
    )
    settings = load_settings(config)
    stamped = [
        {"__REALTIME_TIMESTAMP": at(when) + place, "__MONOTONIC_TIMESTAMP": at(when) + place - START, **entry}
        for when, entries in story
        for place, entry in enumerate(entries)
    ]
    source = Source(directory=str(write_journal(directory / "journal", stamped)))
    (job,), (policy,) = settings.jobs, settings.policies.values()
    replay, until = Replay(policy=policy, release_at=RELEASED), Usec(RELEASED + 3 * 24 * 60 * MINUTE)
    replay.begin(Usec(START))
    for reading in read_extent(source, (job,), since=Usec(START), until=until):
        replay.read(reading.taken_in(reading.read_until))
    replay.read(BatchRead(at=until, read_until=until))
    return replay.result()


def judged(directory: Path, story: Story, release: str, packs: str = "") -> tuple[str, list[str]]:
    """The verdict and its reasons."""
    ended = replayed(directory, story, release, packs).release
    assert ended is not None
    return str(ended.verdict), [say(reason) for reason in ended.reasons]


def released(directory: Path, story: Story, release: str) -> Release:
    ended = replayed(directory, story, release).release
    assert ended is not None
    return ended


TWO_IN_A_ROW = "fail_when: [{failed_runs: {count: 2, consecutive: true}}]"
A_FIFTH = "fail_when: [{failed_runs: {ratio: 0.2, min_runs: 5}}]"
ONE_ERROR = "fail_when: [{matches: {severity: error, count: 1}}]"
OVER = "no threshold crossed in 15m"
NOTHING_RAN = "no run seen: nothing that began since the release was registered ran within 15m"


def runs(outcomes: str, *, first: int = 1) -> Story:
    """A run a minute: `S` succeeds, `F` fails."""
    return [(f"{n}m", fails(n) if how == "F" else succeeds(n)) for n, how in enumerate(outcomes, start=first)]


@pytest.mark.parametrize(
    ("story", "release", "verdict", "reason"),
    [
        (runs("SFF"), TWO_IN_A_ROW, "failed", "2 of 3 runs failed in a row, limit 2"),
        (runs("FSFS"), TWO_IN_A_ROW, "passed", f"{OVER} (0 matches and 4 runs seen)"),
        ([], TWO_IN_A_ROW, "inconclusive", NOTHING_RAN),
        (runs("SSSSSF"), A_FIFTH, "passed", f"{OVER} (0 matches and 6 runs seen)"),
        (runs("SSSSF"), A_FIFTH, "failed", "1 of 5 runs failed: 0.2, limit 0.2 from 5 runs on"),
        (runs("SFFS"), A_FIFTH, "passed", f"{OVER} (0 matches and 4 runs seen)"),
    ],
    ids=["in a row", "not in a row", "no run", "below the share", "at the share", "too few for a share"],
)
def test_failed_runs(tmp_path: Path, story: Story, release: str, verdict: str, reason: str) -> None:
    """By PID 1's records alone: the job itself said nothing."""
    assert (verdict, [reason]) == judged(tmp_path, story, release)


def test_a_crash_loop_counts_each_turn_once(tmp_path: Path) -> None:
    """Restarts with new invocations, and the start limit that repeats the last failure."""
    loop = [(f"{n}m", [*service_starts(n), *breaks(n)]) for n in range(1, 4)]
    told = replayed(tmp_path, [*loop, ("3m1s", breaks(3))], "fail_when: [{failed_runs: {count: 4}}]")
    assert {"succeeded": 0, "failed": 3} == told.runs
    assert told.release is not None
    assert ["no success seen: 3 runs ended, 3 of them failed"] == [say(one) for one in told.release.reasons]


@pytest.mark.parametrize(
    ("lines", "verdict", "reason"),
    [
        (9_999, "passed", f"{OVER} (0 matches and 1 run seen)"),
        (10_000, "inconclusive", "coverage has a hole (suspect)"),
        (10_001, "passed", f"{OVER} (0 matches and 1 run seen)"),
    ],
)
def test_a_run_that_ends_at_the_rate_limit_lets_nothing_pass(
    tmp_path: Path, lines: int, verdict: str, reason: str
) -> None:
    """Journald stored as much as it ever does, and told nothing: what the run said last may be lost."""
    begin, *end = succeeds(1)
    story: Story = [("1m", [begin, *([line("fine", 1)] * lines), *end])]
    found, (said,) = judged(tmp_path, story, ONE_ERROR)
    assert verdict == found
    assert reason in said


DEPLOY: Story = [
    ("-5m", service_starts(1)),
    ("10s", [line("boom at shutdown", 1), record(STOPPING, 1), *breaks(1)]),
    ("11s", [*service_starts(2), line("up again", 2)]),
]
"""The release restarts the service; the old process complains and exits badly."""


def test_the_old_process_is_not_held_against_the_release(tmp_path: Path) -> None:
    """Its dying noise is counted in the metrics, shown in the record, and that is all."""
    limits = "fail_when: [{matches: {severity: error, count: 1}}, {failed_runs: {count: 1}}]"
    told = replayed(tmp_path, DEPLOY, limits)
    assert told.release is not None
    assert ("passed", [f"{OVER} (0 matches seen)"]) == (
        told.release.verdict, [say(one) for one in told.release.reasons],
    )  # fmt: skip
    assert ({"boom": 1}, {"succeeded": 0, "failed": 1}) == (told.matches, told.runs)
    trial = told.release.trial
    assert ((("boom", 1),), 1, 1) == (trial.old_matches, trial.runs.old_failed, trial.runs.begun)


def test_the_new_process_is(tmp_path: Path) -> None:
    """The same line of the process that the release started."""
    story = [*DEPLOY, ("1m", [line("boom", 2)])]
    assert ("failed", ["1 error match in 0ms, limit 1"]) == judged(tmp_path, story, ONE_ERROR)


def test_a_service_that_nobody_restarts_tells_nothing(tmp_path: Path) -> None:
    """Its lines are the old process's: neither passed nor failed, and the reason tells what was set aside."""
    story: Story = [("-5m", service_starts(1)), ("1m", [line("boom", 1), line("fine", 1)])]
    said = f"{NOTHING_RAN}; 1 match and 0 runs of older invocations were not held against it"
    assert ("inconclusive", [said]) == judged(tmp_path, story, ONE_ERROR)


def test_unless_the_configuration_blames_everybody(tmp_path: Path) -> None:
    """Then every line counts, of whichever process."""
    story: Story = [("-5m", service_starts(1)), ("1m", [line("boom", 1)])]
    assert ("failed", ["1 error match in 0ms, limit 1"]) == judged(tmp_path, story, f"{ONE_ERROR}, blame: all")


@pytest.mark.parametrize(
    ("story", "expect", "verdict", "reasons"),
    [
        (runs("S"), "{successful_runs: 1}", "passed", [f"{OVER} (0 matches and 1 run seen)"]),
        (runs("SF"), "{successful_runs: 2}", "inconclusive", ["1 successful run of 2 seen, 2 expected"]),
        ([], "{successful_runs: 1}", "inconclusive", [NOTHING_RAN, "no run seen, 1 successful run expected"]),
        (
            [("1m", [*service_starts(1), line("imported 12 rows", 1)])],
            "{match: 'imported \\d+ rows'}",
            "passed",
            [f"{OVER} (0 matches seen)"],
        ),
        (
            [("1m", [*service_starts(1), line("imported no rows", 1)])],
            "{match: 'imported \\d+ rows'}",
            "inconclusive",
            ["not seen, though expected: an entry that matches imported \\d+ rows"],
        ),
        (
            [("1m", [*service_starts(1), line("imported 12 rows", 1, PRIORITY=7)])],
            "{match: 'imported \\d+ rows', severity: info}",
            "inconclusive",
            ["not seen, though expected: an entry of severity info and worse that matches imported \\d+ rows"],
        ),
    ],
)
def test_no_evidence_no_pass(tmp_path: Path, story: Story, expect: str, verdict: str, reasons: list[str]) -> None:
    """A run or a line that is expected has to be seen; an expected line is no error, whatever it says."""
    assert (verdict, reasons) == judged(tmp_path, story, f"expect: {expect}, {ONE_ERROR}")


def test_a_window_of_runs(tmp_path: Path) -> None:
    """It ends with its last run, and at the latest by its time."""
    window = f"window: {{runs: 3, max: 36h}}, {TWO_IN_A_ROW}"
    full = released(tmp_path, runs("SFSFF"), window)
    assert ("passed", Usec(at("3m") + 1)) == (full.verdict, full.ended_at)


def test_the_failure_of_the_run_that_fills_the_window_counts(tmp_path: Path) -> None:
    """PID 1 says in one entry that the run is over and that it failed, and a rule fires on that entry."""
    critical = "fail_when: [{matches: {severity: critical, count: 1}}]"
    told = judged(tmp_path, runs("SF"), f"window: {{runs: 2, max: 1h}}, {critical}", packs="systemd")
    assert ("failed", ["1 critical match in 0ms, limit 1"]) == told


def test_a_window_of_runs_that_never_fills(tmp_path: Path) -> None:
    """At its latest end it is judged by what ran; nothing ran, nothing is known."""
    window = f"window: {{runs: 3, max: 36h}}, {TWO_IN_A_ROW}"
    (tmp_path / "some").mkdir()
    (tmp_path / "none").mkdir()
    some = released(tmp_path / "some", runs("SS"), window)
    assert ("passed", at("36h")) == (some.verdict, some.ended_at)
    assert "inconclusive" == released(tmp_path / "none", [], window).verdict


def test_durations_are_known(tmp_path: Path) -> None:
    """From the begin to the end by PID 1's records."""
    directory = write_journal(
        tmp_path,
        [
            {"__REALTIME_TIMESTAMP": START + n * 7 * SECOND, "__MONOTONIC_TIMESTAMP": n * 7 * SECOND + 1, **entry}
            for n, entry in enumerate(succeeds(1))
        ],
    )
    config = tmp_path / "watcher.yaml"
    config.write_text("version: 1\njobs: {import: {units: [import]}}\n")
    (job,) = load_settings(config).jobs
    found = [
        one for reading in read_extent(Source(directory=str(directory)), (job,), since=Usec(0)) for one in reading.found
    ]
    (end,) = [one for one in found if getattr(one, "outcome", None) is RunOutcome.SUCCEEDED]
    assert 7 * SECOND == end.at - getattr(end, "began", 0)
